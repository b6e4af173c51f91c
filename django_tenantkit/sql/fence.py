"""Fences: while a tenant moves, is suspended or erased, its old home itself refuses its rows, whatever a process still
believes of it.

Writes are refused by a trigger for each statement, so one that finds no row is refused too, and whoever writes as
another tenant pays for one comparison of two texts. Making it takes a lock that other writers hold, and readers do
not. It is taken with NOWAIT: nobody queues behind it. Whoever gets it knows that no transaction is open that wrote
there.
"""

from __future__ import annotations

from .session import TENANT

#: What names of triggers and policies begin with; the tenant's key follows.
PREFIX = "tenantkit_fence_"

#: Names the tenant inside of whose fence an operator's transaction writes: the job's, for which the fence is there.
WORKING_ON = "tenantkit.working_on"
WORK_ON = f"SELECT pg_catalog.set_config('{WORKING_ON}', %s, true)"

#: What a client gets that runs into one.
SQLSTATE = "TK503"

#: How a tenant's rows are fenced at a home: not at all; for writing; for reading too, and hidden from operators.
OPEN, FROZEN, CLOSED = "open", "frozen", "closed"

#: Called by triggers, with the tenant's key.
REFUSE_WRITING = f"""
CREATE OR REPLACE FUNCTION tenantkit.refuse_fenced() RETURNS trigger
LANGUAGE plpgsql AS
$$
BEGIN
    RAISE EXCEPTION 'Rows of the tenant % are not written in % now.', TG_ARGV[0], TG_RELID::pg_catalog.regclass
        USING ERRCODE = '{SQLSTATE}', HINT = 'It is being moved, suspended or erased. Look it up again, and retry.';
END
$$
"""

#: Called by policies. COST, so that what is cheap is asked first.
REFUSE_READING = f"""
CREATE OR REPLACE FUNCTION tenantkit.refuse_reading(tenant text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS
$$
BEGIN
    RAISE EXCEPTION 'Rows of the tenant % are not read here any more.', tenant
        USING ERRCODE = '{SQLSTATE}', HINT = 'It has moved. Look it up again, and retry.';
END
$$
"""

#: Fence one table for one tenant, in one short transaction. `tenant_column` is empty for a table without one. Returns
#: false where the lock is not to be had now. Operators write no rows of the tenant while it is frozen, and do not see
#: those that it left.
SET_FENCE = f"""
CREATE OR REPLACE FUNCTION tenantkit.set_fence(
    relation regclass, tenant text, tenant_column text, wanted text, application text, operator text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    name text := '{PREFIX}' || CASE WHEN length(tenant) > 36 THEN md5(tenant) ELSE tenant END;
    owner text := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = relation);
    found text := CASE
        WHEN EXISTS (SELECT FROM pg_policy WHERE polrelid = relation AND polname = name) THEN 'closed'
        WHEN EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relation AND tgname = name) THEN 'frozen'
        ELSE 'open' END;
    lock text := CASE WHEN (found, wanted) = ('open', 'frozen') THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS EXCLUSIVE' END;
BEGIN
    IF found = wanted THEN
        RETURN true;
    END IF;
    BEGIN
        EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', relation, lock);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    IF found = 'open' THEN
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT '
            'WHEN (current_setting(''{TENANT}'', true) = %L) EXECUTE FUNCTION tenantkit.refuse_fenced(%L)',
            name, relation, tenant, tenant);
    ELSIF wanted = 'open' THEN
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', name, relation);
    END IF;
    IF wanted = 'frozen' AND tenant_column <> '' THEN
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE INSERT ON %s FOR EACH ROW WHEN (NEW.%I = %L AND current_user <> %L '
            'AND current_setting(''{WORKING_ON}'', true) IS DISTINCT FROM %L) '
            'EXECUTE FUNCTION tenantkit.refuse_fenced(%L)',
            name || '_insert', relation, tenant_column, tenant, owner, tenant, tenant);
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %s FOR EACH ROW WHEN (OLD.%I = %L AND current_user <> %L '
            'AND current_setting(''{WORKING_ON}'', true) IS DISTINCT FROM %L) '
            'EXECUTE FUNCTION tenantkit.refuse_fenced(%L)',
            name || '_update', relation, tenant_column, tenant, owner, tenant, tenant);
    ELSE
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', name || '_insert', relation);
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', name || '_update', relation);
    END IF;
    IF wanted = 'closed' THEN
        EXECUTE format(
            'CREATE POLICY %I ON %s AS RESTRICTIVE FOR SELECT TO %I USING '
            '(current_setting(''{TENANT}'', true) IS DISTINCT FROM %L OR tenantkit.refuse_reading(%L))',
            name, relation, application, tenant, tenant);
        IF tenant_column <> '' THEN
            EXECUTE format(
                'CREATE POLICY %I ON %s AS RESTRICTIVE TO %I USING (%I IS DISTINCT FROM %L)',
                name || '_operator', relation, operator, tenant_column, tenant);
        END IF;
    ELSIF found = 'closed' THEN
        EXECUTE format('DROP POLICY %I ON %s', name, relation);
        EXECUTE format('DROP POLICY IF EXISTS %I ON %s', name || '_operator', relation);
    END IF;
    RETURN true;
END
$$
"""

