"""Databases of tenants: made and migrated by the system's login.

All of the project's migrations run in one, so it has every table and every constraint of the main database. What is
shared there are copies, see `sql/copies.py`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import DatabaseError, connections
from django.db.migrations import RunPython
from django.db.migrations.executor import MigrationExecutor
from psycopg import errors, sql

from ..conf import conf
from ..exceptions import TenantkitError
from ..isolation.copying import copy_whole
from ..isolation.entries import SHARED, database_alias
from ..registry import lives_at_home
from ..sql import copies
from ..sql.roles import roles_of
from .guard import after_migrate, before_migrate
from .homes import home_apps

_OWNER = "SELECT pg_get_userbyid(datdba), datconnlimit FROM pg_database WHERE datname = %s"

#: One process at a time migrates a database: the lock ends with its connection.
_LOCK = "SELECT pg_advisory_lock(hashtext('tenantkit.migrate'))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('tenantkit.migrate'))"


def make_database(uid: UUID, server: str = "") -> None:
    """Make the database of the tenant with that uid, empty, unless it is there. As the system, outside of
    transactions. A CREATE DATABASE whose process was killed may still be under way: then this waits for its end."""
    connection: Any = connections[database_alias(uid, server)]
    name, owner = connection.settings_dict["NAME"], roles_of(connection.settings_dict).owner
    with connection._nodb_cursor() as cursor:
        cursor.execute(_OWNER, [name])
        if (found := cursor.fetchone()) is None:
            statement = sql.SQL("CREATE DATABASE {} OWNER {} CONNECTION LIMIT {}").format(
                sql.Identifier(name),
                sql.Identifier(owner),
                sql.Literal(-1 if conf.DATABASE_LIMIT is None else conf.DATABASE_LIMIT),
            )
            try:
                cursor.execute(statement)
            except DatabaseError as error:
                if not isinstance(error.__cause__, errors.DuplicateDatabase | errors.UniqueViolation):
                    raise
            cursor.execute(_OWNER, [name])
            found = cursor.fetchone()
    if found[0] != owner:
        raise TenantkitError(f"There is a database {name} which belongs to {found[0]}, not to {owner}. Remove it.")


def migrate_database(uid: UUID, server: str = "", *, fake: bool = False) -> list[str]:
    """Bring the database of that uid up to date with the project's migrations. Returns those that were applied, as
    `app.name`. As the system, outside of transactions."""
    alias = database_alias(uid, server)
    connection: Any = connections[alias]
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        before_migrate(using=alias)
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        _leave_shared_rows_alone(plan)
        executor.migrate(executor.loader.graph.leaf_nodes(), plan, fake=fake)
        _make_unmigrated(connection, executor.loader.unmigrated_apps)
        after_migrate(using=alias, plan=plan)
        _hold_copies(connection)
        copy_whole(connection)
        cursor.execute("INSERT INTO tenantkit.home VALUES (%s) ON CONFLICT DO NOTHING", [uid.hex])
        cursor.execute(_UNLOCK)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def applied_in(uid: UUID, server: str = "") -> list[str]:
    """The migrations that it has on record, as `app.name`, in order of their names."""
    connection: Any = connections[database_alias(uid, server)]
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
        return [name for (name,) in cursor.fetchall()]


def drop_database(uid: UUID, server: str = "") -> None:
    """Drop it, with whoever is connected. As the system, outside of transactions."""
    connection: Any = connections[database_alias(uid, server)]
    connection.close()
    with connection._nodb_cursor() as cursor:
        name = sql.Identifier(connection.settings_dict["NAME"])
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    main: Any = connections[SHARED]
    with main.as_system(), main.cursor() as cursor:
        cursor.execute(copies.FORGET_HOME, [connection.alias, connection.alias])


def shared_models() -> list[Any]:
    """The models whose tables hold copies in a tenant's database: all that are shared."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if not lives_at_home(model) and _makes_table(model)]


def _makes_table(model: Any) -> bool:
    meta = model._meta
    return bool(meta.managed and not meta.proxy and not meta.swapped)


def _leave_shared_rows_alone(plan: Any) -> None:
    """Migrations of apps that all tenants share write rows in the main database; here they make tables."""
    at_home = home_apps()
    for migration, _ in plan:
        if migration.app_label not in at_home:
            for operation in migration.operations:
                if isinstance(operation, RunPython):
                    operation.hints = {"homes": False, **operation.hints}


def _make_unmigrated(connection: Any, labels: set[str]) -> None:
    if labels:
        executor_tables = connection.introspection.table_names()
        wanted = [model for model in apps.get_models() if model._meta.app_label in labels and _makes_table(model)]
        with connection.schema_editor() as editor:
            for model in wanted:
                if model._meta.db_table not in executor_tables:
                    editor.create_model(model)


def _hold_copies(connection: Any) -> None:
    tables = [model._meta.db_table for model in shared_models()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT uid FROM tenantkit.home")
        if cursor.fetchone() is None:
            cursor.execute(copies.empty(tables))
        for statement in copies.hold(tables, roles_of(connection.settings_dict)):
            cursor.execute(statement)
