"""Whether the database can hold the application to its tenants: who logs in, and what that role may do.

Looked at is the login of DATABASES, on a connection of its own: `migrate` is at work as the system by then.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.apps import apps
from django.core.checks import Error, Warning
from django.db import connections
from psycopg import errors

from ..registry import tenant_field
from ..sql.logins import Login, logins_of, owners_of
from ..sql.outside import connect_outside
from ..sql.setup import Wanted, missing, wanted_of
from .common import Messages

_SETUP = "`manage.py setup_roles`"
_LOGINS = (
    f"{_SETUP} with --passwords makes a login for the application and one for the system, and prints the lines for "
    "DATABASES and TENANTKIT_SYSTEM_DATABASE."
)


def roles(alias: str) -> Messages:
    """E111 to W119 for a database of PostgreSQL, nothing for another."""
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return
    try:
        outside = connect_outside(connection)
    except psycopg.OperationalError as error:
        user = connection.settings_dict["USER"] or "nobody in particular"
        yield Error(
            f"DATABASES[{alias!r}] logs in as {user}, and PostgreSQL refuses: {' '.join(str(error).split())}.",
            hint=f"Is the login not there yet? {_SETUP} makes it; --user names the role that may make roles.",
            id="tenantkit.E111",
        )
        return
    with outside:
        wanted = wanted_of(connection.settings_dict)
        wanted = wanted._replace(web=wanted.web or outside.info.user)
        found = list(_of_logins(alias, outside, wanted)) + list(_of_tables(alias, outside, wanted))
        yield from found or [*_of_anything_else(alias, outside, wanted), *_of_no_system(outside, wanted)]


def _of_logins(alias: str, outside: psycopg.Connection[Any], wanted: Wanted) -> Messages:
    """The roles that are there, and what the application could become."""
    named = {*wanted.roles, wanted.web, wanted.system, wanted.operator} - {""}
    there = logins_of(outside, named)
    if missing_roles := sorted(named - there.keys()):
        yield Error(
            f"The database of {alias!r} has no role {', '.join(missing_roles)}.",
            hint=f"{_SETUP} makes them; --user names the role that may make roles.",
            id="tenantkit.E112",
        )
    for name in dict.fromkeys((wanted.web, wanted.roles.application)):
        if name in there:
            yield from _of_application(alias, there[name], wanted)
    if not missing_roles:
        yield from _ways_in(alias, there, wanted)


def _of_application(alias: str, login: Login, wanted: Wanted) -> Messages:
    """Whom no policy binds, and who could become such a one."""
    if login.is_superuser or login.bypasses:
        what = "a superuser" if login.is_superuser else "a role with BYPASSRLS"
        yield Error(
            f"{login.name}, as whom requests of {alias!r} log in, is {what}: no row-level security binds it.",
            hint=_LOGINS,
            id="tenantkit.E113",
        )
        return
    forbidden = {wanted.roles.owner, wanted.roles.system, wanted.roles.operator}
    if wanted.web_may_operate or login.name == wanted.operator:
        forbidden.discard(wanted.roles.operator)
    could_become = sorted(forbidden.intersection(login.memberships).union(login.powers))
    if could_become or login.makes_roles:
        what = f"a member of {', '.join(could_become)}" if could_become else "allowed to make roles (CREATEROLE)"
        yield Error(
            f"{login.name}, as whom requests of {alias!r} log in, is {what}: it could become a role that sees the rows "
            "of all tenants.",
            hint=_LOGINS,
            id="tenantkit.E114",
        )


def _ways_in(alias: str, there: dict[str, Login], wanted: Wanted) -> Messages:
    """Logins that cannot take the role that they are there for."""
    ways = [(f"DATABASES[{alias!r}]", wanted.web, wanted.roles.application)]
    if wanted.system:
        ways.append(("TENANTKIT_SYSTEM_DATABASE", wanted.system, wanted.roles.owner))
    if wanted.operator:
        ways.append(("TENANTKIT_OPERATOR_DATABASE", wanted.operator, wanted.roles.operator))
    if wanted.web_may_operate:
        ways.append((f"TENANTKIT_WEB_MAY_OPERATE is set, and DATABASES[{alias!r}]", wanted.web, wanted.roles.operator))
    for setting, name, role in ways:
        if role not in there[name].takes:
            yield Error(
                f"{setting} logs in as {name}, which may not SET ROLE {role}.",
                hint=f"{_SETUP} makes it a member; --user names the role that may make roles.",
                id="tenantkit.E116",
            )


def _of_no_system(outside: psycopg.Connection[Any], wanted: Wanted) -> Messages:
    """One login in the settings, and that one does what requests do: right for a process that serves them."""
    web = logins_of(outside, {wanted.web}).get(wanted.web)
    if not wanted.system and web is not None and wanted.roles.owner not in web.takes:
        yield Warning(
            f"TENANTKIT_SYSTEM_DATABASE is not set, and {wanted.web} may not act as {wanted.roles.owner}: here "
            "requests can be served, and nothing can be migrated or provisioned.",
            hint=f"Where that is meant, silence this. Otherwise name the system's login: {_LOGINS}",
            id="tenantkit.W118",
        )


def _of_tables(alias: str, outside: psycopg.Connection[Any], wanted: Wanted) -> Messages:
    """Tables of tenants that belong to the application."""
    quote = connections[alias].ops.quote_name
    tables = {quote(model._meta.db_table): model for model in apps.get_models(include_auto_created=True)}
    of_tenants = sorted(name for name, model in tables.items() if tenant_field(model) is not None)
    owners = owners_of(outside, of_tenants)
    users = logins_of(outside, {wanted.web, wanted.roles.application})
    for login in users.values():
        if login.is_superuser:
            continue
        belongs = [table for table, owner in owners.items() if owner in (login.name, *login.memberships)]
        mine = [table for table in belongs if owners[table] != wanted.roles.owner]
        if mine:
            more = f" and {len(mine) - 3} more" if len(mine) > 3 else ""
            yield Error(
                f"{login.name}, as whom requests of {alias!r} log in, owns tables of tenants: {', '.join(mine[:3])}"
                f"{more}. Policies bind an owner only where they are forced, and an owner may switch them off.",
                hint=f"{_SETUP} makes {wanted.roles.owner} their owner.",
                id="tenantkit.E115",
            )


def _of_anything_else(alias: str, outside: psycopg.Connection[Any], wanted: Wanted) -> Messages:
    """What `setup_roles` would do: privileges too many or too few, tables of somebody else, a missing schema."""
    try:
        with outside.transaction(force_rollback=True):
            statements = missing(outside.cursor(), wanted, for_superuser=True)
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        return  # may not ask, or asks a copy
    if statements:
        more = f" and {len(statements) - 1} more" if len(statements) > 1 else ""
        yield Warning(
            f"The roles of {alias!r} may not do what they should, or more. Missing: {statements[0]}{more}.",
            hint=f"{_SETUP} does it, with --dry-run it shows it.",
            id="tenantkit.W119",
        )
