"""Cached pages: the page of one tenant is never served to another.

Where the host or the path names the tenant, the address does, and with it Django's cache key. Elsewhere
`Vary` has to name the headers before a page is stored. `UpdateCacheMiddleware` stores after our
middleware has added them. `@cache_page` stores right at the view, where no middleware comes between; so
there a page is not stored at all, unless `@vary_on_tenant` stands under `@cache_page` and has added them.
Nor is a page stored that was made for a client who named the tenant and has not been let in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers


class _StoredWithCare:
    """Mixin for requests. Django's cache asks this attribute of the request whether to store the page."""

    @property
    def _cache_update_cache(self) -> bool:
        state = self.__dict__
        return bool(state.get("_tenantkit_may_store") and state["_tenantkit"].may_store())

    @_cache_update_cache.setter
    def _cache_update_cache(self, value: bool) -> None:
        self.__dict__["_tenantkit_may_store"] = value


@lru_cache(maxsize=16)
def _careful(kind: type) -> type:
    return type(kind.__name__, (_StoredWithCare, kind), {"__module__": kind.__module__})


def store_with_care(request: Any) -> None:
    """Keep Django's cache from storing the page of `request` unless its visit says that it may."""
    if not isinstance(request, _StoredWithCare):
        request.__class__ = _careful(request.__class__)


def add_vary(response: HttpResponseBase, headers: tuple[str, ...], by_session: bool) -> None:
    """Name `headers` in the response's `Vary`. Where the session was asked, it may be cached by the client
    only: the cookie stays the same when the session comes to name another tenant."""
    patch_vary_headers(response, headers)
    if by_session:
        patch_cache_control(response, private=True)
