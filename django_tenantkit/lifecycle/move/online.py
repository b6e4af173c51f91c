"""Moving while the tenant works: what changes is noted, and copied again.

The keys of rows that change are noted by triggers of the old home. Each copy, and the list of what was noted, is of one
snapshot: so what was copied and what is noted together are all that there is. See docs/explanation/moving.md for why it
is not logical replication.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ...conf import conf
from ...context import tenant_context, unscoped
from ...exceptions import MoveRefused
from ...sql import noting as sql
from ...sql.fence import TABLES_IN
from ...sql.homes import quoted
from ..contents import contents
from ..fence import connection_of, persist
from .making import bring_shared
from .sides import Side, Spot
from .transfer import Pace, Transfer

#: How many times what has changed is copied again before the job gives up, and how much may be left at the freeze: a
#: part of the rows, and a number.
ROUNDS, PART, FEW = 20, 0.01, 100


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


def copy_all(source: Side, target: Side, tenant: Any) -> int:
    """Copy all rows of one snapshot, not faster than TENANTKIT_MOVE_RATE, and return how many."""
    transfer = Transfer(source, target, str(tenant.pk))
    transfer.pace = Pace(conf.MOVE_RATE)
    copied: list[int] = []
    with _snapshot(source, target, tenant):
        transfer.fill(lambda _, rows: copied.append(rows))
    return sum(copied)


def catch_up(source: Side, target: Side, tenant: Any, rows: int) -> int:
    """Copy again what has changed until little is left; how many rounds it took. Raises `MoveRefused` where rows change
    faster than they are copied."""
    key = str(tenant.pk)
    transfer = Transfer(source, target, key)
    for number in range(ROUNDS):
        if source.ask(sql.COUNT, [key])[0][0] <= max(FEW, int(rows * PART)):
            return number
        with _snapshot(source, target, tenant):
            done = copy_noted(transfer)
        source.raw.execute(sql.SETTLE, [done])
    raise MoveRefused(
        f"Rows change faster than they are copied: after {ROUNDS} rounds more than {PART:.0%} of them are left. Move "
        "the tenant when it has less to do, or without --online."
    )


def copy_noted(transfer: Transfer) -> list[int]:
    """Copy the rows that were noted as they are now, in the transactions that are open, and return what was noted, by
    id. It can be done twice."""
    transfer.settle()
    transfer.target.raw.execute("SET CONSTRAINTS ALL DEFERRED")
    found = {name: (keys, ids) for name, keys, ids in transfer.source.ask(sql.NOTED, [transfer.key])}
    again = [
        transfer.again(content, copied, found[content.table][0])
        for content, copied in transfer.tables
        if content.table in found
    ]
    for delete, _ in again:
        transfer.target.raw.execute(delete)
    for _, copied in again:
        transfer.copy(copied)
    return [one for _, ids in found.values() for one in ids]


@contextmanager
def _snapshot(source: Side, target: Side, tenant: Any) -> Iterator[None]:
    """Transactions on both sides, of which the source's sees one moment; the target's ends first. The shared rows that
    the tenant's refer to at that moment are brought: again when it moves, as they may be changed meanwhile."""
    with ExitStack() as stack:
        for raw in {id(side.raw): side.raw for side in (source, target)}.values():
            stack.enter_context(raw.transaction())
        source.raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if not target.is_main:
            bring_shared(source, target, tenant)
        yield
