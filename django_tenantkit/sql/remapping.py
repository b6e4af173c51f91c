"""New keys for rows whose own are taken where they come to: tables of old and new ones.

They are temporary, but for a move that copies beside the tenant's work: what was copied with a new key is found by it
again until the tenant has moved.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from .homes import quoted
from .moving import Copied
from .session import literal

#: What names of those that stay begin with, in the schema `tenantkit`; the tenant's uid follows.
KEPT = "keys_"

#: How many keys are set aside for what the tenant writes while it is copied into shared tables, by their type.
RESERVED = {"smallint": 100, "integer": 100_000, "bigint": 1_000_000}
LAST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}

#: Those that stay of a tenant, by full name.
FIND_KEPT = """
SELECT format('tenantkit.%%I', relname) FROM pg_class
WHERE relnamespace = to_regnamespace('tenantkit') AND relkind = 'r' AND starts_with(relname, %s) ORDER BY 1
"""


def prefix(uid: Any) -> str:
    """What names of those that stay of a tenant begin with."""
    return f"{KEPT}{uid.hex}_"


def temporary(table: str) -> str:
    """The full name of the one for a table that ends with the transaction."""
    return f"pg_temp.{_digested('tenantkit_keys_', table)}"


def kept(uid: Any, table: str) -> str:
    """The full name of the one for a table that stays."""
    return f"tenantkit.{_digested(prefix(uid), table)}"


def _digested(start: str, table: str) -> str:
    """Names of tables are as long as names can be."""
    return quoted(start + sha256(table.encode()).hexdigest()[:16])


def make(name: str, kind: str) -> str:
    """Make one for keys of that type, unless it is there."""
    if (bare := name.removeprefix("pg_temp.")) != name:
        return f"CREATE TEMP TABLE {bare} (old {kind} PRIMARY KEY, new {kind}) ON COMMIT DROP"
    return f"CREATE TABLE IF NOT EXISTS {name} (old {kind} PRIMARY KEY, new {kind})"


def find(name: str, own: str, copied: Copied, column: str) -> str:
    """Note the keys that somebody else has at the target: of rows in `own`, which stands behind FROM. What the tenant
    itself has there is its own."""
    return (
        f"INSERT INTO {name} (old) SELECT own.{column} FROM {own} AS own "
        f"JOIN {copied.target} AS t ON t.{column} = own.{column} WHERE NOT {copied.among} ON CONFLICT DO NOTHING"
    )


def give(name: str, value: str) -> str:
    """Give those a new key that have none; `value` makes one."""
    return f"UPDATE {name} SET new = {value} WHERE new IS NULL"


def changed(name: str, keys: str) -> str:
    """The keys at the target of rows with `keys`, an array."""
    return f"SELECT coalesce(k.new, own) FROM unnest({keys}) AS own LEFT JOIN {name} AS k ON k.old = own"


def last_given(sequence: str | None, table: str, column: str) -> str:
    """The greatest number that a sequence has given, if there is one, or that a column has."""
    given = "NULL" if sequence is None else f"(SELECT last_value FROM {sequence})"
    return f"SELECT greatest({given}, (SELECT max({quoted(column)}) FROM {table}))"


def no_writers(table: str) -> str:
    """The statement that fails where a transaction is open that has written into a table."""
    return f"DO {literal(f'BEGIN LOCK TABLE {table} IN SHARE MODE NOWAIT; END')}"
