"""Rows of shared tables that a tenant's database has copies of: how they get there and how they stay what they are.

In the tenant's database the application reads the copies and does not write them, except through
`tenantkit.receive()`. In the main database `tenantkit.copies` says which rows are copied where, and triggers note in
`tenantkit.changes` what became of them. The key `*` stands for all rows of a table.
"""

from __future__ import annotations

from collections.abc import Iterable

from .common import RECEIVE as RECEIVE_COMMON
from .homes import quoted
from .roles import Roles
from .session import literal

TRIGGER = "tenantkit_copied"
ALL = "*"

#: In every database: whose it is, which tables are copies there, which rows are copied from there, and what changed.
TABLES = """
CREATE TABLE IF NOT EXISTS tenantkit.home (uid text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tenantkit.copied (name text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tenantkit.copies (name text, key text, home text, PRIMARY KEY (name, key, home));
CREATE TABLE IF NOT EXISTS tenantkit.changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, key text NOT NULL, home text NOT NULL
)
"""

#: Rows by table, as `[{"table": ..., "rows": [...]}, ...]`, in place of what is there. One call is one statement, so
#: rows that refer to each other come together. Only tables of copies are written.
RECEIVE = """
CREATE OR REPLACE FUNCTION tenantkit.receive(given jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS
$$
DECLARE
    entry jsonb;
    relation regclass;
    columns text;
    changes text;
    key text;
BEGIN
    FOR entry IN SELECT value FROM jsonb_array_elements(given) LOOP
        IF NOT EXISTS (SELECT FROM tenantkit.copied WHERE name = entry ->> 'table') THEN
            RAISE EXCEPTION '% is no table of copies.', entry ->> 'table' USING ERRCODE = 'insufficient_privilege';
        END IF;
        relation := format('public.%I', entry ->> 'table')::regclass;
        SELECT string_agg(quote_ident(attname), ', '), string_agg(format('%1$I = EXCLUDED.%1$I', attname), ', ')
            INTO columns, changes
            FROM pg_attribute
            WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                AND jsonb_exists(entry -> 'rows' -> 0, attname);
        SELECT string_agg(quote_ident(attname), ', ') INTO key
            FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid = relation AND indisprimary;
        EXECUTE format(
            'INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM jsonb_populate_recordset(NULL::%1$s, $1) '
            'ON CONFLICT (%3$s) DO UPDATE SET %4$s', relation, columns, key, changes
        ) USING entry -> 'rows';
    END LOOP;
END
$$
"""

_DISMISS = """
CREATE OR REPLACE FUNCTION tenantkit.{name}(table_name text, key_column text, keys text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS
$$
BEGIN
    IF NOT EXISTS (SELECT FROM tenantkit.copied WHERE name = table_name) THEN
        RAISE EXCEPTION '% is no table of copies.', table_name USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DELETE FROM public.%I WHERE %I::text {which} ($1)', table_name, key_column) USING keys;
END
$$
"""

#: Rows that are gone in the main database go here too.
DISMISS = _DISMISS.format(name="dismiss", which="= ANY")

#: Rows of a table that is copied as a whole, but for those with these keys.
DISMISS_OTHERS = _DISMISS.format(name="dismiss_others", which="<> ALL")

#: What is on the list stays there until the caller's transaction ends: see `UNREGISTER` in `sweeping.py`.
REGISTER = """
CREATE OR REPLACE FUNCTION tenantkit.register_copies(table_name text, keys text[], home_uid text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
BEGIN
    LOOP
        INSERT INTO tenantkit.copies SELECT table_name, wanted, home_uid FROM unnest(keys) AS wanted
            ON CONFLICT DO NOTHING;
        PERFORM FROM tenantkit.copies WHERE name = table_name AND key = ANY (keys) AND home = home_uid FOR KEY SHARE;
        EXIT WHEN NOT EXISTS (
            SELECT FROM unnest(keys) AS wanted WHERE NOT EXISTS (
                SELECT FROM tenantkit.copies WHERE name = table_name AND key = wanted AND home = home_uid
            )
        );
    END LOOP;
END
$$
"""

NOTE = """
CREATE OR REPLACE FUNCTION tenantkit.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    changed text;
BEGIN
    changed := to_jsonb(CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END) ->> TG_ARGV[0];
    INSERT INTO tenantkit.changes (name, key, home)
        SELECT name, key, home FROM tenantkit.copies WHERE name = TG_TABLE_NAME AND key IN (changed, '*');
    RETURN NULL;
END
$$
"""

PENDING = """
CREATE OR REPLACE FUNCTION tenantkit.pending_changes(at_most integer)
RETURNS TABLE (id bigint, name text, key text, home text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT id, name, key, home FROM tenantkit.changes WHERE NOT starts_with(home, '-') ORDER BY id LIMIT at_most $$
"""

SETTLE = """
CREATE OR REPLACE FUNCTION tenantkit.settle_changes(ids bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
$$ DELETE FROM tenantkit.changes WHERE id = ANY (ids) $$
"""

