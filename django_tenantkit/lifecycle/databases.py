"""Databases of tenants: made and migrated by the system's login.

All of the project's migrations run in one, so it has every table and every constraint of the main database. What is
shared there are copies, see `sql/copies.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import DatabaseError, ProgrammingError, connections
from django.db.migrations import RunPython
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg import errors

from ..caches import at_work_in
from ..conf import conf
from ..context import tenant_context
from ..exceptions import TenantkitError
from ..isolation.copying import copy_whole
from ..isolation.entries import SHARED, database_alias, left_database_name, template_name
from ..registry import lives_at_home
from ..sql import copies
from ..sql import databases as sql
from ..sql.roles import Roles, roles_of
from ..sql.setup import set_up_as_owner
from .guard import after_migrate, before_migrate
from .homes import home_apps
from .signing import apply_signing


def make_database(uid: UUID, server: str = "", template: str = "", *, limited: bool = True) -> bool:
    """Make the database of the tenant with that uid, empty or a copy of `template`, unless it is there; whether it was
    not. `limited`: with TENANTKIT_DATABASE_LIMIT. As the system, outside of transactions. A CREATE DATABASE whose
    process was killed may still be under way: then this waits for its end."""
    is_new = False
    connection: Any = connections[database_alias(uid, server)]
    name, owner = connection.settings_dict["NAME"], roles_of(connection.settings_dict).owner
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.OWNER, [name])
        if (found := cursor.fetchone()) is None:
            try:
                cursor.execute(sql.create(name, owner, conf.DATABASE_LIMIT if limited else None, template))
                is_new = True
            except DatabaseError as error:
                if not isinstance(error.__cause__, errors.DuplicateDatabase | errors.UniqueViolation):
                    raise
            cursor.execute(sql.OWNER, [name])
            found = cursor.fetchone()
    if found[0] != owner:
        raise TenantkitError(f"There is a database {name} which belongs to {found[0]}, not to {owner}. Remove it.")
    return is_new


#: Says which migrations are wanted, as Django names them, given those of the project.
Targets = Callable[[MigrationLoader], list[Any]]


def newest(loader: MigrationLoader) -> list[Any]:
    """The newest migrations of all apps."""
    return list(loader.graph.leaf_nodes())


def migrate_database(
    uid: UUID, server: str = "", targets: Targets = newest, *, fake: bool = False, tenant: Any = None
) -> list[str]:
    """Bring the database of that uid to the project's migrations, or where `targets` says, backwards too; with `fake`
    on record only. What looks at rows looks at those of `tenant`. Returns the migrations that were applied or undone,
    as `app.name`. As the system, outside of transactions."""
    with _alone_in(database_alias(uid, server)) as connection:
        done = _migrate(connection, targets, fake, tenant)
        _finish(connection, uid)
    return done


def migrate_template(uid: UUID, server: str = "") -> None:
    """Give a new database all that one has before it is a tenant's."""
    with _alone_in(database_alias(uid, server)) as connection:
        _migrate(connection)


def finish_copy(uid: UUID, server: str = "") -> None:
    """Make of a new copy of such a database the one of that uid: what is not copied with a database, or changes
    while nobody migrates."""
    with _alone_in(database_alias(uid, server)) as connection:
        set_up_as_owner(connection, roles_of(connection.settings_dict))
        apply_signing(connection)
        _hold_copies(connection)  # of which the line before the last has made tables like others
        _finish(connection, uid)


@contextmanager
def _alone_in(alias: str) -> Iterator[Any]:
    connection: Any = connections[alias]
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(sql.LOCK)
        yield connection
        cursor.execute(sql.UNLOCK)


def _migrate(connection: Any, targets: Targets = newest, fake: bool = False, tenant: Any = None) -> list[str]:
    alias = connection.alias
    before_migrate(using=alias)
    executor = MigrationExecutor(connection)
    wanted = targets(executor.loader)
    plan = executor.migration_plan(wanted)
    _leave_shared_rows_alone(plan)
    with at_work_in(alias, alias), tenant_context(tenant):
        executor.migrate(wanted, plan, fake=fake)
    _make_unmigrated(connection, executor.loader.unmigrated_apps)
    after_migrate(using=alias, plan=plan)
    _hold_copies(connection)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _finish(connection: Any, uid: UUID) -> None:
    copy_whole(connection)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tenantkit.home VALUES (%s) ON CONFLICT DO NOTHING", [uid.hex])


def applied_in(uid: UUID, server: str = "") -> list[str]:
    """The migrations that it has on record, as `app.name`, in order of their names."""
    connection: Any = connections[database_alias(uid, server)]
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
        return [name for (name,) in cursor.fetchall()]


