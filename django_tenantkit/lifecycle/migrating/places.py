"""How a home is reached, whatever its isolation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...exceptions import TenantkitError
from ...isolation.schema import schema_name
from ...models import Place, TenantIsolation
from .homely import Home
from .survey import main_connection


@contextmanager
def reach(place: Place, tenant: Any) -> Iterator[Home]:
    """The home of a place, with this thread's connection to it. Raises `TenantkitError` for an isolation whose homes
    cannot be migrated."""
    if place.isolation != TenantIsolation.SCHEMA or place.database:
        raise TenantkitError(f"Places of the isolation {place.isolation!r} cannot be migrated.")
    yield Home(main_connection(), schema_name(place.uid), place.uid, tenant)
