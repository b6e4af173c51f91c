"""Rows that belong to no tenant and are every tenant's to read (`GlobalRows`), inside the homes of tenants.

References to them are constraints, so a home has them in its own tables. They are written where row tenants are; a
trigger there writes them into the schemas in the same transaction, and notes them for databases, which get them as they
get copies of shared rows. What a home has of them it has as copies: the policies let operators write them, and
operators are at home with row tenants only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .homes import quoted
from .roles import Roles
from .session import literal

WRITTEN, DELETED = "tenantkit_common_written", "tenantkit_common_deleted"
TRIGGERS = (WRITTEN, DELETED)

#: The home that finished schemas are read from; it has rows of migrations only.
REFERENCE = f"t_{'0' * 32}"

#: The tables that have such rows: in which schema, and the columns of their tenant and their key.
TABLE = """
CREATE TABLE IF NOT EXISTS tenantkit.common (
    name text PRIMARY KEY, schema text NOT NULL, tenant_column text NOT NULL, key_column text NOT NULL)
"""

#: Whoever writes such a row, and whoever makes a home, wait for each other: what a new home reads is complete.
_LOCK = "hashtextextended('tenantkit.common', 0)"

#: Which tables these are by now.
KNOWN = "SELECT name, schema, tenant_column, key_column FROM tenantkit.common"

#: The tables whose triggers are both whole, with their arguments: for each row, after INSERT or UPDATE (21) and after
#: DELETE (9), where it is nobody's.
WATCHED = f"""
SELECT relname, min(encode(tgargs, 'escape')) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE (tgname, tgtype) IN (('{WRITTEN}', 21), ('{DELETED}', 9)) AND tgenabled = 'O' AND tgqual IS NOT NULL
    AND tgfoid = to_regproc('tenantkit.spread_common') AND relnamespace = to_regnamespace(%s)
GROUP BY relname HAVING count(*) = 2
"""

#: Rows as JSON, in place of what is there. A key that a tenant's row has already is an error.
WRITE = """
CREATE OR REPLACE FUNCTION tenantkit.write_common(relation regclass, tenant_column text, given jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
    columns text;
    changes text;
    key text;
    number bigint;
BEGIN
    IF EXISTS (SELECT FROM jsonb_array_elements(given) AS row WHERE row ->> tenant_column IS NOT NULL) THEN
        RAISE EXCEPTION 'This would write a tenant''s row into % as one of all tenants.', relation
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT string_agg(quote_ident(attname), ', '), string_agg(format('%1$I = EXCLUDED.%1$I', attname), ', ')
        INTO columns, changes
        FROM pg_attribute
        WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            AND jsonb_exists(given -> 0, attname);
    SELECT string_agg(quote_ident(attname), ', ') INTO key
        FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
        WHERE indrelid = relation AND indisprimary;
    IF columns IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'INSERT INTO %1$s AS own (%2$s) OVERRIDING SYSTEM VALUE '
        'SELECT %2$s FROM jsonb_populate_recordset(NULL::%1$s, $1) '
        'ON CONFLICT (%3$s) DO UPDATE SET %4$s WHERE own.%5$I IS NULL', relation, columns, key, changes, tenant_column
    ) USING given;
    GET DIAGNOSTICS number = ROW_COUNT;
    IF number <> jsonb_array_length(given) THEN
        RAISE EXCEPTION 'A row of all tenants has the key of a tenant''s row in %.', relation
            USING ERRCODE = 'unique_violation';
    END IF;
END
$$
"""

#: The trigger: into every schema, and noted for every database.
SPREAD = f"""
CREATE OR REPLACE FUNCTION tenantkit.spread_common() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    relation regclass;
BEGIN
    PERFORM pg_advisory_xact_lock_shared({_LOCK});
    FOR relation IN
        SELECT pg_class.oid FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relname = TG_TABLE_NAME AND nspname ~ '^t_[0-9a-f]{{32}}$' AND nspname <> '{REFERENCE}' ORDER BY nspname
    LOOP
        IF TG_OP = 'DELETE' THEN
            EXECUTE format('DELETE FROM %1$s WHERE %2$I = ($1).%2$I AND %3$I IS NULL', relation, TG_ARGV[1], TG_ARGV[0])
                USING OLD;
        ELSE
            PERFORM tenantkit.write_common(relation, TG_ARGV[0], jsonb_build_array(to_jsonb(NEW)));
        END IF;
    END LOOP;
    IF to_regclass('tenantkit.changes') IS NOT NULL THEN
        INSERT INTO tenantkit.changes (name, key, home)
            SELECT c.name, c.key, c.home FROM tenantkit.copies AS c WHERE c.name = TG_TABLE_NAME AND c.key = '*';
    END IF;
    RETURN NULL;
