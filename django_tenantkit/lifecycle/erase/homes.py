"""The schemas and databases of a tenant: dropped, also those that it left before."""

from __future__ import annotations

from typing import Any

from ...isolation.entries import allows_databases
from ...models import Place, PlaceState
from ...sql.homes import drop_schema
from ..databases import drop_database
from ..reach import Tables, database_aliases, is_home_schema, own_tables


def homes_of(tenant: Any) -> list[str]:
    """What there is of them, in words."""
    return [f"the {_kind(tables)} on {tables.alias}" for tables in own_tables(tenant.uid)]


def drop_homes(tenant: Any) -> None:
    """Drop them. Outside of transactions. A statement that is under way in a schema ends first; whoever is connected
    to a database is sent away."""
    for tables in own_tables(tenant.uid):
        if is_home_schema(tables.schema):
            with tables.cursor() as cursor:
                cursor.execute(drop_schema(tables.schema))
    for alias in database_aliases(tenant.uid) if allows_databases() else ():
        drop_database(tenant.uid, alias.partition(f"{tenant.uid.hex}_")[2])
    Place.objects.filter(pk=tenant.uid).update(state=PlaceState.GONE, drop_after=None, error="")


def _kind(tables: Tables) -> str:
    return f"schema {tables.schema}" if is_home_schema(tables.schema) else "database"
