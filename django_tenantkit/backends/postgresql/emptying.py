"""What `flush` means where tenants have databases."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

from ...isolation.copied import common_models, common_table
from ...isolation.copying import forget_known, holds_copies
from ...sql import common, copies
from ...sql.fence import LIFT_ALL

_KEPT = "django_migrations"


def empty_homes(main: Any) -> None:
    """Empty the databases of tenants that have rows, as the system, whose login `main` has."""
    if holds_copies(main):
        return
    with main.cursor() as cursor:
        cursor.execute("SELECT to_regclass('tenantkit.copies') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return
        cursor.execute(copies.USED_HOMES, [_has_rows_of_nobody(cursor)])
        homes = [home for (home,) in cursor.fetchall()]
        for home in homes:
            _empty(connections[home])
        cursor.execute(copies.FORGET_COPIES)
    forget_known(lambda known: known[0] in homes)


def _has_rows_of_nobody(cursor: Any) -> bool:
    """Whether every database has some of those."""
    tables = map(common_table, common_models(apps.get_models()))
    for table in tables:
        cursor.execute(f"SELECT EXISTS ({common.rows(table)})")
        if cursor.fetchone()[0]:
            return True
    return False


def _empty(connection: Any) -> None:
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(LIFT_ALL)
        cursor.execute(copies.FULL_TABLES, [_KEPT])
        if names := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(names)}")
