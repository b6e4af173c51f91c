"""How many connections a tenant's database takes from all processes together, by the tenant's plan: PostgreSQL's
CONNECTION LIMIT. `fill_pool` runs this, as who signs up has no right to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import connections, router

from ..conf import conf
from ..isolation.entries import allows_databases, database_alias
from ..models import TenantIsolation, TenantStatus, get_tenant_model
from ..sql import databases as sql


def limit_of(plan: str) -> int | None:
    """The limit of a tenant with that plan; None: no limit."""
    return conf.DATABASE_LIMITS.get(plan, conf.DATABASE_LIMIT)


def apply_limits(tenants: Iterable[Any] | None = None) -> list[str]:
    """Give the databases of tenants the limits of their plans, of all or of some, where they have others. Returns the
    slugs of those tenants. As the system, outside of transactions. A database that is not there is left out."""
    if not allows_databases() or not conf.DATABASE_LIMITS:
        return []
    model = get_tenant_model()
    if tenants is None:
        main: Any = connections[router.db_for_read(model)]
        with main.as_system():
            found = model._base_manager.filter(isolation=TenantIsolation.DATABASE)
            tenants = list(found.exclude(status=TenantStatus.ERASED))
    by_server: dict[str, list[Any]] = defaultdict(list)
    for tenant in tenants:
        by_server[tenant.database].append(tenant)
    return sorted(slug for some in by_server.values() for slug in _applied(some))


def _applied(tenants: list[Any]) -> list[str]:
    """The same on one server, with one question."""
    names = {str(_entry(tenant)["NAME"]): tenant for tenant in tenants}
    changed = []
    first: Any = connections[database_alias(tenants[0].uid, tenants[0].database)]
    with first._nodb_cursor() as cursor:
        cursor.execute(sql.LIMITS, [list(names)])
        for name, limit in cursor.fetchall():
            wanted = limit_of(names[name].plan)
            if limit != (-1 if wanted is None else wanted):
                cursor.execute(sql.limit(name, wanted))
                changed.append(names[name].slug)
    return changed


def _entry(tenant: Any) -> dict[str, Any]:
    found: dict[str, Any] = connections.settings[database_alias(tenant.uid, tenant.database)]
    return found
