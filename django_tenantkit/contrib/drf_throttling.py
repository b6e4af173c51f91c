"""Throttles of Django REST framework that count each tenant by itself.

A module of their own: named in `DEFAULT_THROTTLE_CLASSES`, they are imported while DRF's views are being
made, so nothing here may import those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import throttling

from ..context import get_current_tenant, require_tenant
from ..exceptions import TenantAccessDenied

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class TenantThrottleMixin:
    """Mixin for any throttle that counts by a key: the same user or address is counted in each tenant by
    itself. Requests without a tenant are counted together, and with them those who may not act in theirs:
    each name that they make up would have a count of its own."""

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """The key of the class it is mixed into, in the tenant's name."""
        key: str | None = super().get_cache_key(request, view)  # type: ignore[misc]
        if key is None or get_current_tenant() is None:
            return key
        try:
            return f"{require_tenant().uid}:{key}"
        except TenantAccessDenied:
            return key


class TenantUserRateThrottle(TenantThrottleMixin, throttling.UserRateThrottle):
    """Limits each user, or each address of anonymous ones, within a tenant. Scope: `user`."""


class TenantAnonRateThrottle(TenantThrottleMixin, throttling.AnonRateThrottle):
    """Limits each address of anonymous users within a tenant. Scope: `anon`."""


class TenantScopedRateThrottle(TenantThrottleMixin, throttling.ScopedRateThrottle):
    """Limits each user within a tenant in the views of one `throttle_scope`."""


class TenantRateThrottle(throttling.SimpleRateThrottle):
    """Limits a tenant as a whole, all its users together. Scope: `tenant`."""

    scope = "tenant"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """The tenant's key; None, which is not limited, without a tenant. Raises `TenantAccessDenied` for
        those who may not act in the tenant: they do not use up what it is allowed."""
        if get_current_tenant() is None:
            return None
        return f"{require_tenant().uid}:{self.cache_format % {'scope': self.scope, 'ident': 'all'}}"
