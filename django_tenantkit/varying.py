"""Cached pages: the page of one tenant is never served to another.

Where the host or the path names the tenant, the address does, and with it Django's cache key. Elsewhere
`Vary` has to name the headers before a page is stored. `UpdateCacheMiddleware` stores after our
middleware has added them. `@cache_page` stores right at the view, where no middleware comes between; so
there a page is not stored at all, unless `@vary_on_tenant` stands under `@cache_page` and has added them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers


class _StoredWithVary:
    """Mixin for requests. Django's cache asks this attribute of the request whether to store the page."""

    @property
    def _cache_update_cache(self) -> bool:
        state = self.__dict__
        return bool(state.get("_tenantkit_may_store") and state.get("_tenantkit_varies"))

    @_cache_update_cache.setter
    def _cache_update_cache(self, value: bool) -> None:
        self.__dict__["_tenantkit_may_store"] = value


@lru_cache(maxsize=16)
def _guarded(kind: type) -> type:
    return type(kind.__name__, (_StoredWithVary, kind), {"__module__": kind.__module__})


def store_only_with_vary(request: Any) -> None:
    """Keep Django's cache from storing the page of `request` before `add_vary()` was called."""
    if not isinstance(request, _StoredWithVary):
        request.__class__ = _guarded(request.__class__)


def add_vary(request: Any, response: HttpResponseBase, headers: tuple[str, ...], by_session: bool) -> None:
    """Name `headers` in the response's `Vary`; from then on it may be cached. Where the session was asked,
    in the client's cache only: the cookie stays the same when the session comes to name another tenant."""
    patch_vary_headers(response, headers)
    if by_session:
        patch_cache_control(response, private=True)
    request._tenantkit_varies = True
