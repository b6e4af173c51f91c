"""Sessions belong to the tenant at whose host they were begun, by its uid. Elsewhere they are void.

A void session is treated like one that does not exist: it is empty, the user is anonymous, and Django
deletes the cookie. It is found out when the session is loaded, so it costs no statement.

Where each tenant has users of its own, the key in a session is somebody else's in every other tenant, and without one.
There a session is bound to the tenant itself, however the request names it, and counts inside that only.
"""

from __future__ import annotations

from functools import lru_cache, partialmethod
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in

from .conf import conf
from .context import get_current_tenant, security, tenant_context
from .lookup import is_stand_in
from .registry import users_live_at_home
from .resolvers import host_uid

#: Where a session keeps the uid of its tenant; "" for one that was begun where the host names no tenant.
BOUND_TO = "_tenantkit_bound"


def bind(request: Any) -> bool:
    """Make the session of `request` void unless it was begun at this host. Returns whether the client sent
    a session at all."""
    session = getattr(request, "session", None)
    if session is None:
        return False
    at_home = users_live_at_home() or "sessions" in conf.TENANT_APPS
    if session.session_key is None and not at_home:
        return False
    session._tenantkit_request = request
    session.__class__ = _bound(session.__class__, at_home)
    return session.session_key is not None


class _Bound:
    """Mixin for the session of a request. The store's own methods find what is stored."""

    def load(self) -> Any:
        return _unless_void(self, super().load())  # type: ignore[misc]

    async def aload(self) -> Any:
        return await sync_to_async(_unless_void)(self, await super().aload())  # type: ignore[misc]


class _AtHome:
    """Mixin for a session that is kept in the home of the request's tenant, whatever scope it is read or saved in:
    Django's middleware saves it after ours has left the tenant."""

    def _inside(self, name: str, *args: Any, **kwargs: Any) -> Any:
        with tenant_context(_tenant_of(self._tenantkit_request)):  # type: ignore[attr-defined]
            return getattr(super(), name)(*args, **kwargs)

    async def _ainside(self, name: str, *args: Any, **kwargs: Any) -> Any:
        with tenant_context(_tenant_of(self._tenantkit_request)):  # type: ignore[attr-defined]
            return await getattr(super(), name)(*args, **kwargs)

    load, aload = partialmethod(_inside, "load"), partialmethod(_ainside, "aload")
    save, asave = partialmethod(_inside, "save"), partialmethod(_ainside, "asave")
    create, acreate = partialmethod(_inside, "create"), partialmethod(_ainside, "acreate")
    delete, adelete = partialmethod(_inside, "delete"), partialmethod(_ainside, "adelete")
    exists, aexists = partialmethod(_inside, "exists"), partialmethod(_ainside, "aexists")


@lru_cache(maxsize=16)
def _bound(kind: type, at_home: bool) -> type:
    mixins = (_Bound, _AtHome) if at_home else (_Bound,)
    return kind if issubclass(kind, _Bound) else type(kind.__name__, (*mixins, kind), {"__module__": kind.__module__})


def _unless_void(session: Any, data: Any) -> Any:
    if SESSION_KEY not in data or data.get(BOUND_TO) == (here := _where(session._tenantkit_request)) is not None:
        return data
    if not conf.BIND_SESSIONS:
        return data
    if here is None:
        return {}  # it stays good inside the tenant, and so does the cookie
    security.warning(
        "A session of user %s, begun at tenant %r, was used at tenant %r; it is void there.",
        data[SESSION_KEY],
        data.get(BOUND_TO),
        here,
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
    request.session[BOUND_TO] = _where(request) if "SERVER_NAME" in request.META else _uid(get_current_tenant())


def _where(request: Any) -> str | None:
    """The uid of the tenant that sessions of `request` are bound to, "" where there is none. None where the host
    names a tenant that has users of its own and that the request is not for: whose key it is cannot be told."""
    host = host_uid(request)
    if not users_live_at_home():
        return host
    tenant = _uid(_tenant_of(request))
    return tenant if host in ("", tenant) else None


def _tenant_of(request: Any) -> Any:
    """The tenant that `request` is for, as far as that is known."""
    visit = getattr(request, "_tenantkit", None)
    tenant = None if visit is None else visit.tenant
    return None if tenant is None or is_stand_in(tenant) else tenant


def _uid(tenant: Any) -> str:
    return "" if tenant is None else str(tenant.uid)
