"""Caches of a process, kept for each tenant apart.

What a module keeps between requests (Django's content types and sites, a function with `lru_cache`, a dictionary of
the adopter's) holds rows of whichever tenant came first, and ids mean other rows in another tenant's schema. Cleared
when the tenant changes, such a cache would be right for one thread; so here its place is taken by one that derives
from the current tenant, at each use, what it looks into. `TENANTKIT_TENANT_CACHES` names them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, update_wrapper
from threading import Lock
from typing import Any, Generic, TypeVar

from django.utils.module_loading import import_string

from .context import current_scope, switched
from .exceptions import TenantkitError

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

#: For how many tenants a process keeps such caches at the same time.
TENANTS = 500

#: The home that migrations are at work in, where there is no tenant yet, and the alias of its database.
_home: ContextVar[tuple[str, str]] = ContextVar("tenantkit_home_in_hand", default=("", ""))


def whose() -> str:
    """Whose data running code reaches, as text: the uid of the current tenant; the home in which migrations are at
    work; or "", where there is no tenant, and unscoped."""
    tenant = current_scope().tenant
    return _home.get()[0] if tenant is None else tenant.uid.hex


def tenant_key(key: object, key_prefix: str, version: object) -> str:
    """For `CACHES[...]["KEY_FUNCTION"]`: a key in Django's caches that no other tenant reads or writes. Takes what
    Django gives such a function. Without a tenant, and unscoped, keys are those of nobody."""
    return f"{whose()}:{key_prefix}:{version}:{key}"


@contextmanager
def at_work_in(home: str, database: str = "") -> Iterator[None]:
    """Keep what is cached while a home is migrated, a schema or the alias of a database, apart from every tenant's.
    `database` is the alias of its database, if that is not the main one."""
    token = _home.set((home, database))
    try:
        yield
    finally:
        _home.reset(token)


def home_at_work() -> str:
    """The home that is being migrated, or empty."""
    return _home.get()[0]


def database_at_work() -> str:
    """The alias of the database that it is in; empty where that is the main one."""
    return _home.get()[1]


class PerTenant(Generic[T]):
    """Makes one thing for each tenant: `PerTenant(dict)`. `current()` is the current tenant's, made when it is first
    asked for. Of more than `TENANTS` the one that was made first is forgotten."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: dict[str, T] = {}

    def current(self) -> T:
        """The current tenant's."""
        key = whose()
        found = self._made.get(key)
        return self._add(key) if found is None else found

    def _add(self, key: str) -> T:
        with self._lock:
            if (found := self._made.get(key)) is None:
                if len(self._made) >= TENANTS:
                    del self._made[next(iter(self._made))]
                found = self._made[key] = self._make()
            return found

    def all(self) -> list[T]:
        """What was made, of all tenants."""
        with self._lock:
            return list(self._made.values())


class TenantDict(MutableMapping[K, V]):
    """A dictionary that has other items in each tenant. Use it in place of a module's own."""

    def __init__(self) -> None:
        self._items: PerTenant[dict[K, V]] = PerTenant(dict)

    def __getitem__(self, key: K) -> V:
        return self._items.current()[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._items.current()[key] = value

    def __delitem__(self, key: K) -> None:
        del self._items.current()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items.current())

    def __len__(self) -> int:
        return len(self._items.current())

    def forget(self) -> None:
        """Remove the items of all tenants; `clear()` removes the current one's."""
        for items in self._items.all():
            items.clear()


class TenantCached:
    """A function of `functools.lru_cache` or `functools.cache` whose answers are kept for each tenant apart, each
    with the size that the function was given. `cache_clear()` clears the current tenant's, as `forget()` does all."""

    def __init__(self, function: Any) -> None:
        update_wrapper(self, function)
        parameters = function.cache_parameters()
        self._caches = PerTenant(lambda: lru_cache(**parameters)(function.__wrapped__))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._caches.current()(*args, **kwargs)

    def cache_clear(self) -> None:
        """Forget the answers of the current tenant."""
        self._caches.current().cache_clear()

    def cache_info(self) -> Any:
        """What `lru_cache` says of the current tenant's."""
        return self._caches.current().cache_info()

    def forget(self) -> None:
        """Forget the answers of all tenants."""
        for cache in self._caches.all():
            cache.cache_clear()


def keep_apart(path: str) -> None:
    """Let what a dotted path names, a dictionary or a function of `lru_cache`, be kept for each tenant apart.

    Every module that has it under whatever name gets the new one. Raises `TenantkitError` where the path leads
    nowhere, to something else, or to a class or instance's own.
    """
    try:
        found = import_string(path)
    except ImportError as error:
        raise TenantkitError(f"TENANTKIT_TENANT_CACHES names {path!r}, which cannot be imported: {error}") from error
    if isinstance(found, TenantDict | TenantCached):
        return
    if isinstance(found, dict):
        apart: Any = TenantDict()
    elif hasattr(found, "cache_parameters") and hasattr(found, "__wrapped__"):
        apart = TenantCached(found)
    else:
        raise TenantkitError(
            f"TENANTKIT_TENANT_CACHES names {path!r}, which is neither a dictionary nor a function of lru_cache. Give "
            "register_reset() a function that clears it, and read there what that cannot do."
        )
    for module in list(sys.modules.values()):
        names = [name for name, value in list(getattr(module, "__dict__", {}).items()) if value is found]
        for name in names:
            setattr(module, name, apart)


#: Functions that clear what cannot be kept apart, and whose data it was filled with last.
_resets: list[Callable[[], None]] = []
_last = ""


def register_reset(clear: Callable[[], None]) -> None:
    """Call `clear()` whenever code of another tenant than before begins in this process, for a cache that
    `TENANTKIT_TENANT_CACHES` cannot name. Call this once, in `AppConfig.ready()`.

    It is right where a process works on one request or job at a time. Threads, and coroutines that take turns, fill
    such a cache for each other behind its back: what is looked up in one tenant is then found in another. Serve such
    projects with processes of one thread.
    """
    _resets.append(clear)
    if _reset_for_another not in switched:
        switched.append(_reset_for_another)


def _reset_for_another() -> None:
    global _last
    if (now := whose()) != _last:
        _last = now
        for clear in _resets:
            clear()
