"""Places: the schemas and databases of tenants, made beforehand or for a job, and taken once."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import Error, connections, router

from ..conf import conf
from ..exceptions import TenantkitError
from ..isolation.schema import schema_name
from ..models import MigrationState, Place, PlaceState, TenantIsolation
from ..sql import places as sql
from ..sql.common import fill
from ..sql.homes import FIND_HOME, quoted
from . import databases, homes
from .alone import alone
from .finished import finished
from .signing import sign_home
from .templates import make_database


def make_place(isolation: str, server: str = "", uid: UUID | None = None, *, ready: bool = True) -> Place:
    """Make a schema or a database with all tables of tenants, or complete a half-made one, and return its place.
    `uid` names the place and the tenant that takes it; a new one without. With `ready` anybody may take it,
    otherwise whoever knows the uid.

    By the system's login, so outside of transactions. What goes wrong is kept in `Place.error` and raised.
    """
    if isolation == TenantIsolation.ROW or (server and isolation != TenantIsolation.DATABASE):
        raise TenantkitError(
            f"No place of the isolation {isolation!r} can be made on {server or 'the main server'}. There are schemas "
            "on the main server, and databases on each."
        )
    connection: Any = connections[router.db_for_write(Place)]
    with connection.as_system():
        _refuse_too_many(server)
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


def _refuse_too_many(server: str) -> None:
    places = Place.objects.filter(isolation=TenantIsolation.SCHEMA, database=server)
    found = places.exclude(state=PlaceState.GONE).count()
    if found >= conf.SCHEMA_LIMIT:
        raise TenantkitError(
            f"There are {found} schemas of tenants on {server or 'the main server'}, as many as TENANTKIT_SCHEMA_LIMIT "
            "allows. Give the next tenants databases, or raise it: see the guide of isolations for what it costs."
        )


def _make(connection: Any, place: Place, ready: bool, *, is_new: bool = False) -> Place:
    """Make a home and note it, all in one message, or else by migrations. Of one that `is_new` nothing can be there."""
    if place.isolation == TenantIsolation.DATABASE:
        return _make_database(place, ready)
    schema = schema_name(place.uid)
    place.state = PlaceState.READY if ready else PlaceState.MAKING
    try:
        made = finished(connection)
        if made.snapshot is None or (not is_new and _is_begun(connection, schema)):
            _migrate(connection, place, schema)
        else:
            table = connection.ops.quote_name(Place._meta.db_table)
            noted, timed = sql.made(table, place, made.digest)
            with connection.cursor() as cursor:
                cursor.execute(f"{noted};\n{made.snapshot.script(schema)}\n{fill(schema)};\n{timed}")
    except Exception as error:
        _note_failure(place, error)
        raise
    return Place.objects.get(pk=place.uid)


def _is_begun(connection: Any, schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(FIND_HOME, [quoted(schema), quoted(schema)])
        return bool(cursor.fetchone()[0])


def _make_database(place: Place, ready: bool) -> Place:
    """Make a database. It is noted before there is one: CREATE DATABASE is no part of a transaction, and a process
    may be killed right after."""
    wanted = {"isolation": place.isolation, "database": place.database}
    place, _ = Place.objects.get_or_create(pk=place.uid, defaults=wanted)
    began = time.monotonic()
    try:
        make_database(place.uid, place.database)
    except Exception as error:
        _note_failure(place, error)
        raise
    place.state = PlaceState.READY if ready else PlaceState.MAKING
    _note(place, databases.applied_in(place.uid, place.database), began)
    return Place.objects.get(pk=place.uid)


def _migrate(connection: Any, place: Place, schema: str) -> None:
    began = time.monotonic()
    homes.migrate_home(connection, schema)
    sign_home(connection, schema)
    with connection.cursor() as cursor:
        cursor.execute(fill(schema))
    _note(place, homes.applied_in(connection, schema), began)


def _note(place: Place, names: list[str], began: float) -> None:
    digest = homes.digest_of(names)
    MigrationState.objects.get_or_create(digest=digest, defaults={"names": names})
    seconds = round(time.monotonic() - began, 3)
    noted = {
        "state": place.state,
        "migrations": digest,
        "seconds": seconds,
        "attempts": place.attempts + 1,
        "error": "",
    }
    Place.objects.update_or_create(
        pk=place.uid,
        defaults=noted,
        create_defaults={**noted, "isolation": place.isolation, "database": place.database},
    )


def _note_failure(place: Place, error: Exception) -> None:
    with suppress(Error):  # where the database is out of reach, that is what is raised
        place.state, place.attempts = PlaceState.MAKING, place.attempts + 1
        place.error = f"{type(error).__name__}: {error}"
        place.save()


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
