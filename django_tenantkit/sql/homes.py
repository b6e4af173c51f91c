"""Homes: the schema that row tenants share, and those of schema tenants. What a home needs beside its tables."""

from __future__ import annotations

from .policies import ROWS, Policy, create_policy, enable
from .roles import Roles
from .session import HOME, literal

#: The policy of a home's table without a tenant's column.
HOME_ROWS = "tenantkit_home"

#: Tables of a schema that have no policy for their rows, by name: those without a tenant's column.
UNGUARDED = """
SELECT quote_ident(relname) FROM pg_class
WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname IN (%s, %s))
ORDER BY relname
"""

#: Tables that tell which homes there are and what is applied in them.
PLACES = "django_tenantkit_place"
RECORDS = frozenset((PLACES, "django_tenantkit_migrationstate"))

#: Places whose tenants were emptied out wait for new ones.
FREE = f"UPDATE {PLACES} SET state = 'ready', taken_at = NULL WHERE state = 'taken' AND isolation <> 'shard'"

#: Of given tables those in homes of schema tenants in which anything was ever stored, by full name. TRUNCATE takes
#: all tables that refer to each other together.
FILLED_TABLES = r"""
WITH homes AS (
    SELECT relnamespace, array_agg(format('%%I.%%I', nspname, relname) ORDER BY relname) AS names,
        max(pg_relation_size(pg_class.oid)) AS size
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname ~ '^t_[0-9a-f]{32}$' AND relkind IN ('r', 'p') AND relname = ANY(%s)
    GROUP BY relnamespace
)
SELECT unnest(names) FROM homes WHERE size > 0
"""

#: Of given tables those that a schema has.
TABLES_IN = """
SELECT relname FROM pg_class
WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p') AND relname = ANY(%s) ORDER BY relname
"""

#: Whether an index of a schema is whole, by the names of both; no row where there is none.
FIND_INDEX = """
SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = %s AND relname = %s
"""

#: Whether a schema is there, and whether it has a table of that name.
FIND_HOME = "SELECT to_regnamespace(%s) IS NOT NULL, to_regclass(%s) IS NOT NULL"

#: Whose database this is: the uid of the place that it was made for, written when it was finished. And which it is: a
#: tenant that comes back to one gets another one of the same name.
PLACE_OF = "SELECT uid, (SELECT oid FROM pg_database WHERE datname = current_database()) FROM tenantkit.home"


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def create_schema(schema: str, roles: Roles) -> list[str]:
    """The statements that make a home: the application and the operator may use what is in it, and make nothing.
    What each table grants follows from the owner's default privileges, see `set_up_roles.sql`."""
    users = f"{quoted(roles.application)}, {quoted(roles.operator)}"
    return [
        f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}",
        f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {users}",
    ]


def drop_schema(schema: str) -> str:
    """The statement that removes a home and all that is in it."""
    return f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE"


def rename_schema(old: str, new: str) -> str:
    """The statement that renames a home."""
    return f"ALTER SCHEMA {quoted(old)} RENAME TO {quoted(new)}"


def move_table(schema: str, table: str, to_schema: str) -> str:
    """The statement that moves a table (quoted) to another schema, if it is in the first one."""
    return f"ALTER TABLE IF EXISTS {quoted(schema)}.{table} SET SCHEMA {quoted(to_schema)}"


def set_path(*schemas: str) -> str:
    """The statement after which names are looked for in these schemas, until the session ends."""
    return f"SET search_path TO {', '.join(map(quoted, schemas))}"


def guard(schema: str, table: str, roles: Roles) -> list[str]:
    """The statements that guard a table (quoted) without a tenant's column: its rows are for statements that say
    they are at home here, for the operator and for the owner. Compared with the session's word and not by a role for
    each schema, which would be a membership for each tenant to look through at every login. As a subquery, which is
    run once for a statement: a condition of policies is asked of every row, even one that looks at no column. One
    policy for all three: the server reads all of a table's, after each ALTER TABLE too."""
    name = f"{quoted(schema)}.{table}"
    others = ", ".join(map(literal, (roles.operator, roles.owner)))
    at_home = f"(SELECT current_setting({literal(HOME)}, true) = {literal(schema)} OR current_user IN ({others}))"
    users = ", ".join(map(quoted, (roles.application, roles.operator, roles.owner)))
    return [enable(name), create_policy(name, Policy(HOME_ROWS, roles.application, at_home), users)]


def unguarded(schema: str) -> tuple[str, list[str]]:
    """The query for tables without a guard, and its parameters."""
    return UNGUARDED, [quoted(schema), ROWS, HOME_ROWS]


def copy_ledger(schema: str) -> str:
    """The statement that gives a home its own record of migrations, like the main one."""
    return f"CREATE TABLE {quoted(schema)}.django_migrations (LIKE public.django_migrations INCLUDING ALL)"
