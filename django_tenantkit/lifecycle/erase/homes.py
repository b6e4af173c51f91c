"""The schemas and databases of a tenant: fenced while it is erased, and dropped, also those that it left before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import connections
from django.utils import timezone

from ...conf import conf
from ...context import tenant_context
from ...exceptions import HomeMissing
from ...isolation import Home
from ...isolation.entries import allows_databases, is_shard, server_of
from ...models import Place, PlaceState
from ...sql.fence import OPEN
from ...sql.homes import drop_schema
from .. import databases
from ..alone import alone
from ..fence import fence, set_fence
from ..leaving import drop_at_once, return_place
from ..reach import is_home_schema, main_alias, own_tables, shards


def homes_of(tenant: Any) -> list[str]:
    """The tenant's schemas and databases that are there, in words."""
    schemas = [one for one in own_tables(tenant.uid) if is_home_schema(one.schema)]
    found = [f"schema {one.schema} on {server_of(one.alias) or main_alias()}" for one in schemas]
    return found + [f"database on {server or main_alias()}" for server in _servers_with_database(tenant)]


def left_homes_of(tenant: Any) -> list[str]:
    """What the tenant left when it moved and that is not dropped yet, in words."""
    left = Place.objects.filter(left_by=tenant.uid).exclude(state=PlaceState.GONE)
    return [f"{place.isolation} {place.uid}, left when it moved" for place in left]


def fence_off(tenant: Any) -> None:
    """See to it that nobody writes rows of the tenant any more, whatever a process believes. A home that was put away
    is brought back first: its rows say which files there are. What it left when it moved goes at once: its rows are
    another time where it lives now, and would be counted twice."""
    if not _has_fences():
        return
    place = Place.objects.filter(pk=tenant.uid, isolation=tenant.isolation).first()
    if place is not None and place.state == PlaceState.LEAVING:
        return_place(tenant)
    with suppress(HomeMissing):
        fence(tenant)
    drop_at_once(tenant)


def lift_fences(tenant: Any, since: datetime) -> None:
    """Take the fences off the tables that tenants share, once no process can believe any more that the tenant is at
    work, as it did at `since`: each looks it up anew after TENANTKIT_LOOKUP_SECONDS. Fences would add up otherwise."""
    if _has_fences():
        time.sleep(max(0.0, conf.LOOKUP_SECONDS - (timezone.now() - since).total_seconds()))
        for home in (None, *(Home(database=alias, shared=True) for alias in shards())):
            set_fence(tenant, OPEN, home)


def drop_homes(tenant: Any) -> None:
    """Drop them. Outside of transactions. A statement that is under way in a schema ends first; whoever is connected
    to a database is sent away."""
    with tenant_context(None):
        main: Any = connections[main_alias()]
        if main.vendor != "postgresql":
            return
        with main.as_system(), alone(main, tenant.uid):
            for tables in own_tables(tenant.uid):
                if is_home_schema(tables.schema):
                    with tables.cursor() as cursor:
                        cursor.execute(drop_schema(tables.schema))
            for server in _servers_with_database(tenant):
                databases.drop_database(tenant.uid, server)
                databases.drop_left(tenant.uid, server)
            Place.objects.filter(pk=tenant.uid).update(state=PlaceState.GONE, drop_after=None, error="")


def shards_of(tenant: Any) -> set[str]:
    """The servers with a shard in which the tenant has a schema."""
    return {server_of(one.alias) for one in own_tables(tenant.uid) if is_shard(one.alias)}


def _servers_with_database(tenant: Any) -> Iterator[str]:
    for server in ("", *conf.SERVERS) if allows_databases() else ():
        if databases.is_there(tenant.uid, server):
            yield server


def _has_fences() -> bool:
    return connections[main_alias()].vendor == "postgresql"
