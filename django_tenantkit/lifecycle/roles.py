"""The roles of a database, made or put right. Why there are four: docs/howto/roles.md."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import psycopg
from django.db import connections
from psycopg import errors, sql

from ..exceptions import RolesRefused
from ..sql.outside import connect_outside
from ..sql.setup import Wanted, call, definition, missing, set_up, wanted_of

#: What another process that does the same at the same time leads to. It has committed then, so less is missing.
_MEANWHILE = (
    errors.UniqueViolation,
    errors.DuplicateObject,
    errors.DuplicateSchema,
    errors.DeadlockDetected,
    errors.InternalError_,  # tuple concurrently updated
)
_ATTEMPTS = 10

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class RolesResult:
    """What was done, or is to be done. `refused` is what the server said to the attempt, and `sql` then what
    somebody who may do it has to run. `passwords` are those of the logins, by name."""

    database: str
    wanted: Wanted
    statements: list[str] = field(default_factory=list)
    done: bool = False
    refused: str = ""
    sql: str = ""
    passwords: dict[str, str] = field(default_factory=dict)


def plan_roles(alias: str = "default", *, user: str | None = None, **wanted: Any) -> RolesResult:
    """What `set_up_roles` would do. Raises `RolesRefused` for settings that cannot be meant, and what psycopg
    raises where there is no connection."""
    with _connect(alias, user) as connection:
        what = _wanted(alias, _web(connection, user), **wanted)
        with connection.transaction(force_rollback=True):
            statements = missing(connection.cursor(), what)
    return RolesResult(_name(alias), what, statements)


def set_up_roles(
    alias: str = "default", *, user: str | None = None, passwords: bool = False, **wanted: Any
) -> RolesResult:
    """Make of the database what the settings want: roles, memberships, ownership, privileges.

    `user` logs in, without it the USER of DATABASES. `passwords` gives the logins of the application and of
    the system new ones. `may_create_databases` and `former_owners`: see `Wanted`. All is done or nothing;
    where it may not be done, the result says what to run. Raises as `plan_roles` does.
    """
    with _connect(alias, user) as connection:
        what = _wanted(alias, _web(connection, user), **wanted)
        new = _new_passwords(what) if passwords else {}
        verifiers = {name: _verifier(password) for name, password in new.items()}
        try:
            statements = _set_up(connection, what, verifiers)
        except errors.InsufficientPrivilege as error:
            text = _sql(connection, what, verifiers)
            return RolesResult(_name(alias), what, refused=_said(error), sql=text, passwords=new)
    return RolesResult(_name(alias), what, statements, done=True, passwords=new)


def roles_sql(
    alias: str = "default", *, user: str | None = None, passwords: bool = False, **wanted: Any
) -> RolesResult:
    """What a superuser has to run, as `sql` of the result. Where nobody can log in yet, it is what finds out by
    itself what is missing. Raises `RolesRefused` as `plan_roles` does."""
    connection = None
    with suppress(psycopg.OperationalError):
        connection = _connect(alias, user)
    with connection or nullcontext():
        what = _wanted(alias, _web(connection, user), **wanted)
        new = _new_passwords(what) if passwords else {}
        text = _sql(connection, what, {name: _verifier(password) for name, password in new.items()})
    return RolesResult(_name(alias), what, sql=text, passwords=new)


def login_lines(alias: str, result: RolesResult) -> list[str]:
    """The passwords of a result as lines for the environment, and for the settings."""
    database = connections[alias].settings_dict
    roles, passwords = result.wanted.roles, result.passwords
    system = result.wanted.system or roles.system
    entries = {
        f"DATABASES[{alias!r}] |=": roles.application,
        "TENANTKIT_SYSTEM_DATABASE =": system,
        "TENANTKIT_OPERATOR_DATABASE =": result.wanted.operator,
    }
    return [
        "# The environment:",
        f"DATABASE_URL={_url(database, roles.application, passwords)}",
        f"SYSTEM_DATABASE_URL={_url(database, system, passwords)}",
        "# or the settings:",
        *(f"{to} {{'USER': {name!r}, 'PASSWORD': {passwords[name]!r}}}" for to, name in entries.items() if name),
    ]


def _url(database: dict[str, Any], user: str, passwords: dict[str, str]) -> str:
    host, port = str(database["HOST"]), f":{database['PORT']}" if database["PORT"] else ""
    login = f"postgresql://{quote(user, safe='')}:{quote(passwords[user], safe='')}@"
    if host.startswith("/"):
        return f"{login}{port}/{quote(database['NAME'], safe='')}?host={quote(host)}"
    return f"{login}{host}{port}/{quote(database['NAME'], safe='')}"


def _connect(alias: str, user: str | None) -> Connection:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        raise RolesRefused(f"DATABASES[{alias!r}] is {connection.display_name}, which has no roles. Use PostgreSQL.")
    return connect_outside(connection, user)


def _name(alias: str) -> str:
    return str(connections[alias].settings_dict["NAME"])


def _web(connection: Connection | None, user: str | None) -> str:
    """The login of DATABASES, if it is the one that is connected: its settings may leave it to libpq."""
    return connection.info.user if connection is not None and user is None else ""


def _wanted(alias: str, web: str, *, may_create_databases: bool = False, former_owners: Any = ()) -> Wanted:
    wanted = wanted_of(connections[alias].settings_dict, may_create_databases=may_create_databases)
    wanted = wanted._replace(web=wanted.web or web, former_owners=tuple(former_owners))
    roles = wanted.roles
    if wanted.web in (roles.owner, roles.operator, roles.system):
        raise RolesRefused(
            f"DATABASES[{alias!r}] logs in as {wanted.web}, which is the name of a role that requests must not have. "
            f"Log in as {roles.application}, or name the roles otherwise: TENANTKIT_OWNER_ROLE and its like."
        )
    if wanted.web and wanted.web == wanted.system:
        raise RolesRefused(
            f"TENANTKIT_SYSTEM_DATABASE logs in as {wanted.web}, and DATABASES[{alias!r}] does too. Give one of them "
            f"another USER: {roles.system} for the system, {roles.application} for the application."
        )
    return wanted


def _set_up(connection: Connection, wanted: Wanted, verifiers: dict[str, str]) -> list[str]:
    """Do it, again where another process has done a part of it meanwhile."""
    for attempt in range(_ATTEMPTS):
        try:
            with connection.transaction(), connection.cursor() as cursor:
                statements = set_up(cursor, wanted)
                for statement in _password_statements(verifiers):
                    cursor.execute(statement)
            break
        except _MEANWHILE:
            if attempt == _ATTEMPTS - 1:
                raise
    hidden = _password_statements(dict.fromkeys(verifiers, "..."))
    return [*statements, *(statement.as_string() for statement in hidden)]


def _new_passwords(wanted: Wanted) -> dict[str, str]:
    """A password for each login that belongs to us: the application's, the system's, the operator's."""
    names = (wanted.roles.application, wanted.system or wanted.roles.system, wanted.operator)
    return {name: secrets.token_urlsafe(24) for name in names if name}


