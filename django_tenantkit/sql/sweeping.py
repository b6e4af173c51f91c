"""Copies in a shard that nobody refers to: which there are, and who may still be about to refer to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .homes import quoted
from .session import literal

#: The columns of tables that homes have, of those with these names, wherever they are.
COLUMNS = """
SELECT nspname, relname, attname FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND relname = ANY (%s) AND attname = ANY (%s) AND attnum > 0 AND NOT attisdropped
ORDER BY nspname, relname, attname
"""

#: Whoever brings a tenant to this database holds it from the moment that shared rows are brought until its rows are
#: there.
_ARRIVING = "hashtext('tenantkit.arrive')"
ARRIVE = f"SELECT pg_advisory_lock_shared({_ARRIVING})"
ARRIVED = f"SELECT pg_advisory_unlock_shared({_ARRIVING})"

#: Whether nobody is in the middle of that, at this moment.
TRY_ALONE = f"SELECT pg_try_advisory_xact_lock({_ARRIVING})"

#: The transactions in this database that have written to a table.
WRITERS = """
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

#: What the main database believes to be copied to a home, row by row.
REGISTERED = "SELECT name, key FROM tenantkit.copies WHERE home = %s AND key <> '*'"

#: Rows are not copied there any more: they leave the list, but for those that somebody brings at this moment.
UNREGISTER = """
DELETE FROM tenantkit.copies AS c USING (
    SELECT name, key, home FROM tenantkit.copies
    WHERE home = %s AND (name, key) IN (SELECT * FROM unnest(%s::text[], %s::text[])) FOR UPDATE SKIP LOCKED
) AS gone
WHERE (c.name, c.key, c.home) = (gone.name, gone.key, gone.home)
"""


class Use(NamedTuple):
    """A column that refers to rows of a shared table, by full name of its own table; and the target's name, its key
    and its column that is referred to."""

    table: str
    column: str
    target: str
    key: str
    target_column: str


def versions(table: str, key: str) -> str:
    """The query for the keys of all copies in a table. Each write of one makes another version of it."""
    return f"SELECT {quoted(key)}::text, xmin::text FROM public.{quoted(table)}"


def used(uses: Iterable[Use]) -> str:
    """The query for the copies that rows refer to, each as table and key."""
    return " UNION ".join(
        f"SELECT {literal(use.target)}, t.{quoted(use.key)}::text FROM public.{quoted(use.target)} AS t WHERE EXISTS "
        f"(SELECT FROM {use.table} AS s WHERE s.{quoted(use.column)} = t.{quoted(use.target_column)})"
        for use in uses
    )


def named(table: str, kind: str, key: str) -> str:
    """The query for what a generic foreign key refers to: content types and keys."""
    kind, key = quoted(kind), quoted(key)
    return f"SELECT DISTINCT {kind}, {key}::text FROM {table} WHERE {kind} IS NOT NULL AND {key} IS NOT NULL"


def led_to(use: Use, own_key: str) -> str:
    """The query for copies that refer to other ones: the keys of both."""
    return (
        f"SELECT s.{quoted(own_key)}::text, t.{quoted(use.key)}::text FROM {use.table} AS s "
        f"JOIN public.{quoted(use.target)} AS t ON t.{quoted(use.target_column)} = s.{quoted(use.column)}"
    )


def lock(table: str, key: str) -> str:
    """The query that locks copies by key, but for those that a transaction brings or changes at this moment."""
    column = quoted(key)
    return f"SELECT {column}::text FROM public.{quoted(table)} WHERE {column}::text = ANY (%s) FOR UPDATE SKIP LOCKED"


def remove(table: str, key: str) -> str:
    """The statement that removes them."""
    return f"DELETE FROM public.{quoted(table)} WHERE {quoted(key)}::text = ANY (%s)"
