"""Which database the tests use, and how each process of a run gets one of its own.

Without DATABASE_URL one embedded PostgreSQL serves the whole run; with it, that server does, and
what the run made there is dropped at its end. The first process that needs tables migrates them
into a template, and every process clones it. With SQLite each process migrates in memory.

    pytest process          begin_run()                end_run()
    each worker             configured(), then clone() through the fixture django_db_setup
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from django_tenantkit.testing import embedded

POSTGRESQL = "django_tenantkit.backends.postgresql"
SQLITE = "django_tenantkit.backends.sqlite3"

#: Where the pytest process leaves the settings of the database for its workers, as JSON.
HANDED_DOWN = "TENANTKIT_TEST_DATABASE"


class Run:
    """What one run of pytest has to end: its server, or its databases and role on somebody's server."""

    def __init__(self) -> None:
        self.server: embedded.EmbeddedServer | None = None
        self.owner: dict[str, Any] | None = None
        self.prefix = f"tenantkit_test_{secrets.token_hex(3)}"


def configured() -> dict[str, Any]:
    """The entry of `DATABASES`. Outside a test run it names a server that need not be there, for
    the tools that only import the settings."""
    if HANDED_DOWN in os.environ:
        handed_down: dict[str, Any] = json.loads(os.environ[HANDED_DOWN])
        return handed_down
    if (url := os.environ.get("DATABASE_URL", "")).startswith("sqlite") or _wants_sqlite():
        return {"ENGINE": SQLITE, "NAME": ":memory:"}
    return _parse(url) if url else {"ENGINE": POSTGRESQL, "NAME": "tenantkit", "HOST": "localhost"}


def _wants_sqlite() -> bool:
    return os.environ.get("TENANTKIT_TEST_ENGINE") == "sqlite"


def _parse(url: str) -> dict[str, Any]:
    """DATABASE_URL as Django's settings; a socket given as `?host=/path` becomes the HOST."""
    import environ  # an optional package: only needed where DATABASE_URL is set

    settings: dict[str, Any] = environ.Env.db_url_config(url) | {"ENGINE": POSTGRESQL}
    options = settings.setdefault("OPTIONS", {})
    settings["HOST"] = options.pop("host", settings["HOST"])
    return settings


def begin_run() -> Run:
    """Start or find the server, and hand its address down in the environment."""
    run = Run()
    settings = configured()
    if settings["ENGINE"] == POSTGRESQL:
        if "DATABASE_URL" in os.environ:
            run.owner = settings
            settings = _without_superuser(settings, run.prefix)
        else:
            run.server = embedded.start()
            settings = run.server.settings()
        settings["TEST"] = {"NAME": f"{run.prefix}_template"}
    os.environ[HANDED_DOWN] = json.dumps(settings)
    return run


def end_run(run: Run) -> None:
    """Stop the server, or drop what the run made on somebody else's."""
    del os.environ[HANDED_DOWN]
    if run.server is not None:
        run.server.stop()
    elif run.owner is not None:
        with _maintenance(run.owner) as connection:
            databases = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            for (name,) in connection.execute(databases, [run.prefix]).fetchall():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            roles = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)"
            for (name,) in connection.execute(roles, [run.prefix]).fetchall():
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _without_superuser(settings: dict[str, Any], role: str) -> dict[str, Any]:
    """The settings with a role of this run in place of one whom row-level security does not bind."""
    with _maintenance(settings) as connection:
        bypasses = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        if connection.execute(bypasses).fetchone() == (False,):
            return settings
        password = secrets.token_hex(16)
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(password)
            )
        )
    return settings | {"USER": role, "PASSWORD": password}


def clone(connection: BaseDatabaseWrapper, worker: str) -> str:
    """Point the connection at a copy of the template made for this worker, and return its name.
    The first caller of a run makes the template; the others wait for it."""
    settings = connection.settings_dict
    template = settings["TEST"]["NAME"]
    name = f"{template.removesuffix('_template')}_{worker}"
    with _maintenance(settings) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [zlib.crc32(template.encode())])
        if not _is_finished(admin, template):
            _make_template(admin, connection, template)
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
    settings["NAME"] = name
    return name


def _make_template(admin: psycopg.Connection[Any], connection: BaseDatabaseWrapper, template: str) -> None:
    """Migrate into a new database, which nobody can connect to afterwards: that marks it finished,
    and somebody's connection would keep others from cloning it."""
    name = sql.Identifier(template)
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
    admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    connection.settings_dict["NAME"] = template
    # Django makes the tables of apps without migrations first, but those of the tests refer to migrated ones.
    call_command("migrate", verbosity=0, interactive=False)
    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    connection.close()
    admin.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))


def _is_finished(admin: psycopg.Connection[Any], template: str) -> bool:
    query = "SELECT FROM pg_database WHERE datname = %s AND NOT datallowconn"
    return admin.execute(query, [template]).fetchone() is not None


@contextmanager
def _maintenance(settings: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the server's own database, outside Django and its transactions."""
    arguments = {
        "host": settings.get("HOST"),
        "port": settings.get("PORT"),
        "user": settings.get("USER"),
        "password": settings.get("PASSWORD"),
        **{key: value for key, value in settings.get("OPTIONS", {}).items() if key.startswith("ssl")},
    }
    present = {key: value for key, value in arguments.items() if value}
    with psycopg.connect(dbname="postgres", autocommit=True, **present) as connection:
        yield connection
