"""What archives are made of and how they are loaded. Names are quoted, with their schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .homes import quoted
from .session import literal

#: Characters that JSON never contains, so that a line of COPY is the row's JSON as it is.
_FORMAT = "(FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
#: The same in bytes that arrive: what contains them is no JSON.
FORBIDDEN = (b"\x00", b"\x01", b"\x02")

#: The columns of a table in order: name, type, and whether JSON says what is in it without loss. JSON itself is not
#: among them, as its null is another value than SQL's; nor are arrays, which may begin at other places than 1.
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod),
    atttypid::regtype::text = ANY (ARRAY[
        'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'double precision', 'real', 'text', 'character varying',
        'uuid', 'date', 'timestamp without time zone', 'timestamp with time zone', 'time without time zone'
    ])
FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""

#: Keys of rows on their way in: what they were in the archive, what they become.
KEYS = """
CREATE TEMP TABLE tenantkit_keys (kind text, old text, new text, PRIMARY KEY (kind, old)) ON COMMIT DROP
"""
KEYS_TABLE = "pg_temp.tenantkit_keys"

#: The sequence of a column, or NULL.
SEQUENCE = "SELECT pg_get_serial_sequence(%s, %s)"
ADVANCE = "SELECT tenantkit.advance_sequence(%s, %s)"


class Given(NamedTuple):
    """A column that an archive has: its name, its type, whether it is text there, and which keys it refers to: `kind`,
    and whether there has to be an entry for each."""

    name: str
    type: str
    as_text: bool
    kind: str = ""
    must_be_known: bool = False
    generic: str = ""


def take(table: str, columns: Iterable[tuple[str, str]], condition: str) -> str:
    """The COPY of rows as lines of JSON. `columns` are names with what is read for each."""
    wanted = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in columns)
    rows = f"SELECT {wanted} FROM {table} AS t WHERE {condition}"
    return f"COPY (SELECT row_to_json(r) FROM ({rows}) AS r) TO STDOUT {_FORMAT}"


def is_tenants(column: str, key: object) -> str:
    """The condition that a row is a tenant's."""
    return f"{quoted(column)} = {literal(str(key))}"


def staging(place: int) -> str:
    """The name of the table in which the lines of an archive's model arrive."""
    return f"pg_temp.tenantkit_rows_{place}"


def make_staging(place: int) -> str:
    """The statement that makes it."""
    return f"CREATE TEMP TABLE tenantkit_rows_{place} (line jsonb NOT NULL) ON COMMIT DROP"


def fill_staging(place: int) -> str:
    """The COPY that fills it."""
    return f"COPY {staging(place)} FROM STDIN {_FORMAT}"


def staged_values(place: int, column: str) -> str:
    """The query for the values of a column in lines, as text."""
    return (
        f"SELECT DISTINCT line ->> {literal(column)} FROM {staging(place)} WHERE line ->> {literal(column)} IS NOT NULL"
    )


def among(table: str, column: str, condition: str) -> str:
    """The query for which of given texts a column holds."""
    name = quoted(column)
    return f"SELECT DISTINCT {name}::text FROM {table} WHERE {condition} AND {name} = ANY (%s)"


#: Only one process does a job that was left. The lock is its transaction's, which may wait for as long as that takes.
ALONE = """
SELECT set_config('idle_in_transaction_session_timeout', '0', true),
    pg_try_advisory_xact_lock(hashtextextended('tenantkit.archive ' || %s, 0))
"""

#: The migrations on record.
MIGRATIONS = "SELECT app, name FROM {schema}.django_migrations ORDER BY app, name"


def count(table: str, condition: str) -> str:
    """The query for how many rows there are."""
    return f"SELECT count(*) FROM {table} WHERE {condition}"


def distinct(table: str, column: str, condition: str) -> str:
    """The query for the values of a column, as text."""
    name = quoted(column)
    return f"SELECT DISTINCT {name}::text FROM {table} WHERE {condition} AND {name} IS NOT NULL"


class Nobodys(NamedTuple):
    """A table with rows of no tenant: its name, the column that is referred to, and the tenant's."""

    table: str
    key: str
    tenant: str


def distinct_of_nobody(table: str, column: str, condition: str, nobodys: Nobodys) -> str:
    """The same, for those that refer to rows of no tenant."""
    return (
        f"SELECT DISTINCT t.{quoted(column)}::text FROM (SELECT * FROM {table} WHERE {condition}) AS t "
        f"JOIN {nobodys.table} AS target ON target.{quoted(nobodys.key)} = t.{quoted(column)} "
        f"WHERE target.{quoted(nobodys.tenant)} IS NULL"
    )


def is_kind(column: str, key: object) -> str:
    """The condition that a row refers to rows of one content type."""
    return f"{quoted(column)} = {literal(str(key))}"


PUT_KEYS = f"INSERT INTO {KEYS_TABLE} SELECT %s, old, new FROM unnest(%s::text[], %s::text[]) AS given(old, new)"

