"""On which server a new tenant is put, where its provisioning does not say: policies for TENANTKIT_PLACEMENT.

A policy is a function `policy(isolation, plan)` that returns a name in TENANTKIT_SERVERS, or "" for the main one. Row
tenants are on the main one only: for them ours return "".
"""

from __future__ import annotations

from collections import Counter

from ..conf import conf
from ..context import unscoped
from ..models import TenantIsolation, TenantStatus, get_tenant_model
from .places import has_ready_place
from .shards import number_of_schemas


def main_server(isolation: str, plan: str) -> str:
    """Always the main server."""
    return ""


def fewest_tenants(isolation: str, plan: str) -> str:
    """The server with the fewest tenants of that isolation. One that has as many schemas as TENANTKIT_SCHEMA_LIMIT
    allows, and none ready, is passed over while another has room."""
    if isolation == TenantIsolation.ROW:
        return ""
    with unscoped(reason="placement of a new tenant"):
        tenants = get_tenant_model()._default_manager.exclude(status=TenantStatus.ERASED).filter(isolation=isolation)
        found = Counter(tenants.values_list("database", flat=True))
        return min(["", *conf.SERVERS], key=lambda server: (_is_full(isolation, server), found[server]))


def by_plan(isolation: str, plan: str) -> str:
    """The server that TENANTKIT_PLACEMENT_PLANS names for the plan; the main one for other plans."""
    return "" if isolation == TenantIsolation.ROW else conf.PLACEMENT_PLANS.get(plan, "")


def _is_full(isolation: str, server: str) -> bool:
    if isolation != TenantIsolation.SCHEMA or number_of_schemas(server) < conf.SCHEMA_LIMIT:
        return False
    return not has_ready_place(isolation, server)
