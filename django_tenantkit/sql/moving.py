"""Moving rows from one home to another: what the catalog says of both, and statements that copy and compare.

The checksum of rows does not depend on their order: the number of rows and the sum of a hash of each. Columns of types
that PostgreSQL has no hash for are hashed as text, and so are those in which values that are written differently can be
equal: 1.5 and 1.50, -0 and 0, a day and 24 hours, texts under a collation that passes over case. PostgreSQL keeps these
hashes from one version to the next, as partitions by hash depend on them; a test compares 15 with the newest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .homes import quoted
from .session import literal

#: How values are written as text while rows are compared or sent.
SETTINGS = (
    "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true), "
    "set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true), "
    "set_config('row_security', 'on', true)"
)

#: Types whose values have a hash of eight bytes, and are the same where they are equal; and arrays of them.
HASHED = [
    *("int2", "int4", "int8", "bool", "text", "varchar", "char", "name", "uuid", "bytea", "inet", "cidr"),
    *("date", "time", "timetz", "timestamp", "timestamptz"),
]

#: The columns that can be written of given tables in a schema: whether a hash can be had of them, and their sequence.
COLUMNS = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
    coalesce(e.typname, t.typname) = ANY (%(hashed)s) AND t.typtype = 'b' AND coalesce(l.collisdeterministic, true),
    pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), a.attname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE n.oid = to_regnamespace(%(schema)s) AND c.relkind IN ('r', 'p') AND c.relname = ANY (%(tables)s)
ORDER BY c.relname, a.attnum
"""

#: Tables of a schema, or of all of them where it is empty, by full name, but for those with given names.
OTHER_TABLES = r"""
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> ALL (%(known)s)
    AND (n.nspname = %(schema)s OR %(schema)s = '')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tenantkit') AND n.nspname !~ '^pg_'
ORDER BY 1
"""

#: Unique indexes of given tables in a schema that are no primary keys and compare plain columns alone.
UNIQUE = """
SELECT c.relname::text, i.relname::text, ARRAY(
    SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number WHERE k.place <= x.indnkeyatts ORDER BY k.place)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relnamespace = to_regnamespace(%(schema)s) AND c.relname = ANY (%(tables)s)
    AND x.indisunique AND NOT x.indisprimary AND x.indpred IS NULL AND x.indexprs IS NULL
ORDER BY 1, 2
"""

#: What is made again when all rows are there: of the tables of a schema the constraints but for checks, and the other
#: indexes. No row where something of it could not be made again as it was.
REMADE = """
WITH tables AS (
    SELECT c.oid, format('%%I.%%I', n.nspname, c.relname) AS name, c.relkind = 'p' OR c.relispartition
        OR EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) AS odd
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.oid = to_regnamespace(%(schema)s) AND c.relkind IN ('r', 'p') AND c.relname = ANY (%(tables)s)
),
found AS (
    SELECT CASE contype WHEN 'f' THEN 3 ELSE 1 END AS rank,
        format('ALTER TABLE %%s DROP CONSTRAINT %%I', name, conname) AS undo,
        format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', name, conname, pg_get_constraintdef(k.oid)) AS redo,
        NOT convalidated OR obj_description(k.oid, 'pg_constraint') IS NOT NULL OR odd AS odd,
        CASE contype WHEN 'f' THEN 0 ELSE conindid END AS index
    FROM pg_constraint k JOIN tables ON tables.oid = conrelid WHERE contype IN ('f', 'p', 'u', 'x')
    UNION ALL
    SELECT 2, format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid),
        NOT indisvalid OR odd, indexrelid
    FROM pg_index JOIN tables ON tables.oid = indrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
)
SELECT rank, undo, redo FROM found
WHERE NOT EXISTS (
    SELECT FROM found AS f LEFT JOIN pg_index i ON i.indexrelid = f.index
    WHERE f.odd OR i.indisclustered OR i.indisreplident OR obj_description(f.index, 'pg_class') IS NOT NULL
)
ORDER BY rank, undo
"""


class Column(NamedTuple):
    """A column to copy: what is selected for it at the source, its name, and whether it is hashed as text."""

    source: str
    name: str
    as_text: bool


