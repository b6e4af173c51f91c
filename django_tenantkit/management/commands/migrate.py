"""`manage.py migrate`, by the system: tables belong to the owner, and the application may not change them."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from ..system import as_system


class Command(migrate.Command):
    """Django's command. A command of the same name in another app should inherit this one."""

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["skip_checks"]:
            self.check(databases=[options["database"]])  # of the application's login
        with as_system(connections[options["database"]]):
            super().handle(*args, **{**options, "skip_checks": True})