def _verifier(password: str) -> str:
    """What the server keeps of a password (SCRAM-SHA-256, RFC 5803): neither its log nor a script gets to see
    the password itself."""
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _password_statements(verifiers: dict[str, str]) -> list[sql.Composed]:
    alter = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
    return [alter.format(sql.Identifier(name), sql.Literal(verifier)) for name, verifier in verifiers.items()]


def _sql(connection: Connection | None, wanted: Wanted, verifiers: dict[str, str]) -> str:
    """The statements that are missing, or where this login cannot even ask, those that find out."""
    with_passwords = [statement.as_string() for statement in _password_statements(verifiers)]
    if connection is not None:
        with suppress(errors.InsufficientPrivilege), connection.transaction(force_rollback=True):
            statements = missing(connection.cursor(), wanted, for_superuser=True)
            return _transaction(connection.info.dbname, [*statements, *with_passwords])
    finding_out = [definition().rstrip().removesuffix(";"), call(wanted).as_string()]
    return _transaction("", [*finding_out, *with_passwords])


def _transaction(database: str, statements: list[str]) -> str:
    where = f"the database {database!r}" if database else "the project's database"
    lines = [f"-- The roles of django_tenantkit. Run this in {where}, as a superuser.", "BEGIN;"]
    return "\n".join([*lines, *(f"{statement};" for statement in statements), "COMMIT;"])


def _said(error: psycopg.Error) -> str:
    detail = error.diag.message_detail
    return " ".join(part for part in (error.diag.message_primary, detail) if part)