#: Generic references hold the key of a content type and that of a row.
PUT_GENERIC = f"""
INSERT INTO {KEYS_TABLE} SELECT %(generic)s, %(type)s || '/' || old, new FROM {KEYS_TABLE} WHERE kind = %(kind)s
"""


class KeyColumn(NamedTuple):
    """The column of a primary key."""

    name: str
    type: str


def _arriving(staged: str, key: KeyColumn) -> str:
    return f"(SELECT (line ->> {literal(key.name)})::{key.type} AS key FROM {staged}) AS s"


def taken_by_tenant(table: str, staged: str, key: KeyColumn, condition: str) -> str:
    """The query for how many rows the tenant has under keys that arrive."""
    join = f"JOIN {table} AS t ON t.{quoted(key.name)} = s.key"
    return f"SELECT count(*) FROM {_arriving(staged, key)} {join} WHERE {condition}"


def is_anothers(tenant: str, key: object) -> str:
    """The condition that a row `t`, if there is one, is not the tenant's."""
    return f"(t.tableoid IS NOT NULL AND t.{quoted(tenant)} IS DISTINCT FROM {literal(str(key))})"


def any_key(table: str, staged: str, key: KeyColumn, condition: str) -> str:
    """The query for whether any key that arrives fulfils a condition."""
    join = f"LEFT JOIN {table} AS t ON t.{quoted(key.name)} = s.key"
    return f"SELECT EXISTS (SELECT FROM {_arriving(staged, key)} {join} WHERE {condition})"


def new_keys(kind: str, table: str, staged: str, key: KeyColumn, condition: str, new: str) -> str:
    """The statement that gives new keys to rows that fulfil a condition."""
    join = f"LEFT JOIN {table} AS t ON t.{quoted(key.name)} = s.key"
    return (
        f"INSERT INTO {KEYS_TABLE} SELECT {literal(kind)}, s.key::text, ({new})::text "
        f"FROM {_arriving(staged, key)} {join} WHERE {condition}"
    )


def greatest_key(staged: str, key: KeyColumn, most: int) -> str:
    """The query for the greatest key that arrives, of those that are kept."""
    return f"SELECT max(key) FROM {_arriving(staged, key)} WHERE key <= {most}"


def _as_given(columns: Sequence[str]) -> str:
    """The condition that a line has these columns and no others."""
    names = f"ARRAY[{', '.join(map(literal, columns))}]::text[]"
    return f"(line ?& {names} AND line - {names} = '{{}}'::jsonb)"


def wrong_lines(place: int, columns: Sequence[str]) -> str:
    """The query for how many lines have other columns than these."""
    return f"SELECT count(*) FROM {staging(place)} WHERE NOT {_as_given(columns)}"


class Insertion:
    """The statement that inserts rows out of their lines."""

    def __init__(self, table: str, staged: str, key: str, given: Sequence[str]) -> None:
        self._table, self._staged, self._key = table, staged, key
        self._columns: list[str] = []
        self._values: list[str] = []
        self._joins: list[str] = []
        self._conditions = [_as_given(given)]

    def add(self, name: str, expression: str) -> None:
        """A column with the same value in all rows."""
        self._columns.append(quoted(name))
        self._values.append(expression)

    def add_given(self, column: Given) -> None:
        """A column of the lines."""
        name = quoted(column.name)
        text = f"s.line ->> {literal(column.name)}"
        value = f"({text})::{column.type}" if column.as_text else f"(s.r).{name}"
        if column.kind:
            keys = self._join(f"{literal(column.kind)}", f"{value}::text")
            if column.must_be_known:
                self._conditions.append(f"({text} IS NULL OR {keys}.new IS NOT NULL)")
                value = f"{keys}.new::{column.type}"
            else:
                value = f"coalesce({keys}.new, {value}::text)::{column.type}"
        if column.generic:
            keys = self._join("'*'", f"(s.r).{quoted(column.generic)}::text || '/' || {value}::text")
            value = f"coalesce({keys}.new, {value}::text)::{column.type}"
        self.add(column.name, value)

    def _join(self, kind: str, old: str) -> str:
        name = f"k{len(self._joins)}"
        self._joins.append(f"LEFT JOIN {KEYS_TABLE} AS {name} ON {name}.kind = {kind} AND {name}.old = {old}")
        return name

    def rows(self) -> str:
        """The query for the rows as they will be."""
        values = ", ".join(f"{value} AS {name}" for name, value in zip(self._columns, self._values, strict=True))
        source = f"SELECT jsonb_populate_record(NULL::{self._table}, line) AS r, line FROM {self._staged} OFFSET 0"
        return f"SELECT {values} FROM ({source}) AS s {' '.join(self._joins)} WHERE {' AND '.join(self._conditions)}"

    def statement(self, tenant: str | None, key: object, *, updates: bool, leaves_taken: bool) -> str:
        """All of it. `updates`: rows that the tenant has already are replaced. `leaves_taken`: what a unique
        constraint forbids is left out."""
        conflict = ""
        if leaves_taken:
            conflict = "ON CONFLICT DO NOTHING"
        elif updates:
            changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in self._columns if name != quoted(tenant or ""))
            own = "" if tenant is None else f" WHERE own.{quoted(tenant)} = {literal(str(key))}"
            conflict = f"ON CONFLICT ({quoted(self._key)}) DO UPDATE SET {changes}{own}"
        names = ", ".join(self._columns)
        return f"INSERT INTO {self._table} AS own ({names}) OVERRIDING SYSTEM VALUE {self.rows()} {conflict}"


