"""What logins are and may do, asked of the catalog: every login can read it."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

#: Since 16 a member may be one without the right to SET ROLE.
_PRIVILEGE = "CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END"

_LOGINS = f"""
SELECT login.rolname, login.rolsuper, login.rolbypassrls, login.rolcreaterole,
    ARRAY(SELECT role.rolname FROM pg_roles AS role
          WHERE role.oid <> login.oid AND pg_has_role(login.oid, role.oid, 'MEMBER')),
    ARRAY(SELECT role.rolname FROM pg_roles AS role
          WHERE role.oid <> login.oid AND pg_has_role(login.oid, role.oid, 'MEMBER')
          AND (role.rolsuper OR role.rolbypassrls OR role.rolcreaterole)),
    ARRAY(SELECT role.rolname FROM pg_roles AS role
          WHERE pg_has_role(login.oid, role.oid, {_PRIVILEGE}))
FROM pg_roles AS login WHERE login.rolname = ANY (%s)
"""

_OWNERS = """
SELECT wanted.name, pg_get_userbyid(relowner)
FROM unnest(%s::text[]) AS wanted(name) JOIN pg_class ON pg_class.oid = to_regclass(wanted.name)
ORDER BY wanted.name
"""


class Login(NamedTuple):
    """A role. `memberships` are the roles whose member it is, directly or through others; `powers` are those among
    them whom policies do not bind or that make roles; `takes` are those that it may SET ROLE to, itself too."""

    name: str
    is_superuser: bool
    bypasses: bool
    makes_roles: bool
    memberships: list[str]
    powers: list[str]
    takes: list[str]


def logins_of(connection: psycopg.Connection[Any], names: set[str]) -> dict[str, Login]:
    """Those of these roles that exist, by name."""
    rows = connection.execute(_LOGINS, [sorted(names)])
    return {row[0]: Login(*row) for row in rows}


def owners_of(connection: psycopg.Connection[Any], tables: list[str]) -> dict[str, str]:
    """The owner of each of these tables that exists. Names are quoted, and looked up as in any statement."""
    return dict(connection.execute(_OWNERS, [tables]).fetchall())
