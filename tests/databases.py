"""Which database the tests use, and how each process of a run gets one of its own.

Without DATABASE_URL one embedded PostgreSQL serves the whole run; with it, that server does, and
what the run made there is dropped at its end. The first process that needs tables makes the roles
and migrates a template as the system; every process clones it, and connects as the application's role.
With SQLite each process migrates in memory.

    pytest process          begin_run()                end_run()
    each worker             configured(), then clone() through the fixture django_db_setup
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psycopg
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from django_tenantkit.sql.roles import Roles
from django_tenantkit.sql.setup import Wanted, set_up
from django_tenantkit.testing import embedded

POSTGRESQL = "django_tenantkit.backends.postgresql"
SQLITE = "django_tenantkit.backends.sqlite3"

#: Where the pytest process leaves, for its workers, the settings of the database and those of the login
#: that makes databases and roles, as JSON.
HANDED_DOWN = "TENANTKIT_TEST_DATABASE"
ADMIN = "TENANTKIT_TEST_ADMIN"

#: What all names of this run begin with: its databases', and its roles', which are global to a server.
PREFIX = os.environ.setdefault("TENANTKIT_TEST_PREFIX", f"tenantkit_test_{secrets.token_hex(3)}")
ROLES = Roles(*(f"{PREFIX}_{role}" for role in ("owner", "app", "operator", "system")))

#: How the tenants of `tests/isolation/world.py` are kept apart in this run: one of its `KINDS`.
ISOLATION = os.environ.get("TENANTKIT_TEST_ISOLATION", "row")

#: The runs that have tenants with databases.
WITH_DATABASES = ("database", "mixed", "mixed-database", "all")

#: The server of TENANTKIT_SERVERS that runs with shards have: one more database of the main one.
SHARDED = "two"
WITH_SHARDS = ("shard",)

#: How many schemas wait for the tenants of one test, and how many databases where a run has any.
PLACES = 3


class Run:
    """What one run of pytest has to end: its server, or its databases and roles on somebody's server."""

    def __init__(self) -> None:
        self.server: embedded.EmbeddedServer | None = None
        self.prefix = PREFIX


class NotAllowedError(Exception):
    """The role of DATABASE_URL may not make the roles and databases of the tests."""


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
            _must_make_roles(settings)
            login = {"USER": ROLES.application, "PASSWORD": secrets.token_hex(16)}
        else:
            run.server = embedded.start()
            settings = run.server.settings("postgres", embedded.SUPERUSER)
            login = {"USER": ROLES.application}
        os.environ[ADMIN] = json.dumps(settings)
        settings = settings | login | {"TEST": {"NAME": f"{PREFIX}_template"}}
    os.environ[HANDED_DOWN] = json.dumps(settings)
    return run


def end_run(run: Run) -> None:
    """Stop the server, or drop what the run made on somebody else's."""
    del os.environ[HANDED_DOWN]
    admin = os.environ.pop(ADMIN, None)
    if run.server is not None:
        run.server.stop()
    elif admin is not None:
        with connected(json.loads(admin), "postgres") as connection:
            databases = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            for (name,) in connection.execute(databases, [PREFIX]).fetchall():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            roles = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)"
            if names := [sql.Identifier(name) for (name,) in connection.execute(roles, [PREFIX])]:
                together = sql.SQL(", ").join(names)  # on 16 and newer one may have granted another to a third
                with suppress(psycopg.errors.InsufficientPrivilege):  # without a superuser they have nothing here
                    connection.execute(sql.SQL("DROP OWNED BY {}").format(together))
                connection.execute(sql.SQL("DROP ROLE {}").format(together))


def _must_make_roles(settings: dict[str, Any]) -> None:
    query = """SELECT rolsuper OR rolcreaterole AND rolcreatedb, rolname FROM pg_roles WHERE rolname = current_user"""
    with connected(settings, "postgres") as connection:
        allowed, name = connection.execute(query).fetchone() or (False, "?")
    if not allowed:
        raise NotAllowedError(
            f"the role {name} of DATABASE_URL is neither a superuser nor CREATEROLE and CREATEDB, and the tests make "
            f"roles and databases. Name one that is, or unset DATABASE_URL to use the embedded PostgreSQL."
        )


def unguarded(entry: dict[str, Any]) -> dict[str, Any]:
    """What differs in an entry of `DATABASES` for an engine of Django's: it logs in as the owner of the tables,
    who sees all rows."""
    return {"USER": ROLES.system, "OPTIONS": {**entry.get("OPTIONS", {}), "assume_role": ROLES.owner}}


def make_roles(settings: dict[str, Any]) -> None:
    """Make the roles of this run, for those who make databases of their own instead of clones."""
    name = f"{PREFIX}_roles"
    with as_admin() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with as_admin(name) as admin:
        _set_up(admin, settings)


