"""On which server a new tenant is put, where its provisioning does not say: policies for TENANTKIT_PLACEMENT.

A policy is a function `policy(isolation, plan)` that returns a name in TENANTKIT_SERVERS, or "" for the main one.
On other servers tenants live in databases of their own only: for other isolations ours return "".
"""

from __future__ import annotations

from collections import Counter

from ..conf import conf
from ..context import unscoped
from ..models import TenantIsolation, TenantStatus, get_tenant_model


def main_server(isolation: str, plan: str) -> str:
    """Always the main server."""
    return ""


def fewest_tenants(isolation: str, plan: str) -> str:
    """The server with the fewest tenants of that isolation. The main one for tenants without a database."""
    if isolation != TenantIsolation.DATABASE:
        return ""
    with unscoped(reason="placement of a new tenant"):
        tenants = get_tenant_model()._default_manager.exclude(status=TenantStatus.ERASED).filter(isolation=isolation)
        found = Counter(tenants.values_list("database", flat=True))
    return min(["", *conf.SERVERS], key=lambda server: found[server])


def by_plan(isolation: str, plan: str) -> str:
    """The server that TENANTKIT_PLACEMENT_PLANS names for the plan; the main one for other plans, and for tenants
    without a database."""
    return "" if isolation != TenantIsolation.DATABASE else conf.PLACEMENT_PLANS.get(plan, "")