END
$$
"""

#: All of them into a schema that is new, was away, or has other columns than before. As the owner.
FILL = f"""
CREATE OR REPLACE FUNCTION tenantkit.fill_common(home text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
    entry record;
    relation regclass;
    given jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock({_LOCK});
    FOR entry IN SELECT * FROM tenantkit.common LOOP
        relation := to_regclass(format('%I.%I', home, entry.name));
        IF relation IS NOT NULL AND to_regclass(format('%I.%I', entry.schema, entry.name)) IS NOT NULL THEN
            EXECUTE format('DELETE FROM %1$s AS own WHERE %2$I IS NULL AND NOT EXISTS ('
                'SELECT FROM %3$I.%4$I AS other WHERE other.%5$I = own.%5$I AND other.%2$I IS NULL)',
                relation, entry.tenant_column, entry.schema, entry.name, entry.key_column);
            EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(t)), ''[]'') FROM %I.%I AS t WHERE %I IS NULL',
                entry.schema, entry.name, entry.tenant_column) INTO given;
            PERFORM tenantkit.write_common(relation, entry.tenant_column, given);
        END IF;
    END LOOP;
END
$$
"""

#: All of them into a tenant's database, as `[{"table": ..., "rows": [...]}, ...]`, and no others of nobody.
RECEIVE = """
CREATE OR REPLACE FUNCTION tenantkit.receive_common(given jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    one jsonb;
    entry record;
    relation regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM tenantkit.copied) THEN
        RAISE EXCEPTION 'This is not the database of a tenant.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR one IN SELECT value FROM jsonb_array_elements(given) LOOP
        SELECT * INTO STRICT entry FROM tenantkit.common WHERE name = one ->> 'table';
        relation := format('%I.%I', entry.schema, entry.name)::regclass;
        EXECUTE format('DELETE FROM %s WHERE %I IS NULL AND %I::text <> ALL ($1)',
            relation, entry.tenant_column, entry.key_column)
            USING ARRAY(SELECT row ->> entry.key_column FROM jsonb_array_elements(one -> 'rows') AS row);
        PERFORM tenantkit.write_common(relation, entry.tenant_column, one -> 'rows');
    END LOOP;
END
$$
"""

#: In every database where tenants have homes of their own, and in those with copies.
FUNCTIONS = (WRITE, SPREAD, FILL)
STATEMENTS = (TABLE, *FUNCTIONS)


class Common(NamedTuple):
    """A table with such rows; names are not quoted."""

    name: str
    schema: str
    tenant_column: str
    key_column: str


def fill(schema: str) -> str:
    """The statement that brings them into a schema, as part of a message."""
    return f"SELECT tenantkit.fill_common({literal(schema)})"


def privileges(roles: Roles) -> list[str]:
    """Nobody but the owner says which tables these are."""
    users = f"{quoted(roles.application)}, {quoted(roles.operator)}"
    return [f"REVOKE ALL ON tenantkit.common FROM PUBLIC, {users}"]


def name_tables(tables: Iterable[Common]) -> list[str]:
    """The statements that say which tables these are."""
    values = ", ".join(f"({', '.join(map(literal, table))})" for table in tables)
    return ["DELETE FROM tenantkit.common", *([f"INSERT INTO tenantkit.common VALUES {values}"] if values else [])]


def arguments(table: Common) -> str:
    """What triggers get, as the catalog has it in `WATCHED`."""
    return "".join(f"{one}\\000" for one in (table.tenant_column, table.key_column))


def watch(table: Common) -> list[str]:
    """The statements after which they are spread from a table, when they are written and when they are deleted."""
    name, column = f"{quoted(table.schema)}.{quoted(table.name)}", quoted(table.tenant_column)
    call = f"EXECUTE FUNCTION tenantkit.spread_common({literal(table.tenant_column)}, {literal(table.key_column)})"
    return [
        *(f"DROP TRIGGER IF EXISTS {trigger} ON {name}" for trigger in TRIGGERS),
        f"CREATE TRIGGER {WRITTEN} AFTER INSERT OR UPDATE ON {name} FOR EACH ROW WHEN (NEW.{column} IS NULL) {call}",
        f"CREATE TRIGGER {DELETED} AFTER DELETE ON {name} FOR EACH ROW WHEN (OLD.{column} IS NULL) {call}",
    ]


def rows(table: Common) -> str:
    """The query for all of a table, as JSON."""
    name = f"{quoted(table.schema)}.{quoted(table.name)}"
    return f"SELECT to_jsonb(t)::text FROM {name} AS t WHERE {quoted(table.tenant_column)} IS NULL"
