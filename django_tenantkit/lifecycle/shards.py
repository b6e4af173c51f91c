"""Shards: databases beside the main one in which tenants have schemas, one on each server of TENANTKIT_SERVERS.

A shard is made like the database of one tenant: all migrations run in it, and what is shared there are copies. Its
place has a uid that follows from the server's name, and the isolation `SHARD`; no tenant takes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, router, transaction

from ..exceptions import TenantkitError
from ..isolation.entries import shard_alias, shard_uid
from ..models import SHARD, Place, PlaceState, TenantIsolation
from ..sql.homes import FIND_HOME, quoted, rename_schema
from . import databases, homes
from .alone import alone
from .finished import finished
from .ledger import note, note_failure
from .signing import sign_home


def main_connection() -> Any:
    """The connection to the database with the places."""
    return connections[router.db_for_write(Place)]


@contextmanager
def schemas_on(server: str) -> Iterator[Any]:
    """The system's connection to the database in which tenants have schemas on that server; "" is the main one."""
    connection: Any = connections[shard_alias(server)] if server else main_connection()
    with connection.as_system():
        yield connection


def make_shard(server: str) -> None:
    """Make the shard of a server, or complete a half-made one; nothing where it was made before, though it be lost. By
    the system's login, outside of transactions. What goes wrong is kept in `Place.error` and raised."""
    uid, main = shard_uid(server), main_connection()
    if Place.objects.filter(pk=uid).exclude(state=PlaceState.MAKING).exists():
        return
    with alone(main, uid):
        place, _ = Place.objects.get_or_create(pk=uid, defaults={"isolation": SHARD, "database": server})
        if place.state != PlaceState.MAKING:
            return
        began = time.monotonic()
        try:
            databases.make_database(uid, server, limited=False)
            databases.migrate_database(uid, server)
            place.state = PlaceState.TAKEN
            note(place, databases.applied_in(uid, server), began)
        except Exception as error:
            note_failure(place, error)
            raise


def make_schema(connection: Any, schema: str) -> list[str]:
    """Make a schema in a database, by the system's login there, and return the migrations that it has on record. The
    script that was read in the main database fits where the version of PostgreSQL is the same; where it does not, and
    where the schema is half made, migrations run."""
    main = main_connection()
    made = finished(main)
    if made.snapshot is None or connection.pg_version != main.pg_version or has_schema(connection, schema):
        return migrate_schema(connection, schema)
    with connection.cursor() as cursor:
        cursor.execute(made.snapshot.script(schema))
    return homes.applied_in(connection, schema)


def migrate_schema(connection: Any, schema: str) -> list[str]:
    """The same by migrations."""
    homes.migrate_home(connection, schema)
    sign_home(connection, schema)
    return homes.applied_in(connection, schema)


def has_schema(connection: Any, name: str) -> bool:
    """Whether a database has a schema."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_HOME, [quoted(name), quoted(name)])
        return bool(cursor.fetchone()[0])


def rename_in(server: str, old: str, new: str) -> None:
    """Rename a schema on a server, unless that was done."""
    with schemas_on(server) as connection, transaction.atomic(using=connection.alias):
        if not has_schema(connection, old):
            return
        if has_schema(connection, new):
            raise TenantkitError(f"There are both schemas, {old} and {new}. See what they are, and rename one.")
        with connection.cursor() as cursor:
            cursor.execute(rename_schema(old, new))


def number_of_schemas(server: str = "") -> int:
    """How many schemas of tenants there are on a server, those that wait for one or are being made too."""
    places = Place.objects.filter(isolation=TenantIsolation.SCHEMA, database=server)
    return places.exclude(state=PlaceState.GONE).count()


def shards_of(servers: Iterable[str]) -> list[Place]:
    """The places of the shards of these servers that are made."""
    uids = [shard_uid(server) for server in {*servers} if server]
    return list(Place.objects.filter(pk__in=uids, isolation=SHARD).exclude(state=PlaceState.MAKING))