def is_there(uid: UUID, server: str = "") -> bool:
    """Whether it is on its server, in reach or put away."""
    connection = closed(uid, server)
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.THERE, [list(names_of(connection, uid)[:2])])
        return cursor.fetchone() is not None


def put_away(uid: UUID, server: str = "", left_as: UUID | None = None) -> None:
    """Put it out of reach: shut, and under another name, that of the uid `left_as` where the tenant has another home
    by now. Nothing where that was done, or where there is none. As the system, outside of transactions."""
    connection = closed(uid, server)
    name, left, _ = names_of(connection, uid)
    if left_as is not None:
        left = names_of(connections[database_alias(left_as, server)], left_as).left
    with connection._nodb_cursor() as cursor:
        if _is_to_be_renamed(cursor, name, left):
            cursor.execute(sql.allow_connections(name, allow=False))
            end_sessions(cursor, name, roles_of(connection.settings_dict))
            cursor.execute(sql.rename(name, left))
    _tell_copies(copies.LEAVE_HOME if left_as is None else copies.FORGET_HOME, connection.alias)


def bring_back(uid: UUID, server: str = "") -> None:
    """Put it back in reach, as it was."""
    connection = closed(uid, server)
    name, left, _ = names_of(connection, uid)
    with connection._nodb_cursor() as cursor:
        if _is_to_be_renamed(cursor, left, name):
            cursor.execute(sql.rename(left, name))
        cursor.execute(sql.allow_connections(name, allow=True))
    _tell_copies(copies.RETURN_HOME, connection.alias)


def drop_left(uid: UUID, server: str = "") -> None:
    """Drop it, if it was put away."""
    connection = closed(uid, server)
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.drop(names_of(connection, uid).left))
    _tell_copies(copies.FORGET_HOME, connection.alias)


def drop_database(uid: UUID, server: str = "") -> None:
    """Drop it, with whoever is connected. As the system, outside of transactions."""
    connection = closed(uid, server)
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.drop(names_of(connection, uid).own))
    _tell_copies(copies.FORGET_HOME, connection.alias)


class Names(NamedTuple):
    """What the database of a uid is called, what once its tenant left it, and what as a template."""

    own: str
    left: str
    template: str


def names_of(connection: Any, uid: UUID) -> Names:
    """The names that a database of that uid can have."""
    name = connection.settings_dict["NAME"]
    return Names(name, left_database_name(name, uid), template_name(name, uid))


def closed(uid: UUID, server: str) -> Any:
    """The connection to it, closed: nobody renames or drops a database to which somebody is connected."""
    connection = connections[database_alias(uid, server)]
    connection.close()
    return connection


def _is_to_be_renamed(cursor: Any, name: str, new: str) -> bool:
    """Whether a database has its first name. Raises `TenantkitError` where there is one of each name."""
    cursor.execute(sql.THERE, [[name, new]])
    found = [there for (there,) in cursor.fetchall()]
    if len(found) > 1:
        raise TenantkitError(f"There are both databases, {name} and {new}. See what is in them, and rename one.")
    return found == [name]


def end_sessions(cursor: Any, name: str, roles: Roles) -> None:
    """Send away whoever is connected. Raises `TenantkitError` where some are others' than the system may end."""
    _end_own(cursor, name)
    for role in (roles.application, roles.operator):
        cursor.execute(sql.act_as(role))
        _end_own(cursor, name)
        cursor.execute("RESET ROLE")
    cursor.execute(sql.SESSIONS, [name])
    if left := [role for (role,) in cursor.fetchall()]:
        raise TenantkitError(
            f"{', '.join(left)} is still connected to the database {name}, and the system may not end that. Nobody can "
            "connect any more: end those sessions, or wait for their ends, and do the same again."
        )


def _end_own(cursor: Any, name: str) -> None:
    """One by one: a process may be another's by the time that it is to end, or one without a user, and then PostgreSQL
    refuses. Who is left is looked at afterwards."""
    cursor.execute(sql.ENDABLE, [name])
    for (pid,) in cursor.fetchall():
        try:
            cursor.execute(sql.END_SESSION, [pid])
        except ProgrammingError as error:
            if not isinstance(error.__cause__, errors.InsufficientPrivilege):
                raise


def _tell_copies(statement: str, alias: str) -> None:
    main: Any = connections[SHARED]
    with main.as_system(), main.cursor() as cursor:
        cursor.execute(statement, {"home": alias, "left": copies.left_home(alias)})


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
    there = connection.introspection.table_names()  # after going backwards not all of them
    tables = [model._meta.db_table for model in shared_models() if model._meta.db_table in there]
    with connection.cursor() as cursor:
        cursor.execute("SELECT uid FROM tenantkit.home")
        if cursor.fetchone() is None:
            cursor.execute(copies.empty(tables))
        for statement in copies.hold(tables, roles_of(connection.settings_dict)):
            cursor.execute(statement)
