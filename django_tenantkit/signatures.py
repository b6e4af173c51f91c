"""A SECRET_KEY for each tenant, derived from one. What Django signs with it in a tenant is nothing in another."""

from __future__ import annotations

from .caches import whose


class TenantSecretKey(str):
    """`SECRET_KEY = TenantSecretKey("...")`, for projects whose tenants have users of their own.

    Django makes bytes of the key whenever it signs or checks something: a cookie, a link to set a password, a hash in a
    session. That is where the tenant comes in, so a signature is good in the tenant where it was made. Without a tenant
    it is the key itself. Code that calls `encode()` on the setting gets the plain key, as do other packages' tokens.
    """

    __slots__ = ()

    def __str__(self) -> str:
        plain = super().__str__()
        return f"{plain}:{owner}" if (owner := whose()) else plain
