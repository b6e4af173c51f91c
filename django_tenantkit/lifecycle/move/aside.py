"""Keys of shared tables, before a tenant brings its own: nobody else is given one of those, from then on."""

from __future__ import annotations

import time

from psycopg import errors

from ...conf import conf
from ...exceptions import MoveRefused
from ...sql import moving, remapping
from ..contents import contents
from ..fence import PAUSE
from .sides import Column, Side


def step_aside(source: Side, target: Side, *, reserving: bool = False) -> None:
    """Have others get keys behind those that come, and wait until whoever was given one of these has written it. With
    `reserving` a range of keys is for what the tenant writes into its old home meanwhile: that goes on behind the last
    that either has given, and the others go on behind the range. Outside of transactions."""
    if not target.spot.is_shared:
        return
    for content in contents():
        numbered = [column for column in target.columns[content.table] if column.sequence is not None]
        for column in numbered:
            _advance(source, target, content.table, column, reserving=reserving)
        if numbered:
            _wait_for_writers(target, content.table)


def _advance(source: Side, target: Side, table: str, column: Column, *, reserving: bool) -> None:
    there, here = source.column(table, column.name).sequence, str(column.sequence)
    last = source.ask(remapping.last_given(there, source.path(table), column.name))[0][0]
    if last is None:
        return
    if reserving and there is not None and column.type in remapping.RESERVED:
        last = max(last, target.ask(remapping.last_given(here, target.path(table), column.name))[0][0])
        source.raw.execute(moving.advance(there, last))
        last = min(last + remapping.RESERVED[column.type], remapping.LAST[column.type])
    target.raw.execute(moving.advance(here, last))


def _wait_for_writers(target: Side, table: str) -> None:
    """Until no transaction is open that has written there. Nobody waits for us: see `lifecycle/fence.py`."""
    until = time.monotonic() + conf.FENCE_SECONDS
    while True:
        try:
            target.raw.execute(remapping.no_writers(target.path(table)))
            return
        except errors.LockNotAvailable:
            if time.monotonic() >= until:
                raise MoveRefused(
                    f"{target.path(table)} was in use for {conf.FENCE_SECONDS} seconds without a break, so it is not "
                    "known which keys will be taken there. Try again, or raise TENANTKIT_FENCE_SECONDS."
                ) from None
            time.sleep(PAUSE)
