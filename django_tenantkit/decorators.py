"""What a view says about tenants. DRF views and other classes say it with the attribute `tenant_required`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction

View = TypeVar("View", bound=Callable[..., Any])


def tenant_required(view: View) -> View:
    """The view needs a tenant: a request that names none gets the answer `missing`, 400 by default."""
    view.tenant_required = True  # type: ignore[attr-defined]
    return view


def tenant_optional(view: View) -> View:
    """The view works without a tenant: a login page, a list of the user's tenants. It runs with none, not
    with a refusal, where the request names none, and where the user may not act in the named one."""
    view.tenant_required = False  # type: ignore[attr-defined]
    return view


def vary_on_tenant(view: View) -> View:
    """Name in `Vary` the headers that named the tenant. Needed under `@cache_page`, which stores the page
    before any middleware can add them, and stores nothing without: `@cache_page(60) @vary_on_tenant`."""

    def varied(request: Any, response: Any) -> Any:
        visit = getattr(request, "_tenantkit", None)
        if visit is not None and visit.vary:
            visit.add_vary(response)
        return response

    def wrapper(request: Any, *args: Any, **kwargs: Any) -> Any:
        return varied(request, view(request, *args, **kwargs))

    async def awrapper(request: Any, *args: Any, **kwargs: Any) -> Any:
        return varied(request, await view(request, *args, **kwargs))

    return cast(View, wraps(view)(awrapper if iscoroutinefunction(view) else wrapper))


def wants_tenant(view: Any) -> bool | None:
    """What a view function says: True, it needs a tenant; False, it does not; None, nothing. Asked of the
    function, of what `as_view()` or DRF's `@action` was given, and of the view's class, in this order."""
    wanted: bool | None = getattr(view, "tenant_required", None)
    if wanted is not None:
        return wanted
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if kind is None:
        return None
    given = getattr(view, "view_initkwargs", None) or getattr(view, "initkwargs", None) or {}
    wanted = given.get("tenant_required", getattr(kind, "tenant_required", None))
    return wanted
