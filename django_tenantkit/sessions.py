"""Sessions belong to the tenant at whose host they were begun, by its uid. Elsewhere they are void.

A void session is treated like one that does not exist: it is empty, the user is anonymous, and Django
deletes the cookie. It is found out when the session is loaded, so it costs no statement.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in

from .conf import conf
from .context import get_current_tenant, security
from .resolvers import host_uid

#: Where a session keeps the uid of its tenant; "" for one that was begun where the host names no tenant.
BOUND_TO = "_tenantkit_bound"


def bind(request: Any) -> bool:
    """Make the session of `request` void unless it was begun at this host. Returns whether the client sent
    a session at all."""
    session = getattr(request, "session", None)
    if session is None or session.session_key is None:
        return False
    session._tenantkit_request = request
    session.__class__ = _bound(session.__class__)
    return True


class _Bound:
    """Mixin for the session of a request. The store's own methods find what is stored."""

    def load(self) -> Any:
        return _unless_void(self, super().load())  # type: ignore[misc]

    async def aload(self) -> Any:
        return await sync_to_async(_unless_void)(self, await super().aload())  # type: ignore[misc]


@lru_cache(maxsize=16)
def _bound(kind: type) -> type:
    return kind if issubclass(kind, _Bound) else type(kind.__name__, (_Bound, kind), {"__module__": kind.__module__})


def _unless_void(session: Any, data: Any) -> Any:
    if SESSION_KEY not in data or data.get(BOUND_TO) == (host := host_uid(session._tenantkit_request)):
        return data
    if not conf.BIND_SESSIONS:
        return data
    security.warning(
        "A session of user %s, begun at tenant %r, was used at tenant %r; it is void there.",
        data[SESSION_KEY],
        data.get(BOUND_TO),
        host,
    )
    session._session_key = None  # as Django's own stores do for a key that they do not know
    return {}


def connect() -> None:
    """Note in each session where it was begun. `AppConfig.ready()` calls it."""
    user_logged_in.connect(_note_host, dispatch_uid="django_tenantkit.sessions")


def _note_host(request: Any, **kwargs: Any) -> None:
    """Test clients log in with an empty request: there the host of the current tenant is meant."""
    if not hasattr(request, "session"):
        return
    if (visit := getattr(request, "_tenantkit", None)) is not None:
        visit.logged_in = True
    if "SERVER_NAME" in request.META:
        uid = host_uid(request)
    else:
        uid = "" if (tenant := get_current_tenant()) is None else str(tenant.uid)
    request.session[BOUND_TO] = uid
