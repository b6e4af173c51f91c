"""Places: the schemas and databases of tenants, made beforehand or for a job, and taken once."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.db import connections, router
from django.utils import timezone

from ..exceptions import TenantkitError
from ..fields import uuid7
from ..isolation.schema import schema_name
from ..models import MigrationState, Place, PlaceState, TenantIsolation
from . import homes


def make_place(isolation: str, server: str = "", uid: UUID | None = None, *, ready: bool = True) -> Place:
    """Make a schema with all tables of tenants, or complete a half-made one, and return its place. `uid` names the
    place and the tenant that takes it; a new one without. With `ready` anybody may take it, otherwise whoever
    knows the uid.

    By the system's login, so outside of transactions. What goes wrong is kept in `Place.error` and raised.
    """
    if isolation != TenantIsolation.SCHEMA or server:
        raise TenantkitError(f"No place of the isolation {isolation!r} can be made on {server or 'the main server'}.")
    connection: Any = connections[router.db_for_write(Place)]
    with connection.as_system():
        place, _ = Place.objects.get_or_create(pk=uid or uuid7(), defaults={"isolation": isolation, "database": server})
        if place.state == PlaceState.MAKING:
            _make(connection, place)
            if ready:
                place.state = PlaceState.READY
                place.save(update_fields=["state", "updated_at"])
    return place


def _make(connection: Any, place: Place) -> None:
    began = time.monotonic()
    place.attempts += 1
    place.save(update_fields=["attempts", "updated_at"])
    try:
        homes.migrate_home(connection, schema_name(place.uid))
    except Exception as error:
        place.error = f"{type(error).__name__}: {error}"
        place.save(update_fields=["error", "updated_at"])
        raise
    names = homes.applied_in(connection, schema_name(place.uid))
    digest = homes.digest_of(names)
    MigrationState.objects.get_or_create(digest=digest, defaults={"names": names})
    place.migrations, place.error, place.seconds = digest, "", round(time.monotonic() - began, 3)
    place.save(update_fields=["migrations", "error", "seconds", "updated_at"])


def take_place(isolation: str, server: str = "", uid: UUID | None = None) -> UUID | None:
    """Take the place of that uid, or any that is ready, in the caller's transaction; the uid for its tenant. None
    where there is no such place. Two callers never get the same one."""
    places = Place.objects.filter(isolation=isolation, database=server)
    if uid is None:
        free = places.filter(state=PlaceState.READY)
    else:
        free = places.filter(pk=uid, state__in=[PlaceState.MAKING, PlaceState.READY]).exclude(migrations="")
    one = free.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True).first()
    if one is not None:
        Place.objects.filter(pk=one).update(state=PlaceState.TAKEN, taken_at=timezone.now())
    return one


def has_ready_place(isolation: str, server: str = "") -> bool:
    """Whether anybody could take a place now."""
    return Place.objects.filter(isolation=isolation, database=server, state=PlaceState.READY).exists()
