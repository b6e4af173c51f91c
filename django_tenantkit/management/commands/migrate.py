"""`manage.py migrate`, by the system: tables belong to the owner, and the application may not change them."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

from django.core.management.commands import migrate
from django.db import DatabaseError, connections

from ...conf import conf
from ...lifecycle.homes import make_row_home
from ...lifecycle.migrating.survey import lag
from ...lifecycle.shards import main_connection
from ...registry import only_rows
from ..system import as_system


class Command(migrate.Command):
    """Django's command. A command of the same name in another app should inherit this one."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Django checks before it handles."""
        self._make_row_home(connections[options["database"]])
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["skip_checks"]:
            self.check(databases=[options["database"]])  # of the application's login
        connection = connections[options["database"]]
        # Inside a transaction of the application, what only asks is answered: a plan, or that there is no such
        # app. What migrates is refused there by the first that needs the system.
        with nullcontext() if connection.in_atomic_block else as_system(connection):
            super().handle(*args, **{**options, "skip_checks": True})
            if options["verbosity"] and not (options["plan"] or options["check_unapplied"]):
                self._tell_of_homes(options["database"])

    def _make_row_home(self, connection: Any) -> None:
        """The application's statements name the schema of row tenants, those of the checks too. Where the roles are
        not there yet, the checks say so; and inside a transaction nothing is made that only asks."""
        if conf.ROW_SCHEMA and connection.vendor == "postgresql" and not connection.in_atomic_block:
            with suppress(DatabaseError), as_system(connection), connection.cursor() as cursor:
                make_row_home(connection, cursor)

    def _tell_of_homes(self, alias: str) -> None:
        """Homes of tenants are migrated by another command."""
        if only_rows() or connections[alias] is not main_connection():
            return
        if number := lag():
            which = "1 tenant has a home that lags" if number == 1 else f"{number} tenants have homes that lag"
            self.stdout.write(f"{which} behind: `migrate_tenants --all-tenants`.")
