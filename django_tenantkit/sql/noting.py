"""Noting which rows of a tenant change while it is copied: triggers of its old home write their keys into a table.

Only the tenant's own writes pay for it; for other tenants' rows it is a comparison. The triggers are made with a lock
that writers hold: whoever gets it, with NOWAIT as in `fence.py`, knows that no transaction is open that wrote before
them. So a snapshot taken after that has every row that was not noted.
"""

from __future__ import annotations

from .session import literal

#: What names of the triggers begin with; the tenant's key follows.
PREFIX = "tenantkit_noting_"

#: The keys of rows that changed, as text; only the owner reads and writes it.
TABLE = """
CREATE TABLE IF NOT EXISTS tenantkit.noted (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, key text NOT NULL
)
"""

#: Called by triggers with the tenant's key and the column of the primary key.
NOTE = """
CREATE OR REPLACE FUNCTION tenantkit.note_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    before text := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ->> TG_ARGV[1] END;
    after text := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ->> TG_ARGV[1] END;
BEGIN
    INSERT INTO tenantkit.noted (tenant, name, key)
        SELECT DISTINCT TG_ARGV[0], TG_TABLE_NAME, key FROM unnest(ARRAY[before, after]) AS key WHERE key IS NOT NULL;
    RETURN NULL;
END
$$
"""

#: Begin or end noting for one table and one tenant, in one short transaction. Returns false where the lock is not to
#: be had now.
SET_NOTING = f"""
CREATE OR REPLACE FUNCTION tenantkit.set_noting(
    relation regclass, tenant text, tenant_column text, key_column text, wanted boolean
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    name text := '{PREFIX}' || CASE WHEN length(tenant) > 36 THEN md5(tenant) ELSE tenant END;
    found boolean := EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relation AND tgname = name);
    of_row text := CASE WHEN tenant_column <> '' THEN format('WHEN (%%s.%I = %L) ', tenant_column, tenant) ELSE '' END;
BEGIN
    IF found = wanted THEN
        RETURN true;
    END IF;
    BEGIN
        EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', relation,
            CASE WHEN wanted THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS EXCLUSIVE' END);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    IF NOT wanted THEN
        EXECUTE format('DROP TRIGGER %I ON %s', name, relation);
        EXECUTE format('DROP TRIGGER %I ON %s', name || '_old', relation);
        RETURN true;
    END IF;
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %s FOR EACH ROW ' || replace(of_row, '%s', 'NEW')
        || 'EXECUTE FUNCTION tenantkit.note_row(%L, %L)', name, relation, tenant, key_column);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE OR DELETE ON %s FOR EACH ROW ' || replace(of_row, '%s', 'OLD')
        || 'EXECUTE FUNCTION tenantkit.note_row(%L, %L)', name || '_old', relation, tenant, key_column);
    RETURN true;
END
$$
"""

FUNCTIONS = (NOTE, SET_NOTING)

SIGNATURE = "tenantkit.set_noting(regclass, text, text, text, boolean)"

SET = "SELECT tenantkit.set_noting(%s::pg_catalog.regclass, %s, %s, %s, %s)"

#: What was noted of a tenant, how much, and that it was dealt with.
NOTED = "SELECT name, array_agg(DISTINCT key), array_agg(id) FROM tenantkit.noted WHERE tenant = %s GROUP BY name"
COUNT = "SELECT count(DISTINCT (name, key)) FROM tenantkit.noted WHERE tenant = %s"
SETTLE = "DELETE FROM tenantkit.noted WHERE id = ANY (%s)"
FORGET = "DELETE FROM tenantkit.noted WHERE tenant = %s"


def privileges(names: str, operator: str) -> list[str]:
    """Operators begin and end it. `names` are the application and the operator; all are quoted."""
    return [
        f"REVOKE ALL ON tenantkit.noted FROM PUBLIC, {names}",
        f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {operator}",
    ]


def array(kind: str, keys: list[str]) -> str:
    """These keys, given as text, as an array of that type."""
    listed = ",".join('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
    return f"{literal('{' + listed + '}')}::{kind}[]"
