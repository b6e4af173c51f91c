"""Django's caches as a store.

Keys made by `caches.tenant_key` begin with the tenant's uid, which is never used again: whatever is left under them
can be read by nobody and ends with its timeout. Where a cache can be listed, each key that names the uid goes at once,
whoever made it: those of throttles, for example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.db import connections, router

from ...caches import tenant_key
from ...context import tenant_context
from ..stores import Store


class Caches(Store):
    """The caches of CACHES. Those in the memory of other processes are out of reach of this one, and end with them."""

    def erase(self, tenant: Any) -> None:
        with tenant_context(None):
            for _, cache, find in _listed():
                for name in _names(tenant):
                    find(cache, name, True)

    def remains(self, tenant: Any) -> Iterator[str]:
        for alias, cache, find in _listed():
            if number := sum(find(cache, name, False) for name in _names(tenant)):
                yield f"{number} keys in the cache {alias!r}"

    def unsearched(self, tenant: Any) -> Iterator[str]:
        for alias in settings.CACHES:
            cache: Any = caches[alias]
            if cache.key_func is not tenant_key:
                yield f"cache {alias!r}: its KEY_FUNCTION is not tenant_key, so keys need not name their tenant"
            elif _find(cache) is None:
                yield f"cache {alias!r}: it cannot be listed; keys of the uid are read by nobody, and end"
            elif isinstance(cache, LocMemCache):
                yield f"cache {alias!r} in other processes' memory; keys of the uid are read by nobody, and end"


#: Counts the keys of a cache that contain a text, or deletes them: `find(cache, text, delete)`.
Find = Callable[[Any, str, bool], int]


def _listed() -> Iterator[tuple[str, Any, Find]]:
    for alias in settings.CACHES:
        cache: Any = caches[alias]
        if (find := _find(cache)) is not None:
            yield alias, cache, find


def _names(tenant: Any) -> tuple[str, str]:
    return tenant.uid.hex, str(tenant.uid)


def _find(cache: Any) -> Find | None:
    return next((find for kind, find in _KINDS.items() if isinstance(cache, kind)), None)


def _in_memory(cache: Any, text: str, delete: bool) -> int:
    with cache._lock:
        keys = [key for key in cache._cache if text in key]
        for key in keys if delete else ():
            cache._delete(key)
    return len(keys)


def _in_database(cache: Any, text: str, delete: bool) -> int:
    model = cache.cache_model_class
    connection: Any = connections[router.db_for_write(model) if delete else router.db_for_read(model)]
    table = connection.ops.quote_name(cache._table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{'DELETE' if delete else 'SELECT count(*)'} FROM {table} WHERE cache_key LIKE %s", [f"%{text}%"]
        )
        return int(cursor.rowcount if delete else cursor.fetchone()[0])


def _in_redis(cache: Any, text: str, delete: bool) -> int:
    client = cache._cache.get_client(write=True)
    number = 0
    for key in client.scan_iter(match=f"*{text}*", count=1000):
        number += 1
        if delete:
            client.delete(key)
    return number


_KINDS: dict[type, Find] = {LocMemCache: _in_memory, BaseDatabaseCache: _in_database, RedisCache: _in_redis}
