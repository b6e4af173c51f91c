"""What erases rows and looks for what is left. As the system's login, which sees all rows."""

from __future__ import annotations

#: The tables of a schema, by its name.
TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = %s AND relkind IN ('r', 'p') ORDER BY relname
"""

#: Of given names those of schemas that are there; whether there is a database of a name.
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s) ORDER BY nspname"
DATABASE = "SELECT FROM pg_database WHERE datname = %s"

#: All tables of a database that are not PostgreSQL's own, with whether we may read them.
ALL_TABLES = """
SELECT nspname, relname, has_table_privilege(pg_class.oid, 'SELECT') AND has_schema_privilege(nspname, 'USAGE')
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname <> 'information_schema' AND nspname !~ '^pg_'
ORDER BY nspname, relname
"""


def count(table: str, column: str | None) -> str:
    """The number of rows of a tenant, or of all where the table has no tenant's column."""
    return f"SELECT count(*) FROM {table}" + (f" WHERE {column} = %s" if column else "")


def delete(table: str, key: str, column: str | None, batch: int | None) -> str:
    """Delete rows of a tenant: so many, or all at once."""
    condition = f" WHERE {column} = %s" if column else ""
    if batch is None:
        return f"DELETE FROM {table}{condition}"
    return f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table}{condition} LIMIT {batch})"


def page(table: str, key: str, columns: list[str], column: str | None, batch: int, *, first: bool) -> str:
    """Rows of a tenant in order of their keys, so many behind the key that is given last."""
    conditions = [f"{column} = %s"] if column else []
    conditions += [] if first else [f"{key} > %s"]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join([key, *columns])} FROM {table}{where} ORDER BY {key} LIMIT {batch}"


def texts(table: str, patterns: int, condition: str = "true") -> str:
    """For each pattern the number of rows that match it anywhere, whatever their columns are, letters of either size
    alike. Parameters: the patterns, those of the condition, and one that each row matches which matches another: only
    such rows are looked at more than once."""
    counts = ", ".join(["count(*) FILTER (WHERE x.whole ~* %s)"] * patterns)
    return f"SELECT {counts} FROM (SELECT t::text AS whole FROM {table} t WHERE {condition}) x WHERE x.whole ~* %s"