def clone(connection: BaseDatabaseWrapper, worker: str) -> str:
    """Point the connection at a copy of the template made for this worker, and return its name.
    The first caller of a run makes the template; the others wait for it."""
    settings = connection.settings_dict
    template = settings["TEST"]["NAME"]
    name = f"{template.removesuffix('_template')}_{worker}"
    with as_admin() as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [zlib.crc32(template.encode())])
        if not _is_finished(admin, template):
            _make_template(admin, connection, template)
        _copy(admin, template, name)
    with as_admin(name) as admin:
        _set_up(admin, settings)  # privileges on a database are not copied with it
    settings["NAME"] = name
    _clone_places(connection, template)
    return name


def _copy(admin: psycopg.Connection[Any], template: str, name: str, owner: str = "") -> None:
    """Also where there is one that nobody uses any more: a worker may come to the tests of a module twice."""
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    admin.execute(copy + sql.SQL(" OWNER {}").format(sql.Identifier(owner)) if owner else copy)


def _clone_places(connection: BaseDatabaseWrapper, template: str) -> None:
    """Copies of the databases that wait for tenants, whose names follow from the main one's."""
    if ISOLATION not in WITH_DATABASES + WITH_SHARDS:
        return
    from django_tenantkit.isolation.entries import database_name  # settings, which come later
    from django_tenantkit.models import Place

    name = connection.settings_dict["NAME"]
    # Of this copy: what tests made since in the one under another alias has no template.
    uids = (
        Place.objects.using(connection.alias).filter(isolation__in=["database", "shard"]).values_list("pk", flat=True)
    )
    with as_admin() as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [zlib.crc32(template.encode())])
        for uid in uids:
            _copy(admin, database_name(template, uid), database_name(name, uid), ROLES.owner)


def _make_template(admin: psycopg.Connection[Any], connection: BaseDatabaseWrapper, template: str) -> None:
    """Migrate into a new database, which nobody can connect to afterwards: that marks it finished,
    and somebody's connection would keep others from cloning it."""
    name = sql.Identifier(template)
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
    admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    with as_admin(template) as connected_to_it:
        _set_up(connected_to_it, connection.settings_dict)
    connection.settings_dict["NAME"] = template
    # Django makes the tables of apps without migrations first, but those of the tests refer to migrated ones.
    call_command("migrate", verbosity=0, interactive=False)
    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    if ISOLATION != "row":
        from django_tenantkit.lifecycle.places import make_place  # models, which settings come before

        places = [("schema", ""), ("database", "")] if ISOLATION in WITH_DATABASES else [("schema", "")]
        places += [("schema", SHARDED)] if ISOLATION in WITH_SHARDS else []
        for isolation, server in places * PLACES:
            make_place(isolation, server)
    connection.close()
    admin.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))


def _set_up(admin: psycopg.Connection[Any], settings: dict[str, Any]) -> None:
    """The roles, which log in with the password of this run, and what they may do in this database."""
    wanted = Wanted(ROLES, ROLES.application, ROLES.system, web_may_operate=True, may_create_databases=True)
    with admin.transaction(), admin.cursor() as cursor:
        made = set_up(cursor, wanted)
        if (password := settings.get("PASSWORD")) and any(statement.startswith("CREATE ROLE") for statement in made):
            for role in (ROLES.application, ROLES.system):
                alter = sql.SQL("ALTER ROLE {} PASSWORD {}")
                cursor.execute(alter.format(sql.Identifier(role), sql.Literal(password)))


def _is_finished(admin: psycopg.Connection[Any], template: str) -> bool:
    query = "SELECT FROM pg_database WHERE datname = %s AND NOT datallowconn"
    return admin.execute(query, [template]).fetchone() is not None


def as_admin(database: str = "postgres") -> AbstractContextManager[psycopg.Connection[Any]]:
    """A connection of the login that makes databases and roles: a superuser, except on somebody's server."""
    return connected(json.loads(os.environ[ADMIN]), database)


@contextmanager
def connected(settings: dict[str, Any], database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection outside Django and its transactions, for an entry of DATABASES."""
    with psycopg.connect(dbname=database, autocommit=True, **parameters(settings)) as connection:
        yield connection


def parameters(settings: dict[str, Any]) -> dict[str, Any]:
    """How psycopg connects to the server of an entry of DATABASES."""
    arguments = {
        "host": settings.get("HOST"),
        "port": settings.get("PORT"),
        "user": settings.get("USER"),
        "password": settings.get("PASSWORD"),
        **{key: value for key, value in settings.get("OPTIONS", {}).items() if key.startswith("ssl")},
    }
    return {key: value for key, value in arguments.items() if value}
