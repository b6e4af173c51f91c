"""How a home is reached, whatever its isolation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from ...exceptions import TenantkitError
from ...isolation.entries import database_alias, shard_alias
from ...isolation.schema import schema_name
from ...models import Place, TenantIsolation
from ..alone import alone
from ..databases import applied_in, migrate_database
from ..shards import main_connection
from .homely import Home
from .plans import Wanted, targets_of


def bring_database(place: Place, tenant: Any, wanted: Wanted) -> list[str]:
    """Migrate a tenant's database, and return what it then has on record. As the main database is migrated, by Django:
    the tables that are shared elsewhere are in it too. Raises `TenantkitError` where there is no such database, as
    none is made, and what a migration raises."""
    try:
        migrate_database(
            place.uid,
            place.database,
            lambda loader: targets_of(loader, wanted),
            fake=wanted.fake,
            tenant=tenant,
        )
        return applied_in(place.uid, place.database)
    finally:
        connections[database_alias(place.uid, place.database)].close()


def guard_database(place: Place) -> list[str]:
    """Make whole what a tenant's database needs beside its tables: functions, guard of our own tables, privileges,
    copies that nobody writes. Nothing is migrated. Returns what it has on record."""
    try:
        migrate_database(place.uid, place.database, lambda loader: [])
        return applied_in(place.uid, place.database)
    finally:
        connections[database_alias(place.uid, place.database)].close()


@contextmanager
def reach(place: Place, tenant: Any) -> Iterator[Home]:
    """The home of a place, with this thread's connection to the database that it is in. Raises `TenantkitError` for an
    isolation whose homes cannot be migrated."""
    if place.isolation != TenantIsolation.SCHEMA:
        raise TenantkitError(f"Places of the isolation {place.isolation!r} cannot be migrated.")
    main, schema = main_connection(), schema_name(place.uid)
    if not place.database:
        yield Home(main, schema, place.uid, tenant)
        return
    connection: Any = connections[shard_alias(place.database)]
    with connection.as_system(), alone(main, place.uid):  # whoever moves or drops it asks the main database
        yield Home(connection, schema, place.uid, tenant)
