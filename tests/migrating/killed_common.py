"""`python -m tests.migrating.killed_common`: runs `migrate_tenants` and kills it with signal 9 where a home is migrated
and its copies of rows of nobody are not brought up to date yet."""

from __future__ import annotations

import os
import signal
from typing import Any
from unittest.mock import patch

import django
from django.core.management import call_command


def die(schema: str) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    django.setup()
    from tests.migrating.evolving.models import Thing

    with (
        patch("django_tenantkit.lifecycle.migrating.plans.common_models", return_value=[Thing]),
        patch("django_tenantkit.lifecycle.migrating.homely.fill", die),
    ):
        call_command("migrate_tenants", "--all-tenants", "--workers", "1")


if __name__ == "__main__":
    main()
