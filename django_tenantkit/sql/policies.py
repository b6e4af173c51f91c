"""Row-level security as text: the policies of a tenant table, the trigger that keeps rows with their tenant,
and what both need of the database. https://www.postgresql.org/docs/current/ddl-rowsecurity.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .roles import Roles
from .session import ROLES as ROLES_OF_USER
from .session import TENANT, USER, literal

ROWS = "tenantkit_rows"
LIMIT = "tenantkit_limit"
OPERATOR = "tenantkit_operator"
OWNER = "tenantkit_owner"
SIGNED = "tenantkit_signed"  # made by lifecycle/signing.py
TRIGGER = "tenantkit_tenant"


#: Every name that a policy of ours can have on a table.
NAMES = (
    *(name + suffix for name in (ROWS, LIMIT) for suffix in ("", "_insert", "_update", "_delete")),
    OPERATOR,
    OWNER,
)

#: Of given roles those that do not exist; who asks, whether it may make them; whether the function is there.
FIND_MISSING = """
SELECT ARRAY(SELECT name FROM unnest(%s::text[]) AS name
             WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)),
       current_user::text, (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user),
       to_regprocedure('tenantkit.refuse_tenant_change()') IS NOT NULL
"""


class Policy(NamedTuple):
    """One policy: `using` is asked of rows that are there, `check` of rows as they will be (None: `using`)."""

    name: str
    role: str
    using: str | None
    check: str | None = None
    permissive: bool = True
    command: str = "ALL"


class Conditions(NamedTuple):
    """Which rows the application may read and write: `rows` opens them, and `limit` holds whatever other
    policies somebody adds."""

    rows_read: str
    rows_write: str
    limit_read: str
    limit_write: str


def setting(name: str, kind: str) -> str:
    """A setting of the session as a value of a type, NULL where it is empty. Written out, as in a function
    or a subquery the planner knows neither its value nor how many rows have it."""
    return f"nullif(current_setting({literal(name)}, true), '')::{kind}"


def is_own(column: str, kind: str) -> str:
    """The row belongs to the current tenant."""
    return f"{column} = {setting(TENANT, kind)}"


def is_users(column: str, kind: str) -> str:
    """The column holds the key of the user who acts."""
    return f"{column} = {setting(USER, kind)}"


def has_role(roles: Iterable[str]) -> str:
    """The user who acts has one of the roles in the tenant."""
    wanted = ", ".join(map(literal, roles))
    return f"string_to_array(current_setting({literal(ROLES_OF_USER)}, true), ',') && ARRAY[{wanted}]::text[]"


def both(first: str, second: str | None) -> str:
    """Two conditions, of which the second may be none."""
    return first if second is None else f"{first} AND ({second})"


def policies(conditions: Conditions, roles: Roles) -> list[Policy]:
    """The policies of a tenant table."""
    read, write, limit_read, limit_write = conditions
    return [
        *_of_application(ROWS, roles.application, read, write, permissive=True),
        *_of_application(LIMIT, roles.application, limit_read, limit_write, permissive=False),
        Policy(OPERATOR, roles.operator, f"current_user = {literal(roles.operator)}"),
        Policy(OWNER, roles.owner, "true"),
    ]


def _of_application(name: str, role: str, read: str, write: str, *, permissive: bool) -> Iterator[Policy]:
    """One policy where reading and writing have the same condition, otherwise one for each command."""
    if read == write:
        yield Policy(name, role, read, permissive=permissive)
        return
    yield Policy(name, role, read, permissive=permissive, command="SELECT")
    yield Policy(f"{name}_insert", role, None, write, permissive, "INSERT")
    yield Policy(f"{name}_update", role, write, write, permissive, "UPDATE")
    yield Policy(f"{name}_delete", role, write, permissive=permissive, command="DELETE")


def enable(table: str) -> str:
    """Rows are hidden unless a policy shows them, from the owner of the table too."""
    return f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"


def shut(table: str) -> list[str]:
    """The statements after which only the owner sees rows."""
    return [statement for statement in remove(table) if f" {OWNER} " not in statement]


def disable(table: str) -> list[str]:
    """The statements that leave a table as PostgreSQL makes them."""
    return [
        *remove(table),
        f"DROP POLICY IF EXISTS {SIGNED} ON {table}",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY",
    ]


def create_policy(table: str, policy: Policy, quoted_role: str) -> str:
    """The statement that makes a policy."""
    kind = "PERMISSIVE" if policy.permissive else "RESTRICTIVE"
    using = "" if policy.using is None else f" USING ({policy.using})"
    check = "" if policy.check is None else f" WITH CHECK ({policy.check})"
    return f"CREATE POLICY {policy.name} ON {table} AS {kind} FOR {policy.command} TO {quoted_role}{using}{check}"


def remove(table: str) -> list[str]:
    """The statements that remove whatever policies of ours a table has, and the trigger. The one that asks for
    a signature stays: it names no column."""
    drops = [f"DROP POLICY IF EXISTS {name} ON {table}" for name in NAMES]
    return [*drops, f"DROP TRIGGER IF EXISTS {TRIGGER} ON {table}"]


def create_trigger(table: str, column: str) -> str:
    """The statement that makes the trigger."""
    return (
        f"CREATE TRIGGER {TRIGGER} BEFORE UPDATE OF {column} ON {table} FOR EACH ROW "
        f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION tenantkit.refuse_tenant_change()"
    )


def create_role(quoted: str) -> str:
    """The statement that makes a role which cannot log in, unless somebody else is just doing so."""
    return (
        f"DO $$ BEGIN CREATE ROLE {quoted} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; "
        "END $$"
    )
