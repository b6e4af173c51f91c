"""Test clients that talk to a tenant's host."""

from __future__ import annotations

from typing import Any

from django.test import AsyncClient, Client

from ..context import TenantLike, tenant_context
from ..names import slug_host


class TenantClientMixin:
    """What the clients have in common; for a client class of your own, put it in front of Django's.

    Requests go to `tenant`'s host, and logging in binds the session to it, as a login there would.
    They start with no tenant, like requests from outside, even where the test itself runs in one.
    `tenant` can be set later; with None the client is an ordinary one.
    """

    def __init__(self, tenant: TenantLike | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant

    @property
    def host(self) -> str:
        """The host that requests are sent to, unless they name another."""
        return "testserver" if self.tenant is None else slug_host(self.tenant.slug)

    def login(self, **credentials: Any) -> bool:
        """Log in as Django's client does, at the tenant's host."""
        with tenant_context(self.tenant):
            return super().login(**credentials)  # type: ignore[misc,no-any-return]

    def force_login(self, user: Any, backend: str | None = None) -> None:
        """Log in without a password, at the tenant's host."""
        with tenant_context(self.tenant):
            super().force_login(user, backend)  # type: ignore[misc]

    async def alogin(self, **credentials: Any) -> bool:
        """See `login`."""
        with tenant_context(self.tenant):
            return await super().alogin(**credentials)  # type: ignore[misc,no-any-return]

    async def aforce_login(self, user: Any, backend: str | None = None) -> None:
        """See `force_login`."""
        with tenant_context(self.tenant):
            await super().aforce_login(user, backend)  # type: ignore[misc]


class _SyncRequests(TenantClientMixin):
    def request(self, **request: Any) -> Any:
        """Send it, to the tenant's host."""
        defaults: dict[str, Any] = self.defaults  # type: ignore[attr-defined]
        if "HTTP_HOST" not in defaults:
            request.setdefault("HTTP_HOST", self.host)
        with tenant_context(None):
            return super().request(**request)  # type: ignore[misc]


class TenantClient(_SyncRequests, Client):
    """Django's test client at a tenant's host: `TenantClient(tenant).get("/")`."""


class TenantAsyncClient(TenantClientMixin, AsyncClient):
    """Django's async test client at a tenant's host: `await TenantAsyncClient(tenant).get("/")`."""

    async def request(self, **request: Any) -> Any:
        """Send it, to the tenant's host."""
        # Django names `testserver` first and adds what the caller gives; two hosts would be one bad one.
        headers = [header for header in request["headers"] if header != (b"host", b"testserver")]
        if not any(name == b"host" for name, _ in headers):
            headers.append((b"host", self.host.encode("ascii")))
        with tenant_context(None):
            return await super().request(**{**request, "headers": headers})
