"""Places: the schemas and databases of tenants, made beforehand or for a job, and taken once."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.db import connections, router

from ..conf import conf
from ..exceptions import TenantkitError
from ..isolation.schema import schema_name
from ..models import Place, PlaceState, TenantIsolation
from ..sql import places as sql
from ..sql.common import fill
from . import databases
from .alone import alone
from .finished import finished
from .ledger import note, note_failure
from .shards import has_schema, make_schema, make_shard, migrate_schema, number_of_schemas, schemas_on
from .templates import make_database


def make_place(isolation: str, server: str = "", uid: UUID | None = None, *, ready: bool = True) -> Place:
    """Make a schema or a database with all tables of tenants, or complete a half-made one, and return its place.
    `uid` names the place and the tenant that takes it; a new one without. With `ready` anybody may take it,
    otherwise whoever knows the uid.

    By the system's login, so outside of transactions. What goes wrong is kept in `Place.error` and raised.
    """
    if isolation not in (TenantIsolation.SCHEMA, TenantIsolation.DATABASE):
        raise TenantkitError(f"No place of the isolation {isolation!r} can be made: there are schemas and databases.")
    connection: Any = connections[router.db_for_write(Place)]
    with connection.as_system():
        if isolation == TenantIsolation.SCHEMA:
            _refuse_too_many(server, uid)
            if server:
                make_shard(server)
        if uid is None:
            return _make(connection, Place(isolation=isolation, database=server), ready, is_new=True)
        with alone(connection, uid):
            place = Place.objects.filter(pk=uid).first() or Place(uid=uid, isolation=isolation, database=server)
            if place.state != PlaceState.MAKING:
                return place
            if not place.migrations:
                return _make(connection, place, ready)
            if ready:
                place.state = PlaceState.READY
                place.save(update_fields=["state", "updated_at"])
            return place


def _refuse_too_many(server: str, uid: UUID | None) -> None:
    found = number_of_schemas(server)
    if found >= conf.SCHEMA_LIMIT and (uid is None or not Place.objects.filter(pk=uid).exists()):
        raise TenantkitError(
            f"There are {found} schemas of tenants on {server or 'the main server'}, as many as TENANTKIT_SCHEMA_LIMIT "
            "allows. Put the next tenants on another server of TENANTKIT_SERVERS, or give them databases, or raise it: "
            "see the guide of isolations for what it costs."
        )


def _make(connection: Any, place: Place, ready: bool, *, is_new: bool = False) -> Place:
    """Make a home and note it, in the main database all in one message, or else by migrations. Of one that `is_new`
    nothing can be there."""
    if place.isolation == TenantIsolation.DATABASE or place.database:
        return _make_elsewhere(place, ready)
    schema, began = schema_name(place.uid), time.monotonic()
    place.state = PlaceState.READY if ready else PlaceState.MAKING
    try:
        made = finished(connection)
        if made.snapshot is None or (not is_new and has_schema(connection, schema)):
            names = migrate_schema(connection, schema)
            _fill(connection, schema)
            note(place, names, began)
        else:
            table = connection.ops.quote_name(Place._meta.db_table)
            noted, timed = sql.made(table, place, made.digest)
            with connection.cursor() as cursor:
                cursor.execute(f"{noted};\n{made.snapshot.script(schema)}\n{fill(schema)};\n{timed}")
    except Exception as error:
        note_failure(place, error)
        raise
    return Place.objects.get(pk=place.uid)


def _fill(connection: Any, schema: str) -> None:
    """Bring the rows of nobody."""
    with connection.cursor() as cursor:
        cursor.execute(fill(schema))


def _make_elsewhere(place: Place, ready: bool) -> Place:
    """Make a database, or a schema in a shard. It is noted before there is one: what happens there is no part of a
    transaction here, and a process may be killed right after."""
    wanted = {"isolation": place.isolation, "database": place.database}
    place, _ = Place.objects.get_or_create(pk=place.uid, defaults=wanted)
    began = time.monotonic()
    try:
        if place.isolation == TenantIsolation.DATABASE:
            make_database(place.uid, place.database)
            names = databases.applied_in(place.uid, place.database)
        else:
            with schemas_on(place.database) as connection:
                names = make_schema(connection, schema_name(place.uid))
                _fill(connection, schema_name(place.uid))
    except Exception as error:
        note_failure(place, error)
        raise
    place.state = PlaceState.READY if ready else PlaceState.MAKING
    note(place, names, began)
    return Place.objects.get(pk=place.uid)


def take_place(isolation: str, server: str = "", uid: UUID | None = None) -> UUID | None:
    """Take the place of that uid, or any that is ready, in the caller's transaction; the uid for its tenant. None
    where there is no such place. Two callers never get the same one."""
    connection = connections[router.db_for_write(Place)]
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(Place._meta.db_table)
        cursor.execute(sql.TAKE.format(place=table), {"isolation": isolation, "server": server, "uid": uid})
        found = cursor.fetchone()
    return None if found is None else found[0]


def has_ready_place(isolation: str, server: str = "") -> bool:
    """Whether anybody could take a place now."""
    return Place.objects.filter(isolation=isolation, database=server, state=PlaceState.READY).exists()
