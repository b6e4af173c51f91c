"""Moving while the tenant works: what changes is noted, and copied again.

The keys of rows that change are noted by triggers of the old home. Each copy, and the list of what was noted, is of one
snapshot: so what was copied and what is noted together are all that there is. See docs/explanation/moving.md for why it
is not logical replication.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg import errors

from ...conf import conf
from ...context import tenant_context, unscoped
from ...exceptions import MoveRefused
from ...sql import noting as sql
from ...sql.fence import TABLES_IN
from ...sql.homes import quoted
from ..contents import contents
from ..fence import connection_of, persist
from .aside import step_aside
from .making import bring_shared
from .remapping import Keys
from .sides import Side, Spot
from .transfer import Pace, Transfer

#: How many times what has changed is copied again before the job gives up, and how much may be left at the freeze: a
#: part of the rows, or a number that takes no time to speak of, as small tenants would never come to the end otherwise.
ROUNDS, PART, FEW = 20, 0.01, 1000

#: How often a copy is begun that others' writes got in the way of, and what PostgreSQL says then.
TRIES = 5
PASSING = (errors.SerializationFailure, errors.ForeignKeyViolation, errors.DeadlockDetected)


def watch(tenant: Any, spot: Spot, *, wanted: bool) -> None:
    """Begin to note what changes, or end it."""
    columns = {one.table: (one.tenant.column if one.tenant else "", one.key.column) for one in contents()}
    connection, key = connection_of(spot.home), str(tenant.pk)
    with tenant_context(None), unscoped(reason=f"moving {tenant.slug}"), connection.cursor() as cursor:
        cursor.execute(TABLES_IN, [quoted(spot.schema), list(columns)])
        calls = {
            f"{quoted(spot.schema)}.{quoted(table)}": (key, *columns[table], wanted) for (table,) in cursor.fetchall()
        }
        persist(cursor, sql.SET, calls, tenant)


def forget_noted(side: Side, key: str) -> None:
    """Nothing is noted any more."""
    side.raw.execute(sql.FORGET, [key])


class Again(NamedTuple):
    """What was copied again: the transfer that did it, how many rows were noted, and all notes, by id."""

    transfer: Transfer
    rows: int
    notes: list[int]


@dataclass
class Beside:
    """Copies of a tenant's rows beside its work. `is_mine()` raises where another process took the job up, and
    otherwise holds the job for the transaction. `taken` is how many keys were, by model."""

    main: Any
    source: Side
    target: Side
    tenant: Any
    remap: bool
    is_mine: Callable[[], None]
    taken: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The tenant's, as text."""
        return str(self.tenant.pk)

    def copy_all(self, keep: Callable[[int], None] = lambda rows: None) -> int:
        """Copy all rows of one snapshot, not faster than TENANTKIT_MOVE_RATE, and return how many. `keep` is told
        before the transaction of the main database ends."""
        step_aside(self.source, self.target, reserving=True)

        def work() -> int:
            transfer = self._transfer(self._keys())
            transfer.pace = Pace(conf.MOVE_RATE)
            copied: list[int] = []
            transfer.fill(lambda _, rows: copied.append(rows))
            keep(sum(copied))
            return sum(copied)

        rows: int = self._tried(work)
        return rows

    def catch_up(self, rows: int) -> int:
        """Copy again what has changed until little is left; how many rounds it took. Raises `MoveRefused` where rows
        change faster than they are copied."""
        for number in range(ROUNDS):
            if self.source.ask(sql.COUNT, [self.key])[0][0] <= max(FEW, int(rows * PART)):
                return number
            done: Again = self._tried(lambda: self.copy_noted(conf.MOVE_RATE))
            self.source.raw.execute(sql.SETTLE, [done.notes])
        raise MoveRefused(
            f"Rows change faster than they are copied: after {ROUNDS} rounds more than {PART:.0%} of them are left. "
            "Move the tenant when it has less to do, or without --online."
        )

    def copy_noted(self, rate: int | None = None) -> Again:
        """Copy the rows that were noted as they are now, in the transactions that are open, not more than `rate` a
        second. It can be done twice."""
        found = {name: (keys, ids) for name, keys, ids in self.source.ask(sql.NOTED, [self.key])}
        transfer = self._transfer(self._keys({name: keys for name, (keys, _) in found.items()}))
        transfer.pace = Pace(rate)
        transfer.settle()
        transfer.target.raw.execute("SET CONSTRAINTS ALL DEFERRED")
        again = [
            transfer.again(content, copied, found[content.table][0])
            for content, copied in transfer.tables
            if content.table in found
        ]
        for delete, _ in again:
            transfer.target.raw.execute(delete)
        for _, copied in again:
            transfer.copy(copied)
        notes = [note for _, ids in found.values() for note in ids]
        return Again(transfer, sum(len(keys) for keys, _ in found.values()), notes)

    def _keys(self, looked_at: dict[str, list[str]] | None = None) -> Keys:
        """The keys that are taken there. A row that got a new one keeps it, however often it is copied."""
        keys = Keys(self.source, self.target, self.key, kept=self.tenant.uid, looked_at=looked_at)
        if not self.remap:
            keys.refuse()
        self.taken = keys.taken
        return keys

    def _transfer(self, keys: Keys) -> Transfer:
        return Transfer(self.source, self.target, self.key, keys.changes())

    def _tried(self, work: Callable[[], Any]) -> Any:
        """Work in one snapshot, and again where others' writes got in the way: they changed rows of everybody, or
        wrote some that have not come to the new home yet."""
        for left in reversed(range(TRIES)):
            try:
                with self._snapshot():
                    return work()
            except PASSING:
                if not left:
                    raise
                with self.target.raw.transaction():
                    Transfer(self.source, self.target, self.key).bring_common()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Transactions of all sides, of which the source's sees one moment; the target's ends first, and the main
        database's last. The shared rows that the tenant's refer to at that moment are brought: again when it moves, as
        they may be changed meanwhile."""
        with ExitStack() as stack:
            for raw in {id(raw): raw for raw in (self.main, self.source.raw, self.target.raw)}.values():
                stack.enter_context(raw.transaction())
            self.source.raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self.is_mine()
            if not self.target.is_main:
                bring_shared(self.source, self.target, self.tenant)
            yield
