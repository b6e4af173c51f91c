"""The guard of our own tables: a tenant sees its own row, domains, members and jobs, and nobody else's.

They are shared tables, read also where there is no tenant: by a sign-up page, by a command. So a request of
a tenant is held to its own rows, and one of none is not. What a tenant is (its names, plan, status) and where
its domains lead is written by operators, whatever the tenant: the functions of `lifecycle/` do it unscoped.
"""

from __future__ import annotations

from collections.abc import Iterable

from .roles import Roles
from .session import TENANT, literal

#: The policies' names; beside them a table has those of the operator and of the owner, as tenant tables do.
PREFIX = "tenantkit_own"

PROTECTED = "tenantkit_protected"

COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE")

#: What the schema says of the statements that were run for it, and a digest of what is there: of `%s`, names of
#: tables, and of our functions. The policy that asks for a signature comes and goes by itself.
LOOK = """
WITH tables AS (SELECT name::regclass AS oid FROM unnest(%s::text[]) AS name)
SELECT obj_description('tenantkit'::regnamespace), (
    SELECT md5(string_agg(line, ';' ORDER BY line)) FROM (
        SELECT concat_ws(' ', oid::regclass, relrowsecurity, relforcerowsecurity)
        FROM pg_class JOIN tables USING (oid)
        UNION ALL
        SELECT concat_ws(' ', tables.oid, polname, polcmd, polpermissive, polroles::regrole[],
            pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
        FROM pg_policy JOIN tables ON tables.oid = polrelid
        WHERE starts_with(polname, 'tenantkit_') AND polname <> 'tenantkit_signed'
        UNION ALL
        SELECT concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
        FROM pg_trigger JOIN tables ON tables.oid = tgrelid
        WHERE tgname = 'tenantkit_protected'
        UNION ALL
        SELECT pg_get_functiondef(oid)
        FROM pg_proc
        WHERE pronamespace = 'tenantkit'::regnamespace
            AND proname IN ('find_tenant', 'my_tenants', 'refuse_to_change_tenant')
    ) AS found (line)
)
"""

_NOBODYS = f"coalesce(current_setting('{TENANT}', true), '') = ''"


def guard(table: str, column: str, kind: str, writes: dict[str, str], roles: Roles, quoted: Roles) -> list[str]:
    """The statements that guard a table whose tenant is in `column`, of type `kind`. `writes` maps INSERT,
    UPDATE and DELETE to "own" (a tenant its own, nobody any), or "nobody" (where there is no tenant);
    operators only where it is left out."""
    own = f"{column} = nullif(current_setting('{TENANT}', true), '')::{kind}"
    may = {"own": f"({own} OR {_NOBODYS})", "nobody": _NOBODYS}
    statements = [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"]
    for command in COMMANDS:
        if command != "SELECT" and command not in writes:
            statements.append(f"DROP POLICY IF EXISTS {PREFIX}_{command.lower()} ON {table}")
    for command, who in {"SELECT": "own", **writes}.items():
        clause = "WITH CHECK" if command == "INSERT" else "USING"
        name = f"{PREFIX}_{command.lower()}"
        statements.append(_policy(name, table, command, quoted.application, f"{clause} ({may[who]})"))
    is_operator = f"USING (current_user = {literal(roles.operator)})"
    statements.append(_policy("tenantkit_operator", table, "ALL", quoted.operator, is_operator))
    statements.append(_policy("tenantkit_owner", table, "ALL", quoted.owner, "USING (true)"))
    return statements


def _policy(name: str, table: str, command: str, role: str, clause: str) -> str:
    return f"DROP POLICY IF EXISTS {name} ON {table}; CREATE POLICY {name} ON {table} FOR {command} TO {role} {clause}"


def lower(table: str) -> list[str]:
    """The statements after which the types of the table's columns can be altered. Rows stay hidden."""
    drops = [f"DROP POLICY IF EXISTS {PREFIX}_{command.lower()} ON {table}" for command in COMMANDS]
    return [*drops, f"DROP TRIGGER IF EXISTS {PROTECTED} ON {table}"]


def protect(table: str, columns: Iterable[str], roles: Roles) -> list[str]:
    """The statements with which the application cannot change `columns`, which are quoted."""
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    return [
        f"""
CREATE OR REPLACE FUNCTION tenantkit.refuse_to_change_tenant() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF current_user = {literal(roles.application)} THEN
        RAISE EXCEPTION 'The application does not change what a tenant is called, its plan or its status.'
            USING ERRCODE = 'insufficient_privilege',
            HINT = 'Use the functions of django_tenantkit.lifecycle, or do it in unscoped(reason="...").';
    END IF;
    RETURN NEW;
END
$$
""",
        f"DROP TRIGGER IF EXISTS {PROTECTED} ON {table}",
        f"CREATE TRIGGER {PROTECTED} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) "
        "EXECUTE FUNCTION tenantkit.refuse_to_change_tenant()",
    ]