#: Take away all fences of a database whose rows are all gone: a key may be given to another tenant.
LIFT_ALL = f"""
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT 'TRIGGER' AS kind, tgname AS name, tgrelid::pg_catalog.regclass AS relation
        FROM pg_catalog.pg_trigger WHERE pg_catalog.starts_with(tgname, '{PREFIX}')
        UNION ALL SELECT 'POLICY', polname, polrelid::pg_catalog.regclass
        FROM pg_catalog.pg_policy WHERE pg_catalog.starts_with(polname, '{PREFIX}')
    LOOP
        EXECUTE pg_catalog.format('DROP %s %I ON %s', found.kind, found.name, found.relation);
    END LOOP;
END
$$
"""

FUNCTIONS = (REFUSE_WRITING, REFUSE_READING, SET_FENCE)

SIGNATURE = "tenantkit.set_fence(regclass, text, text, text, text, text)"

#: Of given tables, those that a schema has, in order of their names.
TABLES_IN = """
SELECT c.relname::text FROM pg_catalog.pg_class c
WHERE c.relnamespace = pg_catalog.to_regnamespace(%s) AND c.relkind IN ('r', 'p') AND c.relname = ANY (%s) ORDER BY 1
"""

#: Whether given tables of a schema are fenced for a tenant, by its key: those that are there, and there are some.
IS_FENCED = f"""
SELECT coalesce(bool_and(EXISTS (
    SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid
        AND t.tgname = '{PREFIX}' || CASE WHEN length(%(key)s) > 36 THEN md5(%(key)s) ELSE %(key)s END)), false)
FROM pg_catalog.pg_class c
WHERE c.relnamespace = pg_catalog.to_regnamespace(%(schema)s) AND c.relkind IN ('r', 'p')
    AND c.relname = ANY (%(tables)s)
"""

#: Fence a table, by its quoted name.
SET = "SELECT tenantkit.set_fence(%s::pg_catalog.regclass, %s, %s, %s, %s, %s)"

#: Who keeps a table from being fenced: backends that hold locks on it.
HOLDERS = """
SELECT DISTINCT pid FROM pg_catalog.pg_locks
WHERE relation = %s::pg_catalog.regclass AND granted AND pid <> pg_catalog.pg_backend_pid() ORDER BY 1 LIMIT 5
"""

#: The fences of a database: schema, table, and the key of the tenant. Schemas that were left are out of reach anyway.
FENCES = rf"""
SELECT n.nspname::text AS schema, c.relname::text AS "table", c.oid::regclass::text AS name,
    split_part(encode(t.tgargs, 'escape'), '\000', 1) AS key
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND n.nspname !~ '^left_[0-9a-f]{{32}}$' AND (
    starts_with(t.tgname, '{PREFIX}') AND t.tgtype & 1 = 0
    OR starts_with(t.tgname, 'tenantkit_noting_') AND t.tgtype & 4 > 0)
ORDER BY 1, 2, 4
"""


def privileges(operator: str) -> list[str]:
    """Operators set fences, and so does the owner. `operator` is quoted."""
    return [
        f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {operator}",
    ]
