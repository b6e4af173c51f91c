"""A database for one run of the demo, gone afterwards: nothing of the server it runs on is touched."""

from __future__ import annotations

import secrets
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.core.management import CommandError
from django.db import connection, connections
from django.test import override_settings
from psycopg import sql

from django_tenantkit.lifecycle.roles import set_up_roles
from django_tenantkit.testing import embedded

Settings = dict[str, Any]


@contextmanager
def demo_database(url_given: bool) -> Iterator[str]:
    """Connect Django to a new database, as the application's role: on the server that DATABASE_URL names, or else
    on an embedded one. Gives what a second terminal has to have in its environment."""
    given = connections["default"].settings_dict
    if not url_given:
        with embedded.start() as server:
            roles = server.make_database("workbench")
            yield from _use(server.settings("workbench"), {"USER": roles.system})
    elif given["ENGINE"].endswith("sqlite3"):
        with tempfile.TemporaryDirectory(prefix="tenantkit-demo-") as directory:
            yield from _use({"NAME": str(Path(directory) / "workbench.sqlite3")}, {})
    else:
        with _new_database(dict(given)) as (application, system):
            yield from _use(application, system)


def _use(application: Settings, system: Settings) -> Iterator[str]:
    """Point all connections at the database, of later threads too: they share this dictionary."""
    connection.close()
    connections["default"].settings_dict.update(application)
    try:
        with override_settings(TENANTKIT_SYSTEM_DATABASE=system or None):
            found = connections["default"].settings_dict
            urls = {"DATABASE_URL": _url(found), **({"SYSTEM_DATABASE_URL": _url(found | system)} if system else {})}
            yield " ".join(f"{name}={shlex.quote(url)}" for name, url in urls.items())
    finally:
        connections.close_all()


def _url(database: Settings) -> str:
    if database["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{database['NAME']}"
    login = quote(database["USER"]) + (f":{quote(database['PASSWORD'])}" if database.get("PASSWORD") else "")
    host, port = str(database["HOST"]), database.get("PORT")
    if host.startswith("/"):
        return f"postgresql://{login}@/{database['NAME']}?host={quote(host)}"
    return f"postgresql://{login}@{host}{f':{port}' if port else ''}/{database['NAME']}"


@contextmanager
def _new_database(given: Settings) -> Iterator[tuple[Settings, Settings]]:
    """A database with the roles that `setup_roles` makes, by the login that is given; the logins of the
    application and of the system."""
    name = f"tenantkit_demo_{secrets.token_hex(3)}"
    database = sql.Identifier(name)
    with _server(given) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(database))
    roles: list[str] = []
    try:
        connections["default"].settings_dict["NAME"] = name
        result = set_up_roles(passwords=True, may_create_databases=True)
        if result.refused:
            user = given["USER"] or "the login"
            raise CommandError(
                f"The demo makes its own roles, and {user} of DATABASE_URL may not: {result.refused}. Name a login "
                "that is a superuser, or has CREATEDB and CREATEROLE; or none, for an embedded PostgreSQL."
            )
        roles = list(result.wanted.roles)
        logins = [
            {"USER": login, "PASSWORD": result.passwords[login]}
            for login in (result.wanted.roles.application, result.wanted.roles.system)
        ]
        try:
            yield {"NAME": name, **logins[0]}, logins[1]
        finally:
            _drop_databases_of_tenants({**given, **logins[1], "NAME": name}, roles[0])
    finally:
        with _server(given) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            for role in roles:
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _drop_databases_of_tenants(system: Settings, owner: str) -> None:
    """Those they left and the templates too. As their owner; the login of DATABASE_URL may have no part in them."""
    with _server(system) as connected:
        connected.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
        made = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        for (name,) in connected.execute(made, [f"{system['NAME']}_"]).fetchall():
            connected.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _server(given: Settings) -> Iterator[psycopg.Connection[Any]]:
    parameters = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    present = {ours: given[theirs] for ours, theirs in parameters.items() if given.get(theirs)}
    database = given["NAME"]
    with psycopg.connect(dbname=database, autocommit=True, **present) as admin:
        yield admin
