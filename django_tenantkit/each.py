"""All tenants, wherever their rows live: what `unscoped()` cannot do where some have a schema or a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connections, router

from .caches import home_at_work
from .conf import conf
from .context import contained, tenant_context, unscoped
from .exceptions import TenantsFailed

R = TypeVar("R")

#: Tenants without rows, or with rows that nobody should touch.
_LEFT_OUT = ("provisioning", "erasing", "erased")


def for_each_tenant(function: Callable[[Any], R], *, reason: str, tenants: Iterable[Any] | None = None) -> dict[Any, R]:
    """Call `function(tenant)` inside each tenant, one after the other, and return what it gave, by tenant.

    All tenants, or those given: whatever their isolation, in order of their slugs, without those that are half
    made or erased. `reason` is logged, as that of `unscoped()`. Where it fails in some, the others follow all the
    same; then `TenantsFailed` is raised, which has `results` and `errors`. In a migration it means the tenants whose
    rows are in the tables that are being migrated.
    """
    results, errors = {}, {}
    for tenant in _chosen(reason, tenants):
        try:
            with contained("for_each_tenant"), tenant_context(tenant):
                results[tenant] = function(tenant)
        except Exception as error:
            errors[tenant] = error
    return _told(results, errors)


async def afor_each_tenant(
    function: Callable[[Any], Awaitable[R]], *, reason: str, tenants: Iterable[Any] | None = None
) -> dict[Any, R]:
    """`for_each_tenant` for a coroutine function."""
    results, errors = {}, {}
    for tenant in await sync_to_async(_chosen)(reason, tenants):
        try:
            with contained("afor_each_tenant"), tenant_context(tenant):
                results[tenant] = await function(tenant)
        except Exception as error:
            errors[tenant] = error
    return _told(results, errors)


def _chosen(reason: str, tenants: Iterable[Any] | None) -> list[Any]:
    with unscoped(reason=reason):
        if tenants is not None:
            return list(tenants)
        model: Any = apps.get_model(conf.TENANT_MODEL)
        found = model._base_manager.exclude(status__in=_LEFT_OUT).order_by("slug")
        connection: Any = connections[router.db_for_read(model)]
        return [tenant for tenant in found if _is_here(tenant, connection)]


def _is_here(tenant: Any, connection: Any) -> bool:
    """Whether a migration that is under way is about the tenant's tables; True outside of migrations."""
    if getattr(connection, "login", "") != "system":
        return True
    home = tenant.home
    return home_at_work() == ("" if home is None else home.schema or home.database)


def _told(results: dict[Any, R], errors: dict[Any, Exception]) -> dict[Any, R]:
    if errors:
        raise TenantsFailed(results, errors)
    return results
