"""How many connections to databases of tenants a process has open: TENANTKIT_DATABASE_CONNECTIONS at most."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import Any
from weakref import WeakSet

from ...conf import conf
from ...exceptions import TenantUnavailable


class Budget:
    """Connections that are open now, and room for one more.

    A thread closes what it holds itself and does not use, the one that it used longest ago first. What other threads
    hold is theirs to close, at the end of their request: `is_short` tells them that somebody waits."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._open: WeakSet[Any] = WeakSet()
        self._coming = 0
        self._waiting = 0

    def open(self) -> int:
        """How many there are."""
        return self._coming + sum(not connection.closed for connection in self._open)

    def is_short(self) -> bool:
        """Whether somebody waits for one."""
        return self._waiting > 0

    @contextmanager
    def room(self, wrapper: Any) -> Iterator[None]:
        """Wait for room for a connection of `wrapper`, which is opened inside and counted from then on. Raises
        `TenantUnavailable` after TENANTKIT_DATABASE_WAIT seconds."""
        self._make_room(wrapper)
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1

    def count(self, connection: Any) -> None:
        """`connection` is open."""
        with self._changed:
            self._open.add(connection)

    def closed(self) -> None:
        """One was closed: there may be room."""
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def _make_room(self, wrapper: Any) -> None:
        until = monotonic() + conf.DATABASE_WAIT
        with self._changed:
            while self.open() >= conf.DATABASE_CONNECTIONS:
                idle = next(_idle(wrapper), None)
                if idle is not None:
                    idle.close()
                    continue
                self._waiting += 1
                try:
                    if not self._changed.wait(until - monotonic()):
                        raise self._refusal()
                finally:
                    self._waiting -= 1
            self._coming += 1

    def _refusal(self) -> TenantUnavailable:
        return TenantUnavailable(
            f"All {conf.DATABASE_CONNECTIONS} connections to databases of tenants that this process may have are in "
            f"use for {conf.DATABASE_WAIT} seconds. Raise TENANTKIT_DATABASE_CONNECTIONS, or leave transactions sooner."
        )


def _idle(wrapper: Any) -> Iterator[Any]:
    """Open connections of the same thread that no transaction needs, the one not used for longest first."""
    homes = sorted(wrapper.group.homes.values(), key=lambda home: home.used)
    return (one for one in homes if one is not wrapper and one.connection is not None and one.is_idle())


budget = Budget()
