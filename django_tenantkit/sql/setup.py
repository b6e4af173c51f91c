"""What the roles of a database may do, put right: calls of the function in `set_up_roles.sql`."""

from __future__ import annotations

from importlib import resources
from typing import Any, NamedTuple, Protocol

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from ..conf import conf
from .roles import Roles, roles_of

NAME = sql.Identifier("pg_temp", "tenantkit_set_up_roles")


class Cursor(Protocol):
    """A connection or cursor of psycopg, or a cursor of Django."""

    def execute(self, query: Any, /) -> Any:
        """Run one statement."""

    def fetchall(self) -> list[Any]:
        """Its rows."""


class Wanted(NamedTuple):
    """What there should be: the roles, and who logs in. A login that the settings do not name is empty."""

    roles: Roles
    #: The USER of DATABASES: the application's role, or a member of it.
    web: str = ""
    #: The USER of TENANTKIT_SYSTEM_DATABASE.
    system: str = ""
    #: The USER of TENANTKIT_OPERATOR_DATABASE.
    operator: str = ""
    web_may_operate: bool = False
    may_create_databases: bool = False
    #: Logins whose tables will be the owner's too.
    former_owners: tuple[str, ...] = ()


def wanted_of(database: dict[str, Any], *, may_create_databases: bool = False) -> Wanted:
    """What the settings want of a database, given its entry in DATABASES."""
    return Wanted(
        roles_of(database),
        web=str(database.get("USER") or ""),
        system=str((conf.SYSTEM_DATABASE or {}).get("USER") or ""),
        operator=str((conf.OPERATOR_DATABASE or {}).get("USER") or ""),
        web_may_operate=conf.WEB_MAY_OPERATE,
        may_create_databases=may_create_databases,
    )


def definition() -> str:
    """The statement that makes the function, for this session."""
    return resources.files(__package__).joinpath("set_up_roles.sql").read_text()


def call(
    wanted: Wanted, *, owners_part_only: bool = False, for_superuser: bool = False, really: bool = True
) -> sql.Composed:
    """The statement that returns what is missing, and with `really` does it."""
    arguments = {
        "owner_role": wanted.roles.owner,
        "application_role": wanted.roles.application,
        "operator_role": wanted.roles.operator,
        "system_role": wanted.roles.system,
        "web_login": wanted.web,
        "system_login": wanted.system,
        "operator_login": wanted.operator,
        "web_may_operate": wanted.web_may_operate,
        "may_create_databases": wanted.may_create_databases,
        "former_owners": list(wanted.former_owners),
        "owners_part_only": owners_part_only,
        "for_superuser": for_superuser,
        "really": really,
    }
    lines = sql.SQL(",\n    ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in arguments.items()
    )
    return sql.SQL("SELECT * FROM {}(\n    {}\n)").format(NAME, lines)


def missing(cursor: Cursor, wanted: Wanted, *, for_superuser: bool = False) -> list[str]:
    """The statements that would make of the database what is wanted; none if it is so. `for_superuser`:
    those that a superuser would run, whoever asks."""
    return _run(cursor, call(wanted, for_superuser=for_superuser, really=False))


def set_up(cursor: Cursor, wanted: Wanted) -> list[str]:
    """Make of the database what is wanted; the statements that it took. Call it in a transaction.

    Raises what PostgreSQL raises: `InsufficientPrivilege` where the role that is connected may not do it.
    """
    return _run(cursor, call(wanted))


def set_up_as_owner(connection: BaseDatabaseWrapper, roles: Roles) -> list[str]:
    """The part of it that the owner does by itself: the schema `tenantkit`, privileges on what it owns, now and
    later. It is all that a new database needs where the roles are there, one for tests for example. The
    connection is the system's."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        return _run(cursor, call(Wanted(roles), owners_part_only=True))


def _run(cursor: Cursor, statement: sql.Composed) -> list[str]:
    cursor.execute(definition())
    cursor.execute(statement)
    found = [str(line) for (line,) in cursor.fetchall()]
    cursor.execute(sql.SQL("DROP FUNCTION {}").format(NAME))
    return found
