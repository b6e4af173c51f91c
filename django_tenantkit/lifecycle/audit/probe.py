"""Whether the session protocol holds on the way to the server: two clients, interleaved.

A pooler gives one server connection to several clients. In transaction mode our messages are safe, as what
they set ends with them. Where something splits messages, or hands a connection on inside a transaction,
it is not; the probe shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ...sql.session import context, set_local
from .reader import Connection

#: How often the two clients take turns.
ROUNDS = 10

#: Seconds for which a client is waited for during a transaction of the other.
PATIENCE = 2

#: What a statement sees: which server process it runs in, and the context.
SEEN = (
    "SELECT pg_catalog.pg_backend_pid(), coalesce(pg_catalog.current_setting('tenantkit.tenant', true), ''), "
    "current_user::text, session_user::text"
)

#: Names of tenants that nobody has: the audit may run beside requests.
FIRST, SECOND = "tenantkit-probe-first", "tenantkit-probe-second"


@dataclass
class Probe:
    """What was seen. `shared`: both clients used one server process. `pooled`: something stands between the
    clients and the server. The lists hold what should not be."""

    shared: bool = False
    pooled: bool = False
    processes: int = 0
    crossed: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    failed: str | None = None

    @property
    def summary(self) -> str:
        """The kind of connections, in words."""
        if self.failed is not None:
            return f"not probed: {self.failed}"
        if self.shared:
            return f"two clients shared {self.processes} server connections: a pooler in transaction mode"
        if self.pooled:
            return "a pooler that gave each client a server connection of its own"
        return "no pooler: each client has a server process of its own"


class _Client:
    """One client, that says as which tenant it asks."""

    def __init__(self, connection: Connection, role: str, tenant: str, probe: Probe) -> None:
        self.connection, self.role, self.tenant, self.probe = connection, role, tenant, probe
        self.processes: set[int] = set()

    def ask(self, prefix: str = "") -> tuple[str, str, str]:
        """The tenant, the role and the login that a statement sees."""
        cursor = psycopg.ClientCursor(self.connection).execute((prefix + SEEN).encode())
        while cursor.nextset():
            pass
        row: Any = cursor.fetchone()
        self.processes.add(row[0])
        return row[1], row[2], row[3]

    def ask_as_tenant(self) -> None:
        """One message as our backend sends it: the context, then the statement."""
        tenant, role, _ = self.ask(self._prefix())
        if tenant not in (self.tenant, ""):
            self.probe.crossed.append(f"a statement of {self.tenant} saw {tenant}")
        elif (tenant, role) != (self.tenant, self.role):
            self.probe.split.append(f"a statement of {self.tenant} ran as {role} and saw {tenant or 'no tenant'}")

    def ask_plainly(self, when: str) -> None:
        """A statement without a context, as another program sends it: it must see none."""
        tenant, role, login = self.ask()
        if tenant in (FIRST, SECOND):
            self.probe.crossed.append(f"{when}, a statement without a context saw {tenant}")
        elif tenant or role != login:
            self.probe.left_over.append(f"{when}, a statement ran as {role} and saw {tenant or 'no tenant'}")

    def _prefix(self) -> str:
        return set_local([("transaction_read_only", "on"), *context(self.tenant, None, (), self.role)])


def probe(connect: Callable[[], Connection], role: str) -> Probe:
    """Open two connections and let them take turns: whole messages, then transactions, with statements that
    have no context between them. Reads settings only, in READ ONLY transactions."""
    found = Probe()
    try:
        with connect() as one, connect() as other:
            one.autocommit = other.autocommit = True
            _take_turns(_Client(one, role, FIRST, found), _Client(other, role, SECOND, found), found)
    except psycopg.Error as error:
        found.failed = " ".join(str(error).split())
    return found


def _take_turns(first: _Client, second: _Client, found: Probe) -> None:
    first.ask_plainly("At the start")
    second.ask_plainly("At the start")
    for _ in range(ROUNDS):
        first.ask_as_tenant()
        second.ask_plainly("After a message of the other client")
        second.ask_as_tenant()
        first.ask_plainly("After a message of the other client")
    _interleave(first, second)
    first.ask_plainly("After a transaction")
    second.ask_plainly("After a transaction of the other client")
    every = first.processes | second.processes
    found.processes = len(every)
    found.shared = not first.processes.isdisjoint(second.processes)
    known = {client.connection.info.backend_pid for client in (first, second)}
    found.pooled = found.shared or every != known


def _interleave(first: _Client, second: _Client) -> None:
    """One client asks during a transaction of the other. A pooler with a single server connection lets it
    wait for the end of that."""
    with ThreadPoolExecutor(1) as pool:
        with first.connection.transaction():
            first.ask_as_tenant()
            asked = pool.submit(second.ask_plainly, "During a transaction of the other client")
            wait([asked], timeout=PATIENCE)
            first.ask_as_tenant()
        asked.result()
