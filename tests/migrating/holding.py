"""`python -m tests.migrating.holding`: holds the lock of a run until it is killed."""

from __future__ import annotations

import signal

import django
from django.db import connection


def main() -> None:
    django.setup()
    from django_tenantkit.lifecycle.migrating.survey import run_lock

    with connection.as_system(), run_lock(10):
        print("held", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
