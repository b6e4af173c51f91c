"""What stands in front of every statement: the tenant, who acts, and the role. See
docs/explanation/session-protocol.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

#: The settings of a session that policies and triggers read.
TENANT = "tenantkit.tenant"
USER = "tenantkit.user"
ROLES = "tenantkit.roles"
HOME = "tenantkit.home"
SIGNATURE = "tenantkit.signature"


def literal(value: str) -> str:
    """`value` as an SQL string, whatever `standard_conforming_strings` says. Raises `ValueError` for a NUL,
    which PostgreSQL has no text for."""
    if "\0" in value:
        raise ValueError("A value of the session contains a NUL character, which PostgreSQL cannot hold.")
    quoted = value.replace("'", "''")
    if "\\" in quoted:
        return " E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def set_local(pairs: Iterable[tuple[str, str]], schema: str = "") -> str:
    """One SELECT that sets each setting until the end of the message or transaction. `set_config`, because
    `SET LOCAL` is another statement for pg_stat_statements with every other value. `schema`, a quoted name, is
    to be there: PostgreSQL passes over a missing one in a search_path, and would go on to the next."""
    calls = [f"pg_catalog.set_config('{name}', {literal(value)}, true)" for name, value in pairs]
    if schema:
        calls.append(f"{literal(schema)}::pg_catalog.regnamespace")
    return f"SELECT {', '.join(calls)}; "


def search_path(schema: str) -> tuple[str, str]:
    """The setting after which tables are looked for in a schema, a quoted name, and then among those that all
    tenants share; in none, "", where the tenant's are in another database. Never in another tenant's, and not where row
    tenants are. Temporary tables come last, or one that is left on the connection would stand in front of a table of
    its name."""
    return "search_path", f"{schema}, public, pg_temp" if schema else "public, pg_temp"


def context(tenant: Any, user: Any, roles: Sequence[str], role: str) -> list[tuple[str, str]]:
    """The settings of a statement: nobody's tenant and nobody's user are sent too, as empty strings, as
    another program may have left others on a pooled connection."""
    return [
        (TENANT, "" if tenant is None else str(tenant)),
        (USER, "" if user is None else str(user)),
        (ROLES, ",".join(roles)),
        ("role", role),
    ]
