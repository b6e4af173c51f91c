"""A database for one run of the demo, gone afterwards: nothing of the server it runs on is touched."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.db import connection, connections
from psycopg import sql

from django_tenantkit.testing import embedded

Settings = dict[str, Any]


@contextmanager
def demo_database(url_given: bool) -> Iterator[str]:
    """Connect Django to a new database: on the server that DATABASE_URL names, or else on an embedded one.
    Gives the new database's address, for a second terminal."""
    given = connections["default"].settings_dict
    if not url_given:
        with embedded.start() as server:
            with server.connect() as admin:
                admin.execute("CREATE DATABASE workbench")
            yield from _use(server.settings("workbench"))
    elif given["ENGINE"].endswith("sqlite3"):
        with tempfile.TemporaryDirectory(prefix="tenantkit-demo-") as directory:
            yield from _use({"NAME": str(Path(directory) / "workbench.sqlite3")})
    else:
        with _new_database(dict(given)) as database:
            yield from _use(database)


def _use(database: Settings) -> Iterator[str]:
    """Point all connections at `database`, of later threads too: they share this dictionary."""
    connection.close()
    connections["default"].settings_dict.update(database)
    try:
        yield _url(connections["default"].settings_dict)
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
def _new_database(given: Settings) -> Iterator[Settings]:
    """A database, and an owner for it where the given role is one whom row-level security does not bind."""
    name, password = f"tenantkit_demo_{secrets.token_hex(3)}", secrets.token_hex(16)
    names = {"name": sql.Identifier(name), "password": sql.Literal(password)}
    with _server(given) as admin:
        bypasses = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        own_role = admin.execute(bypasses).fetchone() == (True,)
        if own_role:
            admin.execute(sql.SQL("CREATE ROLE {name} LOGIN NOSUPERUSER PASSWORD {password}").format(**names))
        admin.execute(sql.SQL("CREATE DATABASE {name}").format(**names))
        if own_role:
            admin.execute(sql.SQL("ALTER DATABASE {name} OWNER TO {name}").format(**names))
    try:
        yield {"NAME": name, **({"USER": name, "PASSWORD": password} if own_role else {})}
    finally:
        with _server(given) as admin:
            admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
            if own_role:
                admin.execute(sql.SQL("DROP ROLE {name}").format(**names))


@contextmanager
def _server(given: Settings) -> Iterator[psycopg.Connection[Any]]:
    parameters = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    present = {ours: given[theirs] for ours, theirs in parameters.items() if given.get(theirs)}
    database = given["NAME"]
    with psycopg.connect(dbname=database, autocommit=True, **present) as admin:
        yield admin
