"""What a process remembers of the database for a while: bounded, timed, forgotten when it changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

V = TypeVar("V")


class Memory(Generic[V]):
    """Values by key. The one not used for longest leaves first; `get` gives None for what is unknown or
    too old. The caller reads `generation` before it asks the database and hands it to `put`, which drops
    a value that something was forgotten since: it was read before the change."""

    def __init__(self) -> None:
        self.generation = 0
        self._entries: OrderedDict[Hashable, tuple[V, float]] = OrderedDict()
        self._lock = Lock()
        self._transactions: WeakKeyDictionary[BaseDatabaseWrapper, tuple[list[Any], Memory[V]]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, seconds: float) -> V | None:
        """The value of `key`, unless it is older than `seconds`. Takes no lock."""
        entry = self._entries.get(key)
        if entry is None or monotonic() - entry[1] >= seconds:
            return None
        try:
            self._entries.move_to_end(key)
        except KeyError:  # dropped meanwhile by another thread
            return None
        return entry[0]

    def put(self, key: Hashable, value: V, size: int, generation: int, since: float | None = None) -> None:
        """Keep `value`, and at most `size` values. It counts as known `since` then, or from now on."""
        with self._lock:
            if generation != self.generation:
                return
            self._entries[key] = (value, monotonic() if since is None else since)
            self._entries.move_to_end(key)
            while len(self._entries) > size:
                self._entries.popitem(last=False)

    def forget(self, concerned: Callable[[Any, V], bool] | None = None) -> None:
        """Drop the values for which `concerned(key, value)` is true, or all, and everything that is being
        read now."""
        with self._lock:
            self.generation += 1
            for _, memory in self._transactions.values():
                memory.forget(concerned)
            if concerned is None:
                self._entries.clear()
                return
            for key, (value, _) in list(self._entries.items()):
                if concerned(key, value):
                    del self._entries[key]

    def during(self, connection: BaseDatabaseWrapper) -> Memory[V]:
        """Where a value read through `connection` is kept: here, or, inside a transaction, in a memory
        that ends with it, as what it read may never be committed. Django makes the list of callbacks
        anew when a transaction ends and when it goes back to a savepoint, which tells one from the next."""
        if not connection.in_atomic_block and (connection.connection is None or connection.autocommit):
            return self
        callbacks = connection.run_on_commit
        with self._lock:
            known = self._transactions.get(connection)
            if known is None or known[0] is not callbacks:
                known = self._transactions[connection] = (callbacks, Memory())
        return known[1]


def now_and_on_commit(forget: Callable[[], None], using: str) -> None:
    """Run `forget` at once, and again when the transaction that made the change is committed: between the
    two, other threads can read and keep the row as it was."""
    forget()
    if connections[using].in_atomic_block:
        transaction.on_commit(forget, using=using)
