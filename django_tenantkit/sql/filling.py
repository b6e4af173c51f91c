"""How rows of a table that was shared get their tenant, as text. All names are quoted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Hop(NamedTuple):
    """From a column of one table to a row of the next."""

    column: str
    table: str
    key: str


def tenant_at(table: str, hops: Sequence[Hop], tenant: str) -> str:
    """The tenant of the row that a row of `table` leads to."""
    first, *others = hops
    source = f"{first.table} AS hop0"
    for number, hop in enumerate(others, start=1):
        source += f" JOIN {hop.table} AS hop{number} ON hop{number}.{hop.key} = hop{number - 1}.{hop.column}"
    return f"(SELECT hop{len(others)}.{tenant} FROM {source} WHERE hop0.{first.key} = {table}.{first.column})"


def fill(table: str, column: str, value: str) -> str:
    """The statement that gives all rows without a tenant theirs."""
    return f"UPDATE {table} SET {column} = {value} WHERE {column} IS NULL"


def fill_some(table: str, column: str, value: str, number: int) -> str:
    """The same for some of the rows that `value` knows one for. PostgreSQL only."""
    some = f"SELECT ctid FROM {table} WHERE {column} IS NULL AND {value} IS NOT NULL LIMIT {number}"
    return f"UPDATE {table} SET {column} = {value} WHERE ctid = ANY (ARRAY({some}))"


def count_nobodys(table: str, column: str) -> str:
    """How many rows have none."""
    return f"SELECT count(*) FROM {table} WHERE {column} IS NULL"


def promise_not_null(table: str, name: str, column: str) -> list[str]:
    """The statements after which SET NOT NULL need not read the table under its lock."""
    return [
        drop_promise(table, name),
        f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID",
        f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
    ]


def drop_promise(table: str, name: str) -> str:
    """The statement that removes what they made, if it is there."""
    return f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"


#: The indexes of a table that a program was building when it ended, by quoted name.
HALF_MADE = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = to_regclass(%s) AND NOT indisvalid"

#: Pending events of what was written keep PostgreSQL from altering a table.
SETTLE = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
