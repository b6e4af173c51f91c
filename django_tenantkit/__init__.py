"""Multi-tenant Django: every query, form, serializer and task belongs to the current tenant."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .context import carry_tenant, get_current_tenant, require_tenant, tenant_context, unscoped

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """What needs Django is imported when it is asked for: pytest imports our plugin before Django is to be."""
    if name in ("afor_each_tenant", "for_each_tenant"):
        return getattr(import_module(".each", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
