"""Migration states: an archive says which migrations its tables had, and is read by that state or a later one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db import connections
from django.db.migrations.loader import MigrationLoader

from ...exceptions import ArchiveRefused
from ...isolation.entries import MAIN
from ...sql import archives as sql
from ...sql.homes import quoted
from ..homes import home_apps
from .spots import Spot

State = dict[str, list[str]]


def applied(home: Spot, main: Spot) -> State:
    """The migrations that are applied, by app: those of tenants' tables in their home, the others in the main
    database."""
    found: dict[str, list[str]] = defaultdict(list)
    at_home = home_apps()
    for spot, is_home in ((home, True), (main, False)):
        with spot.connection.cursor() as cursor:
            cursor.execute(sql.MIGRATIONS.format(schema=quoted(_ledger(spot))))
            for app, name in cursor.fetchall():
                if (app in at_home) == is_home:
                    found[app].append(name)
    return dict(sorted(found.items()))


def _ledger(spot: Spot) -> str:
    """The schema with the record of migrations: a schema tenant's own, or that of the database."""
    with spot.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{quoted(spot.schema)}.django_migrations"])
        return spot.schema if cursor.fetchone()[0] else "public"


def check_state(there: Any, here: State) -> None:
    """Raise `ArchiveRefused` where the archive's tables had migrations that are not applied here."""
    replaced = _replaced()
    newer = [
        f"{app}.{name}"
        for app, names in there.items()
        for name in names
        if name not in here.get(app, []) and (app, name) not in replaced and app in here
    ]
    if newer:
        raise ArchiveRefused(
            f"The archive is from a newer state of the tables: {', '.join(newer[:5])} "
            f"{'is' if len(newer) == 1 else 'are'} not applied here. Update this deployment first."
        )


def _replaced() -> set[tuple[str, str]]:
    """Migrations that squashed ones stand for."""
    loader = MigrationLoader(connections[MAIN])
    return {pair for migration in loader.disk_migrations.values() for pair in migration.replaces}
