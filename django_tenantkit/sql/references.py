"""References within the tenant, as text."""

from __future__ import annotations

from collections.abc import Iterable

from .session import literal

#: Django's own with the last column of a reference in place of the first, which is the tenant's.
RELATIONS = """
SELECT own.attname, target.relname, other.attname
FROM pg_constraint AS reference
JOIN pg_class AS source ON source.oid = reference.conrelid
JOIN pg_class AS target ON target.oid = reference.confrelid AND target.relnamespace = source.relnamespace
JOIN pg_attribute AS own ON own.attrelid = source.oid AND own.attnum = conkey[array_length(conkey, 1)]
JOIN pg_attribute AS other ON other.attrelid = target.oid AND other.attnum = confkey[array_length(confkey, 1)]
WHERE source.relname = %s AND reference.contype = 'f' AND pg_catalog.pg_table_is_visible(source.oid)
"""

#: The unique constraints and foreign keys of a table, whose name is quoted, with their columns in order.
CONSTRAINTS = """
SELECT conname, contype::text, ARRAY(
    SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place)
FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype IN ('u', 'f')
"""

#: Who asks, and whether policies hide rows of one of two tables from it: it is no member of the owner's role.
IS_BLIND = """
SELECT current_user::text, (row_security_active(%s) OR row_security_active(%s))
       AND NOT coalesce((SELECT pg_has_role(oid, 'USAGE') FROM pg_roles WHERE rolname = %s), false)
"""


def create_check(trigger: str, table: str, column: str, names: Iterable[str]) -> str:
    """The statement that makes a trigger for a reference. `names`, which are not quoted, are those of the
    columns: the reference, the key and the tenant of its row, the tenant of the row referred to."""
    given = ", ".join(map(literal, names))
    return (
        f"CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT OR UPDATE OF {column} ON {table} DEFERRABLE INITIALLY "
        f"DEFERRED FOR EACH ROW WHEN (NEW.{column} IS NOT NULL) EXECUTE FUNCTION tenantkit.check_reference({given})"
    )


def drop_check(trigger: str, table: str) -> str:
    """The statements that remove it, once it has looked at what was written."""
    return f"SET CONSTRAINTS {trigger} IMMEDIATE; DROP TRIGGER {trigger} ON {table}"


def refuse_crossing(table: str, column: str, tenant: str, target: str, key: str, to_tenant: str) -> str:
    """A block that fails where a row of `table` refers to another tenant's. All names are quoted."""
    crosses = (
        f"SELECT FROM {table} AS own JOIN {target} AS other ON other.{key} = own.{column} "
        f"WHERE other.{to_tenant} IS NOT NULL AND other.{to_tenant} IS DISTINCT FROM own.{tenant}"
    )
    message = literal(f"rows of {table} refer to rows of another tenant by {column}")
    return (
        f"DO $check$ BEGIN IF EXISTS ({crosses}) THEN RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', "
        f"MESSAGE = {message}; END IF; END $check$"
    )
