"""Sessions belong to the tenant at whose host they were begun, by its uid. Elsewhere they are void.

A void session is treated like one that does not exist: it is empty, the user is anonymous, and Django
deletes the cookie. It is found out when the session is loaded, so it costs no statement.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
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
    if conf.BIND_SESSIONS:
        session.load = partial(_load, request, session, session.load)
        session.aload = partial(_aload, request, session, session.aload)
    return True


def _load(request: Any, session: Any, load: Callable[[], Any]) -> Any:
    data = load()
    if SESSION_KEY not in data or data.get(BOUND_TO) == (host := host_uid(request)):
        return data
    security.warning(
        "A session of user %s, begun at tenant %r, was used at tenant %r; it is void there.",
        data[SESSION_KEY],
        data.get(BOUND_TO),
        host,
    )
    session._session_key = None  # as Django's own stores do for a key that they do not know
    return {}


async def _aload(request: Any, session: Any, aload: Callable[[], Awaitable[Any]]) -> Any:
    data = await aload()
    return await sync_to_async(_load)(request, session, lambda: data)


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
