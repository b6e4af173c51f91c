"""Homes that tenants leave: put out of reach under another name, brought back, or dropped when their grace is over.

The ledger comes first: a place says that it is leaving before its home is renamed, and that it is gone when there is
nothing left. Each step can be done twice, so whoever was killed is followed by the same call again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from ..conf import conf
from ..exceptions import HomeMissing, TenantkitError
from ..isolation.copying import push_changes
from ..isolation.schema import left_name, schema_name
from ..models import Place, PlaceState, TenantIsolation, TenantStatus
from ..sql.common import fill
from ..sql.homes import drop_schema
from . import databases
from .alone import alone
from .move.leaving import drop_rows
from .shards import has_schema, main_connection, rename_in, schemas_on
from .sweeping import sweep


def leave_place(tenant: Any, days: int | None = None, *, dry_run: bool = False) -> Place:
    """Put the schema or the database of a tenant out of reach under another name, to be dropped after `days`
    (TENANTKIT_GRACE_DAYS). Until then `return_place()` brings it back. By the system's login, outside of transactions.
    Called again it goes on where it stopped. Raises `TenantkitError` unless the tenant is suspended, in maintenance or
    on its way out, and where somebody is connected whom the system may not send away."""
    if tenant.status in (TenantStatus.ACTIVE, TenantStatus.PROVISIONING):
        raise TenantkitError(
            f"The tenant {tenant.slug!r} is {tenant.status}, and its {tenant.isolation} in use. First: "
            f"`suspend_tenant {tenant.slug}`."
        )
    with _at(tenant.uid, PlaceState.TAKEN, PlaceState.LEAVING) as place:
        if not _is_there(place):
            raise HomeMissing(f"The {place.isolation} of the tenant {tenant.slug!r} is not there. Nothing was changed.")
        if dry_run:
            return place
        if place.drop_after is None or days is not None:
            place.drop_after = timezone.now() + timedelta(days=conf.GRACE_DAYS if days is None else days)
        _note(place, PlaceState.LEAVING)
        _put_away(place)
    return place


def return_place(tenant: Any, *, dry_run: bool = False) -> Place:
    """Bring back the schema or the database of a tenant that was put out of reach."""
    with _at(tenant.uid, PlaceState.LEAVING) as place:
        if not _is_there(place):
            raise HomeMissing(
                f"The {place.isolation} of the tenant {tenant.slug!r} is not there any more. Restore it from a backup."
            )
        if dry_run:
            return place
        place.drop_after = None  # from here on nobody drops it
        _note(place, PlaceState.LEAVING)
        if place.isolation == TenantIsolation.DATABASE:
            databases.bring_back(place.uid, place.database)
        else:
            rename_in(place.database, left_name(place.uid), schema_name(place.uid))
            with schemas_on(place.database) as connection, connection.cursor() as cursor:
                cursor.execute(fill(schema_name(place.uid)))
        _note(place, PlaceState.TAKEN)
    if place.isolation == TenantIsolation.DATABASE:
        push_changes()
    return place


def left_places() -> list[UUID]:
    """The places that are leaving, by uid, but for those that somebody is bringing back."""
    found = Place.objects.filter(state=PlaceState.LEAVING, drop_after__isnull=False)
    return list(found.values_list("pk", flat=True))


def drop_if_over(uid: UUID) -> Place | None:
    """Drop the home of a place that is leaving, if its grace is over, and return the place. Before that it is put out
    of reach, if it is not. By the system's login, outside of transactions. What goes wrong is kept in `Place.error`
    and raised."""
    with _at(uid, PlaceState.LEAVING, PlaceState.TAKEN, PlaceState.GONE) as place:
        if place.state != PlaceState.LEAVING or place.drop_after is None:
            return None
        try:
            _put_away(place)
            if place.drop_after > timezone.now():
                return None
            _drop(place)
        except Exception as error:
            Place.objects.filter(pk=uid).update(error=f"{type(error).__name__}: {error}")
            raise
        _note(place, PlaceState.GONE)
    return place


def drop_left_places() -> list[Place]:
    """Drop what `left_places()` names and whose grace is over, and return those places. The first that fails raises."""
    return [place for uid in left_places() if (place := drop_if_over(uid)) is not None]


def drop_at_once(tenant: Any) -> None:
    """Drop what the tenant left when it moved, whatever its grace: it is being erased."""
    left = Place.objects.filter(left_by=tenant.uid, state=PlaceState.LEAVING)
    left.update(drop_after=timezone.now())
    for uid in left.values_list("pk", flat=True):
        drop_if_over(uid)


@contextmanager
def _at(uid: UUID, *states: PlaceState) -> Iterator[Place]:
    """A place in one of these states, with the system's login, while nobody else works on it."""
    connection = main_connection()
    with connection.as_system(), alone(connection, uid):
        place = Place.objects.filter(pk=uid, state__in=states).first()
        if place is None:
            wanted = " or ".join(states)
            raise TenantkitError(f"There is no place {uid} that is {wanted}. `list_tenants` shows where tenants are.")
        yield place


def _note(place: Place, state: PlaceState) -> None:
    place.state, place.error = state, ""
    place.save(update_fields=["state", "drop_after", "error", "updated_at"])


def _is_there(place: Place) -> bool:
    if place.isolation == TenantIsolation.DATABASE:
        return databases.is_there(place.uid, place.database)
    with schemas_on(place.database) as connection:
        return any(has_schema(connection, name) for name in (schema_name(place.uid), left_name(place.uid)))


def _put_away(place: Place) -> None:
    if place.isolation == TenantIsolation.DATABASE:
        databases.put_away(place.uid, place.database)
    elif place.isolation == TenantIsolation.SCHEMA:
        rename_in(place.database, schema_name(place.uid), left_name(place.uid))


def _drop(place: Place) -> None:
    if place.isolation == TenantIsolation.DATABASE:
        databases.drop_left(place.uid, place.database)
    elif place.isolation == TenantIsolation.SCHEMA:
        with schemas_on(place.database) as connection, connection.cursor() as cursor:
            cursor.execute(drop_schema(left_name(place.uid)))
        if place.database:
            sweep(place.database)
    else:
        drop_rows(place)
