"""Multi-tenant Django: every query, form, serializer and task belongs to the current tenant."""

from .context import carry_tenant, get_current_tenant, require_tenant, tenant_context, unscoped
from .each import afor_each_tenant, for_each_tenant

__version__ = "0.1.0"

__all__ = [
    "afor_each_tenant",
    "carry_tenant",
    "for_each_tenant",
    "get_current_tenant",
    "require_tenant",
    "tenant_context",
    "unscoped",
]
