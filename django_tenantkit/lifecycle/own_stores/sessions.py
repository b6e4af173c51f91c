"""Sessions as a store: those that were begun at a tenant, and those that remember it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends import db, file, signed_cookies

from ...conf import conf
from ...context import tenant_context
from ...sessions import BOUND_TO
from ..stores import Store


class Sessions(Store):
    """The sessions of SESSION_ENGINE, where they can be listed: those in the database, in front of which a cache may
    be, and those in files. Sessions in the tenant's own home go with it."""

    def erase(self, tenant: Any) -> None:
        with tenant_context(None):
            for session, data in list(_of(tenant)):
                kept = {} if data.get(BOUND_TO) == str(tenant.uid) else session.load()
                if conf.SESSION_KEY not in kept:  # it ends with the tenant, or has ended
                    session.delete()
                else:
                    del session[conf.SESSION_KEY]
                    session.save()

    def remains(self, tenant: Any) -> Iterator[str]:
        if number := sum(1 for _ in _of(tenant)):
            yield f"{number} sessions"

    def unsearched(self, tenant: Any) -> Iterator[str]:
        kind = _kind()
        if kind is not None and issubclass(kind, signed_cookies.SessionStore):
            yield "sessions: they are in the cookies of browsers, and count for nobody without the tenant"
        elif kind is not None and not issubclass(kind, db.SessionStore | file.SessionStore):
            yield "sessions: they cannot be listed; without the tenant they count for nobody, and they end"


def _kind() -> Any:
    """The class of sessions; None where there are none, or none outside of tenants' homes."""
    kind: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if "sessions" in conf.TENANT_APPS:
        return None
    return None if issubclass(kind, db.SessionStore) and not apps.is_installed("django.contrib.sessions") else kind


def _of(tenant: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The sessions that name the tenant, ended ones too, each with what it holds."""
    kind = _kind()
    for key, text in _stored(kind) if kind is not None else ():
        session = kind(key)
        data = session.decode(text)
        if str(tenant.uid) in (data.get(BOUND_TO), data.get(conf.SESSION_KEY)):
            yield session, data


def _stored(kind: Any) -> Iterator[tuple[str, str]]:
    """All sessions that can be listed: keys, and what is stored under them."""
    if issubclass(kind, db.SessionStore):
        yield from kind.get_model_class()._base_manager.values_list("session_key", "session_data").iterator()
    elif issubclass(kind, file.SessionStore):
        name: str = settings.SESSION_COOKIE_NAME
        for path in Path(kind._get_storage_path()).glob(f"{name}*"):
            yield path.name.removeprefix(name), path.read_text(encoding="ascii")
