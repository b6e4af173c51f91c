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


class _Bound:
    """Mixin for session stores: a session that was begun elsewhere loads as an empty one."""

    _session_key: str | None
    _tenantkit_request: Any

    def load(self) -> Any:
        return self._unless_void(super().load())  # type: ignore[misc]

    async def aload(self) -> Any:
        return await sync_to_async(self._unless_void)(await super().aload())  # type: ignore[misc]

    def _unless_void(self, data: Any) -> Any:
        if SESSION_KEY not in data or data.get(BOUND_TO) == (host := host_uid(self._tenantkit_request)):
            return data
        security.warning(
            "A session of user %s, begun at tenant %r, was used at tenant %r; it is void there.",
            data[SESSION_KEY],
            data.get(BOUND_TO),
            host,
        )
        self._session_key = None
        return {}


@lru_cache(maxsize=16)
def _bound(store: type) -> type:
    """`store` with the mixin. Under the same name, which Django takes into the salt of its signatures."""
    return type(store.__name__, (_Bound, store), {"__qualname__": store.__qualname__, "__module__": store.__module__})


def bind(request: Any) -> bool:
    """Make the session of `request` void unless it was begun at this host. Returns whether the client sent
    a session at all."""
    session = getattr(request, "session", None)
    if session is None or session.session_key is None:
        return False
    if conf.BIND_SESSIONS and not isinstance(session, _Bound):
        session.__class__ = _bound(session.__class__)
        session._tenantkit_request = request
    return True


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