def hashed(column: str, salt: str, length: int) -> str:
    """The expression for a value that tells nothing but whether two are the same; what is NULL or
    empty stays so."""
    value = f"t.{quoted(column)}::text"
    digest = f"left(encode(sha256(convert_to({literal(salt)} || {value}, 'UTF8')), 'hex'), {length})"
    return f"CASE WHEN {value} = '' THEN '' ELSE {digest} END"


def fixed(value: object, kind: str) -> str:
    """The expression for the same value in every row, as text that PostgreSQL reads as the column's type."""
    return "NULL" if value is None else f"{literal(str(value))}::{kind}"


class Compared(NamedTuple):
    """A table and the one with its rows as they were: full names, the key's column, the tenant's (or None), the columns
    with whether they are compared as text, and the tenant's key."""

    now: str
    was: str
    key: str
    tenant: str | None
    columns: Sequence[tuple[str, bool]]
    tenant_key: object

    @property
    def own(self) -> str:
        """The condition that a row of today is the tenant's."""
        return "true" if self.tenant is None else f"now.{quoted(self.tenant)} = {literal(str(self.tenant_key))}"

    @property
    def joined(self) -> str:
        """The rows of both by key."""
        key = quoted(self.key)
        now = f"(SELECT true AS tenantkit_is, * FROM {self.now} AS now WHERE {self.own}) AS now"
        return f"{now} FULL JOIN (SELECT true AS tenantkit_is, * FROM {self.was}) AS was USING ({key})"

    @property
    def differing(self) -> str:
        """The names of the columns that differ."""
        names = ", ".join(
            f"CASE WHEN now.{quoted(name)}{cast} IS DISTINCT FROM was.{quoted(name)}{cast} THEN {literal(name)} END"
            for name, as_text in self.columns
            for cast in ["::text" if as_text else ""]
            if name != self.key
        )
        return f"array_remove(ARRAY[{names}]::text[], NULL)"

    @property
    def kind(self) -> str:
        """What became of a row since."""
        gone, new = "now.tenantkit_is IS NULL", "was.tenantkit_is IS NULL"
        return f"CASE WHEN {gone} THEN 'missing' WHEN {new} THEN 'new' ELSE 'changed' END"


def past(place: int) -> str:
    """The name of the table with rows as they were."""
    return f"pg_temp.tenantkit_past_{place}"


def make_past(place: int, rows: str) -> str:
    """The statement that makes it."""
    return f"CREATE TEMP TABLE tenantkit_past_{place} ON COMMIT DROP AS {rows}"


def count_differences(found: Compared) -> str:
    """The query for how many rows are missing, new or changed today."""
    rows = f"SELECT {found.kind} AS kind, {found.differing} AS names FROM {found.joined}"
    return f"SELECT kind, count(*) FROM ({rows}) AS found WHERE kind <> 'changed' OR names <> '{{}}' GROUP BY kind"


def list_differences(found: Compared, most: int) -> str:
    """The query for those rows: key, what became of it, the columns that differ, the row today and as it was."""
    return (
        f"SELECT key, kind, names, today, past FROM (SELECT {quoted(found.key)}::text AS key, {found.kind} AS kind, "
        f"{found.differing} AS names, to_jsonb(now) - 'tenantkit_is' AS today, to_jsonb(was) - 'tenantkit_is' AS past "
        f"FROM {found.joined}) AS found WHERE kind <> 'changed' OR names <> '{{}}' ORDER BY kind, key LIMIT {int(most)}"
    )


def delete_new(found: Compared) -> str:
    """The statement that deletes rows that were not there."""
    key = quoted(found.key)
    missing = f"NOT EXISTS (SELECT FROM {found.was} AS was WHERE was.{key} = now.{key})"
    return f"DELETE FROM {found.now} AS now WHERE {found.own} AND {missing}"


def put_back(found: Compared, columns: Iterable[str]) -> str:
    """The statement that makes rows what they were. `columns` are all that a row has; those that were not there then
    keep what they have. A row that another tenant has by now is left alone."""
    names = [quoted(name) for name in columns]
    listed, values = ", ".join(names), ", ".join(names)
    own = ""
    if found.tenant is not None:
        listed, values = f"{listed}, {quoted(found.tenant)}", f"{values}, {literal(str(found.tenant_key))}"
        own = f" WHERE {found.own}"
    changes = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name, _ in found.columns)
    return (
        f"INSERT INTO {found.now} AS now ({listed}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {found.was} "
        f"ON CONFLICT ({quoted(found.key)}) DO UPDATE SET {changes}{own}"
    )
