"""Stores: what is kept of tenants beside the tables of the database, and takes part in what becomes of a tenant.

Files, caches and sessions are stores of ours. TENANTKIT_STORES names those of the project: a search index, object
storage, a payment service. Whoever moves, copies, exports or erases a tenant goes through `stores()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.module_loading import import_string

from ..conf import conf

#: Takes a name, which is a relative path, and what it stands for, piece by piece.
Write = Callable[[str, Iterable[bytes]], None]
#: The same, in the order in which it was written.
Entries = Iterable[tuple[str, Iterable[bytes]]]

#: The parts that a store may have in what becomes of a tenant.
PARTS = ("export", "load", "copy", "moved", "erase", "remains")

#: The stores of ours, which are asked before those of TENANTKIT_STORES.
OWN = (
    "django_tenantkit.lifecycle.own_stores.files.Files",
    "django_tenantkit.lifecycle.own_stores.caches.Caches",
    "django_tenantkit.lifecycle.own_stores.sessions.Sessions",
)


class Store:
    """Something that is kept of tenants elsewhere. Override the methods that it has a part in; one that is not
    overridden does nothing, and `takes_part()` tells.

    Each may be called again after a process was killed in the middle of it, so let it be safe to repeat. What it
    raises stops the job, which goes on with it when it is resumed. `tenant.uid` is the name to keep things under: it
    is never used again, while a slug is. The methods are called outside of transactions.
    """

    def export(self, tenant: Any, write: Write) -> Iterable[str] | None:
        """Hand everything of the tenant to `write(name, chunks)`. Inside the tenant. May return what was left out, in
        a few words each."""
        return None

    def load(self, tenant: Any, entries: Entries) -> None:
        """Take up what `export()` wrote, maybe of another tenant in another deployment. Inside the tenant, whose
        rows are there."""

    def copy(self, source: Any, target: Any) -> None:
        """Give the tenant `target` what `source` has. Inside `target`, whose rows are there."""

    def moved(self, tenant: Any, old: Any, new: Any) -> None:
        """The tenant's rows are in another place now: `old` and `new` are what `tenant.home` was and is. Inside it."""

    def erase(self, tenant: Any) -> None:
        """Remove everything of the tenant. Inside it: its rows are still there, to be read, and a fence
        refuses whoever writes any."""

    def remains(self, tenant: Any) -> Iterable[str]:
        """Search, and say of each thing that is still there what it is, in a few words. In no tenant: the rows are
        gone, and `tenant` has nothing but `uid`, `slug` and its key."""
        return ()

    def unsearched(self, tenant: Any) -> Iterable[str]:
        """Say what cannot be searched, and why it is out of reach all the same. It stands in the certificate."""
        return ()

    @property
    def name(self) -> str:
        """What jobs and certificates call it: the dotted path of its class."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def takes_part(self, part: str) -> bool:
        """Whether it overrides that method, one of `PARTS`."""
        return getattr(type(self), part) is not getattr(Store, part)


def paths() -> list[str]:
    """The dotted paths of all stores: ours, then those of TENANTKIT_STORES."""
    return [*OWN, *conf.STORES]


def store_of(path: str) -> Store:
    """The store of that path. Raises `ImportError` where there is none: no store is passed over."""
    store: Store = import_string(path)()
    return store


def stores() -> tuple[Store, ...]:
    """All stores, in order. Raises `ImportError` for one that is not there."""
    return tuple(map(store_of, paths()))
