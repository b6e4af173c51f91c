"""The rows of a tenant, copied from one home to another and compared there. In transactions that are open on both
sides; whoever opened them commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from django.db import connections
from psycopg import errors

from ...exceptions import MoveRefused
from ...isolation.copying import copy_whole
from ...models import TenantIsolation
from ...sql import moving as sql
from ...sql.common import fill
from ...sql.homes import quoted
from ...sql.noting import array
from ...sql.remapping import changed
from ..contents import Content, contents
from .bare import rouse, strip
from .sides import Column, Side

#: Told of each table that was copied: its label and how many rows.
Told = Callable[[str, int], None]

#: Bytes that are collected before they are sent on.
BLOCK = 1 << 18


class Change(NamedTuple):
    """How rows change on the way: what is selected in place of columns, by name, and what they are joined with. `keys`
    is the table at the target that has the new keys of these rows."""

    columns: dict[str, str]
    joins: str = ""
    keys: str = ""


#: Nothing changes.
SAME = Change({})


class Transfer:
    """The tables of one tenant with `key` between two homes. `changes` says by table how rows change."""

    def __init__(self, source: Side, target: Side, key: str, changes: dict[str, Change] | None = None) -> None:
        self.source, self.target, self.key = source, target, key
        self.changes = changes or {}
        self.pace = Pace(None)
        self.tables: list[tuple[Content, sql.Copied]] = [(content, self._copied(content)) for content in contents()]

    def run(self, told: Told = lambda label, rows: None) -> dict[str, Any]:
        """Copy and compare. Returns numbers of rows and checksums by label. Raises `MoveRefused` where they are not
        the same on both sides, and what PostgreSQL raises."""
        self.fill(told)
        return self.finish()

    def fill(self, told: Told = lambda label, rows: None) -> None:
        """Copy. In a home of its own, triggers do not fire until `finish()`."""
        self.settle()
        indexes, references = self._make_room()
        for content, copied in self.tables:
            told(content.label, self.copy(copied, by_pages=self.pace.rate is not None))
        for statement in indexes:
            self.target.raw.execute(statement)
        self.bring_common()
        for statement in references:
            self.target.raw.execute(statement)

    def finish(self) -> dict[str, Any]:
        """Compare, and make the target one to work with."""
        self.settle()
        self.bring_common()
        if not self.target.spot.is_shared:
            rouse(self.target)
        found = dict(self._compared())
        self._advance()
        if not self.target.spot.is_shared:
            for content, _ in self.tables:
                self.target.raw.execute(f"ANALYZE {self.target.path(content.table)}")
        return found

    def settle(self) -> None:
        """Have values written alike on both sides."""
        for raw in {id(side.raw): side.raw for side in (self.source, self.target)}.values():
            raw.execute(sql.SETTINGS)

    def again(self, content: Content, copied: sql.Copied, keys: list[str]) -> tuple[str, sql.Copied]:
        """The statement that removes the rows with these keys at the target, and what copies them as they are now."""
        column = self.target.column(content.table, content.key.column)
        listed = array(column.type, keys)
        if maps := self.changes.get(content.table, SAME).keys:
            listed = f"ARRAY({changed(maps, listed)})"
        delete = f"DELETE FROM {copied.target} AS t WHERE t.{quoted(column.name)} = ANY ({listed}) AND {copied.among}"
        return delete, self.narrowed(content, copied, keys)

    def narrowed(self, content: Content, copied: sql.Copied, keys: list[str]) -> sql.Copied:
        """Of a table the rows with these keys, given as text."""
        column = self.target.column(content.table, content.key.column)
        return copied._replace(source=f"{copied.source} AND s.{quoted(column.name)} = ANY ({array(column.type, keys)})")

    def counts(self) -> dict[str, int]:
        """How many rows there are at the source, by label."""
        return {
            content.label: self.source.ask(f"SELECT count(*) FROM {copied.source}")[0][0]
            for content, copied in self.tables
        }

    def _copied(self, content: Content) -> sql.Copied:
        change, column = self.changes.get(content.table, SAME), content.tenant.column if content.tenant else ""
        where = sql.own("s", column, self.key)
        return sql.Copied(
            f"{self.source.path(content.table)} AS s{change.joins} WHERE {where}",
            self.target.path(content.table),
            sql.own("t", column, self.key),
            [self._column(one, change) for one in self.source.columns[content.table]],
        )

    @staticmethod
    def _column(column: Column, change: Change) -> sql.Column:
        name = column.name
        plain = f"s.{quoted(name)}"
        return sql.Column(change.columns.get(name, plain), name, not column.is_hashed)

    def bring_common(self) -> None:
        """Rows of nobody are in a home of one tenant as in any other: they do not come from its old one. Whoever
        writes some waits from the first of these calls on."""
        spot = self.target.spot
        if spot.isolation == TenantIsolation.SCHEMA:
            self.target.raw.execute(fill(spot.schema))
        elif spot.isolation == TenantIsolation.DATABASE:
            copy_whole(connections[spot.alias])
        self.target.raw.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _make_room(self) -> tuple[list[str], list[str]]:
        """Empty a home that is the tenant's own, and leave its indexes for later: the statements that make them. In
        shared tables there is nothing of the tenant."""
        if not self.target.spot.is_shared:
            self.bring_common()
            self.target.raw.execute(sql.empty(copied.target for _, copied in self.tables))
            return strip(self.target)
        for content, copied in self.tables:
            where = f"{copied.target} AS t WHERE {copied.among}"
            if self.target.ask(sql.has_rows(where))[0][0]:
                raise MoveRefused(
                    f"{copied.target} has rows of the tenant already, which lives elsewhere ({content.label}). See "
                    "what they are with `check_tenants`, and delete them."
                )
        self.target.raw.execute("SET CONSTRAINTS ALL DEFERRED")
        return [], []

    def copy(self, copied: sql.Copied, *, by_pages: bool = False) -> int:
        """Copy the rows of a table, and return how many."""
        if self.source.raw is self.target.raw:
            done = 0
            for part in self._pages(copied) if by_pages else [copied]:
                rows = int(self.target.raw.execute(part.insert()).rowcount)
                self.pace.after(rows)
                done += rows
            return done
        try:
            with self.target.raw.transaction():
                return self._send(copied)
        except errors.FeatureNotSupported:  # COPY FROM, where policies bind the owner
            copy = 'pg_temp."tenantkit_moving"'
            self.target.raw.execute(f"CREATE TEMP TABLE {copy} (LIKE {copied.target}) ON COMMIT DROP")
            rows = self._send(copied, copy)
            columns = copied.names
            self.target.raw.execute(
                f"INSERT INTO {copied.target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {copy}"
            )
            self.target.raw.execute(f"DROP TABLE {copy}")
            return rows

    def _pages(self, copied: sql.Copied) -> Iterator[sql.Copied]:
        """The rows, some pages at a time, as the pace asks."""
        table = copied.source.partition(" AS s")[0]
        pages, rows = self.source.ask(sql.SIZE, [table])[0]
        step = max(1, int((self.pace.rate or rows) / 5 * pages / max(rows, 1)))
        for page in range(0, pages, step):
            yield copied._replace(source=f"{copied.source} AND {sql.pages(page, page + step)}")

    def _send(self, copied: sql.Copied, to: str = "") -> int:
        with self.source.raw.cursor() as reader, self.target.raw.cursor() as writer:
            with reader.copy(copied.copy_out()) as rows, writer.copy(copied.copy_in(to)) as taken:
                for block in _blocks(rows):
                    taken.write(block)
                    self.pace.after(block.count(b"\n"))
            return int(writer.rowcount)

    def _compared(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for content, copied in self.tables:
            before = self.source.ask(copied.checksum_of_source())[0]
            after = self.target.ask(copied.checksum_of_target())[0]
            if before != after:
                raise MoveRefused(
                    f"{content.label} is not the same on both sides: {before[0]} rows with the checksum {before[1]} at "
                    f"{self.source.path(content.table)}, {after[0]} with {after[1]} at {copied.target}. Nothing was "
                    "changed. A trigger of the table may write rows while they are copied."
                )
            yield content.label, {"rows": after[0], "checksum": after[1]}

    def _advance(self) -> None:
        for content, copied in self.tables:
            there = {column.name: column.sequence for column in self.source.columns[content.table]}
            for column in self.target.columns[content.table]:
                if column.sequence is None:
                    continue
                last = self.target.ask(sql.greatest(copied.target, column.name, copied.among))[0][0]
                if not self.target.spot.is_shared and there[column.name] is not None:
                    given = self.source.ask(f"SELECT last_value FROM {there[column.name]} WHERE is_called")
                    last = max([one for one in (last, *(row[0] for row in given)) if one is not None], default=None)
                if last is not None:
                    self.target.raw.execute(sql.advance(column.sequence, last))


class Pace:
    """So many rows a second and not more; None is as many as can be."""

    def __init__(self, rate: int | None) -> None:
        self.rate = rate
        self.done = 0
        self.began = time.monotonic()

    def after(self, rows: int) -> None:
        """Wait, where so many rows more came too soon."""
        self.done += rows
        if self.rate is not None:
            time.sleep(max(0.0, self.done / self.rate - (time.monotonic() - self.began)))


def _blocks(rows: Iterable[Any]) -> Iterator[bytes]:
    """What comes row by row, in pieces of some size."""
    waiting: list[bytes] = []
    size = 0
    for row in rows:
        waiting.append(bytes(row))
        size += len(waiting[-1])
        if size >= BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
