"""`python -m tests.moving.killable SLUG TO COUNT WHEN [online] [SERVER]`: moves the tenant and kills itself at the
statement of that number: before it is sent, while it runs, or after it. With 0 it lives, and prints how many statements
each step took.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import django
import psycopg

COUNT = 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def counting(at: int, when: str) -> None:
    real = psycopg.Cursor.execute

    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        global COUNT
        COUNT += 1
        if at != COUNT:
            return real(self, *args, **kwargs)
        if when == "during":
            threading.Thread(target=die).start()
        if when == "before":
            die()
        try:
            return real(self, *args, **kwargs)
        finally:
            die()

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]


def main(slug: str, to: str, at: str, when: str, online: str = "", server: str = "") -> None:
    django.setup()
    from django_tenantkit.lifecycle.move.run import move
    from django_tenantkit.models import Tenant

    tenant = Tenant.objects.get(slug=slug)
    counting(int(at), when)

    def told(done: int, of: int, name: str) -> None:
        print(name, COUNT, flush=True)

    move(tenant, to, server, remap=True, online=bool(online), progress=told)


if __name__ == "__main__":
    main(*sys.argv[1:])
