"""What a tenant leaves behind: out of reach, kept until its grace is over, then removed.

A place is called after a tenant's uid. So the place that is left gets a uid of its own, that of the job, and its
schema or database the name that follows from it. Rows in shared tables have such a place too: they stay behind a
closed fence.
"""

from __future__ import annotations

from typing import Any

from ...exceptions import TenantkitError
from ...isolation.schema import left_name
from ...models import Place, PlaceState, TenantIsolation, get_tenant_model
from ...sql import moving as sql
from ...sql.fence import CLOSED, OPEN
from .. import databases
from ..contents import Content, contents
from ..fence import set_fence
from ..shards import rename_in
from .remapping import forget_keys
from .sides import Side, Spot, opened

#: How many rows are removed at a time.
BATCH = 5_000


def put_away(tenant: Any, spot: Spot, left: Any) -> None:
    """Put what the tenant left at `spot` out of reach; a schema of the main database was renamed when the tenant
    changed. Outside of transactions; done before, it does nothing."""
    if spot.is_shared:
        set_fence(tenant, CLOSED, spot.home)
    elif spot.isolation == TenantIsolation.DATABASE:
        databases.put_away(spot.uid, spot.server, left_as=left)
    elif spot.server:
        rename_in(spot.server, spot.schema, left_name(left))


def discard_rows(tenant: Any, spot: Spot) -> None:
    """Remove the rows that the tenant left in shared tables before, as it comes back."""
    for place in _left_at(tenant, spot):
        drop_rows(place)
        Place.objects.filter(pk=place.pk).update(state=PlaceState.GONE)


def drop_half_copied(tenant: Any, spot: Spot) -> None:
    """Remove what was copied into shared tables of a tenant that does not come after all. What it left there before
    stays for its grace, where that has not gone yet."""
    if not _left_at(tenant, spot).exists():
        _drop_rows(tenant, spot)
        with opened(spot) as (main, _):
            forget_keys(main, tenant.uid)


def drop_rows(place: Place) -> None:
    """Remove the rows of a tenant that left shared tables, in batches, with their fence. As the system. Raises
    `TenantkitError` where the tenant lives there again."""
    tenant = get_tenant_model()._base_manager.get(uid=place.left_by)
    _drop_rows(tenant, Spot(place.isolation, place.database, tenant.uid))


def _left_at(tenant: Any, spot: Spot) -> Any:
    return Place.objects.filter(
        left_by=tenant.uid, isolation=spot.isolation, database=spot.server, state=PlaceState.LEAVING
    )


def _drop_rows(tenant: Any, spot: Spot) -> None:
    if spot == Spot.of(tenant):
        raise TenantkitError(f"The tenant {tenant.slug!r} lives in shared tables: its rows there are not left ones.")
    with opened(spot) as (_, (side,)):
        at_once = _in_circles()
        ordered = [content for content in reversed(contents()) if content.tenant]
        for content in ordered:
            while content.model not in at_once and _delete(side, content, tenant.pk, BATCH):
                pass
        with side.raw.transaction():
            side.raw.execute("SET CONSTRAINTS ALL DEFERRED")
            for content in ordered:
                while content.model in at_once and _delete(side, content, tenant.pk, BATCH):
                    pass
    set_fence(tenant, OPEN, spot.home)


def _delete(side: Side, content: Content, key: Any, limit: int) -> int:
    where = sql.own("t", content.tenant.column, str(key))
    return int(side.raw.execute(sql.delete_some(side.path(content.table), where, limit)).rowcount)


def _in_circles() -> set[Any]:
    """The models whose rows go in one transaction: those that refer to each other in circles, and what they refer to.
    From all others rows can be removed batch by batch, if those that refer to them go first."""
    targets = {content.model: {one.target for one in content.references if one.is_at_home} for content in contents()}

    def reached(model: Any) -> set[Any]:
        found: set[Any] = set()
        waiting = [model]
        while waiting:
            new = targets.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    circles = {model for model in targets if model in reached(model)}
    return circles.union(*(reached(model) for model in circles))
