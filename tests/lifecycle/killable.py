"""`python -m tests.lifecycle.killable FUNCTION begin|end`: provisions acme, stops before or after the work of
FUNCTION, inside its transaction, says so, and waits to be killed."""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import django
from django.test import override_settings

OWN_STEP = "tests.lifecycle.helpers.own_step"
SETTINGS: dict[str, Any] = {
    "TENANTKIT_WELCOME_MAIL": True,
    "TENANTKIT_DEFAULT_DATA": "tests.lifecycle.helpers.fill",
    "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
}


def stop(*_: Any, **__: Any) -> None:
    print("stopped", flush=True)
    sys.stdin.readline()


def stopping(function: Callable[..., Any], moment: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> None:
        if moment == "begin":
            stop()
        function(*args, **kwargs)
        stop()

    return run


def main(path: str, moment: str) -> None:
    django.setup()
    from django_tenantkit.conf import conf
    from django_tenantkit.lifecycle.provision import provision
    from tests.lifecycle.helpers import WANTED

    steps = [*conf.PROVISIONING, OWN_STEP]
    settings = SETTINGS | {"TENANTKIT_PROVISIONING": steps, "EMAIL_FILE_PATH": os.environ["MAILS"]}
    with override_settings(**settings), patch(path, stopping(pkgutil.resolve_name(path), moment)):
        provision("acme", **WANTED)


if __name__ == "__main__":
    main(*sys.argv[1:])