#: What both sides need, in order. The schema `tenantkit` is there.
FUNCTIONS = (RECEIVE, DISMISS, DISMISS_OTHERS, REGISTER, NOTE, PENDING, SETTLE, RECEIVE_COMMON)
STATEMENTS = (TABLES, *FUNCTIONS)

#: The tables whose triggers are whole, and the keys that they note: for each row, after each kind of change (29).
WATCHED = f"""
SELECT relname, rtrim(encode(tgargs, 'escape'), '\\000') FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgname = '{TRIGGER}' AND relnamespace = 'public'::regnamespace AND tgenabled = 'O' AND tgtype = 29
    AND tgqual IS NULL AND tgattr = '' AND tgfoid = to_regproc('tenantkit.note_change')
"""

#: How many changes wait for each database, by its alias; of all, or of some.
WAITING = """
SELECT home, count(*) FROM tenantkit.changes
WHERE NOT starts_with(home, '-') AND (%(homes)s::text[] IS NULL OR home = ANY (%(homes)s)) GROUP BY home ORDER BY home
"""

#: Which rows are copied where: of all databases, or of some.
COPIED = """
SELECT home, name, key FROM tenantkit.copies
WHERE NOT starts_with(home, '-') AND (%(homes)s::text[] IS NULL OR home = ANY (%(homes)s)) ORDER BY home, name, key
"""

#: A database is gone.
FORGET_HOME = """
DELETE FROM tenantkit.copies WHERE home IN (%(home)s, %(left)s);
DELETE FROM tenantkit.changes WHERE home IN (%(home)s, %(left)s)
"""

#: A database is out of reach: its changes wait until it is back.
LEAVE_HOME = """
UPDATE tenantkit.copies SET home = %(left)s WHERE home = %(home)s;
UPDATE tenantkit.changes SET home = %(left)s WHERE home = %(home)s
"""
RETURN_HOME = """
UPDATE tenantkit.copies SET home = %(home)s WHERE home = %(left)s;
UPDATE tenantkit.changes SET home = %(home)s WHERE home = %(left)s
"""

#: The tables of a tenant's database by full name, but for one.
FULL_TABLES = """
SELECT format('%%I.%%I', nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND relname <> %s AND relowner = current_user::regrole AND nspname <> 'tenantkit'
"""

#: The databases that have copies of single rows: those with rows of their own. Or all of them.
USED_HOMES = "SELECT DISTINCT home FROM tenantkit.copies WHERE (key <> '*' OR %s) AND NOT starts_with(home, '-')"

#: Nobody is left there.
FORGET_COPIES = "DELETE FROM tenantkit.copies WHERE key <> '*'; DELETE FROM tenantkit.changes"


def left_home(home: str) -> str:
    """What the alias of a database is noted as while it is out of reach."""
    return f"-{home}"


def privileges(roles: Roles) -> list[str]:
    """The application reads whose database it is, and writes nothing of this."""
    users = f"{quoted(roles.application)}, {quoted(roles.operator)}"
    tables = "tenantkit.home, tenantkit.copied, tenantkit.copies, tenantkit.changes"
    return [f"REVOKE ALL ON {tables} FROM PUBLIC, {users}", f"GRANT SELECT ON tenantkit.home TO {users}"]


def watch(table: str, key: str) -> list[str]:
    """The statements after which changes of a shared table, given its name and that of its key, are noted. At no
    moment is there no trigger."""
    name = f"public.{quoted(table)}"
    return [
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW "
        f"EXECUTE FUNCTION tenantkit.note_change({literal(key)})",
        f"ALTER TABLE {name} ENABLE TRIGGER {TRIGGER}",
    ]


def hold(tables: Iterable[str], roles: Roles) -> list[str]:
    """The statements that make of shared tables of a tenant's database tables of copies: nobody writes them."""
    users = f"{quoted(roles.application)}, {quoted(roles.operator)}"
    names = list(tables)
    values = ", ".join(f"({literal(name)})" for name in names)
    relations = ", ".join(f"public.{quoted(name)}" for name in names)
    return [
        "DELETE FROM tenantkit.copied",
        f"INSERT INTO tenantkit.copied VALUES {values}",
        f"REVOKE INSERT, UPDATE, DELETE ON {relations} FROM {users}",
    ]


def empty(tables: Iterable[str]) -> str:
    """The statement that removes what migrations left in shared tables of a new database."""
    return f"TRUNCATE {', '.join(f'public.{quoted(name)}' for name in tables)} CASCADE"


def rows(table: str, key: str) -> str:
    """The query for rows by key, as JSON, with what tells one version of a row from the next."""
    name, column = quoted(table), quoted(key)
    return f"SELECT to_jsonb(t), {column}::text, xmin::text FROM public.{name} AS t WHERE {column}::text = ANY (%s)"


def all_rows(table: str, key: str) -> str:
    """The same for all rows of a table."""
    return f"SELECT to_jsonb(t), {quoted(key)}::text, xmin::text FROM public.{quoted(table)} AS t"