class Copied(NamedTuple):
    """A table as it is copied. `source` is what stands behind FROM, with its condition, in which the table is called
    `s`; `target` is the full name, and `among` the condition for the tenant's rows there, in which it is `t`."""

    source: str
    target: str
    among: str
    columns: Sequence[Column]

    @property
    def select(self) -> str:
        """The rows as they will be."""
        return f"SELECT {', '.join(column.source for column in self.columns)} FROM {self.source}"

    @property
    def names(self) -> str:
        """The columns, as a list."""
        return ", ".join(quoted(column.name) for column in self.columns)

    def insert(self) -> str:
        """The statement that copies within a database."""
        return f"INSERT INTO {self.target} ({self.names}) OVERRIDING SYSTEM VALUE {self.select}"

    def copy_out(self) -> str:
        """The rows as text."""
        return f"COPY ({self.select}) TO STDOUT"

    def copy_in(self, target: str = "") -> str:
        """Take them, by default into the table."""
        return f"COPY {target or self.target} ({self.names}) FROM STDIN"

    def checksum_of_source(self) -> str:
        """The number of rows and their checksum, at the source."""
        return f"SELECT {_checksum((c.source, c.as_text) for c in self.columns)} FROM {self.source}"

    def checksum_of_target(self) -> str:
        """The same of what is at the target."""
        columns = ((f"t.{quoted(c.name)}", c.as_text) for c in self.columns)
        return f"SELECT {_checksum(columns)} FROM {self.target} AS t WHERE {self.among}"


def _checksum(columns: Iterable[tuple[str, bool]]) -> str:
    values = ", ".join(f'({value})::text COLLATE "C"' if as_text else value for value, as_text in columns)
    return f"count(*), coalesce(sum(hash_record_extended(ROW({values}), 7)), 0)::text"


def own(alias: str, column: str, key: str) -> str:
    """The condition for rows of the tenant with that key; all where there is no column."""
    return f"{alias}.{quoted(column)} = {literal(key)}" if column else "true"


def has_rows(table: str) -> str:
    """Whether a table, by its quoted name, has rows."""
    return f"SELECT EXISTS (SELECT FROM {table})"


def empty(tables: Iterable[str]) -> str:
    """Empty tables, by their quoted names."""
    return f"TRUNCATE {', '.join(tables)}"


def advance(sequence: str, last: int) -> str:
    """Move a sequence on to `last`, and never back."""
    return f"SELECT tenantkit.advance_sequence({literal(sequence)}, {last})"


def greatest(table: str, column: str, condition: str) -> str:
    """The greatest number in a column."""
    return f"SELECT max(t.{quoted(column)}) FROM {table} AS t WHERE {condition}"


def delete_some(table: str, condition: str, limit: int) -> str:
    """Delete some rows; in `condition` the table is `t`."""
    return (
        f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM {table} AS t WHERE {condition} LIMIT {limit}))"
    )


#: The end of what a tenant had, and the beginning of what it has. `{...}` are quoted names of tables and columns.
LOCK_JOB = "SELECT attempts FROM {job} WHERE uid = %s FOR UPDATE"
KEEP_RESULT = "UPDATE {job} SET result = %s, updated_at = now() WHERE uid = %s"
LOCK_TENANT = "SELECT isolation, database, status FROM {tenant} WHERE {key} = %s FOR NO KEY UPDATE"
SWITCH = "UPDATE {tenant} SET isolation = %s, database = %s WHERE {key} = %s"
LEAVE = """
UPDATE {place} SET uid = %(left)s, left_by = uid, state = 'leaving', drop_after = %(after)s, updated_at = now()
WHERE uid = %(uid)s
"""
ENTER = """
INSERT INTO {place} (uid, isolation, database, state, migrations, attempts, error, created_at, updated_at, taken_at)
VALUES (%(uid)s, %(isolation)s, %(server)s, 'taken', %(migrations)s, 1, '', now(), now(), now())
"""
LEFT_ROWS = """
INSERT INTO {place} (uid, isolation, database, state, migrations, attempts, error, created_at, updated_at, left_by,
    drop_after)
VALUES (%(left)s, 'row', %(server)s, 'leaving', '', 1, '', now(), now(), %(uid)s, %(after)s)
"""

#: How many pages a table has, and about how many rows; a guess where nobody has counted.
SIZE = """
WITH found AS (
    SELECT oid, pg_relation_size(oid) / current_setting('block_size')::int AS pages, reltuples
    FROM pg_class WHERE oid = %s::regclass
)
SELECT pages, coalesce(
    nullif((SELECT n_live_tup FROM pg_stat_all_tables WHERE relid = oid), 0),
    nullif(greatest(reltuples, 0), 0), pages * 100)::bigint
FROM found
"""


def pages(first: int, end: int) -> str:
    """The condition for rows on some pages of the source."""
    return f"s.ctid >= '({first},0)'::tid AND s.ctid < '({end},0)'::tid"
