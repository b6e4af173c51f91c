"""Multi-tenant Django: every query, form, serializer and task belongs to the current tenant."""

from .context import carry_tenant, get_current_tenant, require_tenant, tenant_context, unscoped

__version__ = "0.1.0"

__all__ = ["carry_tenant", "get_current_tenant", "require_tenant", "tenant_context", "unscoped"]
