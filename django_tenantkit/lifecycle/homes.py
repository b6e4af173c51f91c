"""Homes of tenants: made, migrated and guarded by the system's login. See `isolation/` for where they are."""

from __future__ import annotations

import hashlib
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.migrations.executor import MigrationExecutor

from ..conf import conf
from ..exceptions import TenantkitError
from ..registry import lives_at_home, tenant_field
from ..sql import homes as sql
from ..sql.roles import roles_of
from .kinds import announce_renamed, fill_home


def make_row_home(connection: Any, cursor: Any) -> None:
    """See to it that the schema of row tenants is there, with the tables that `public` has of theirs. As the owner,
    before the database is migrated. Nothing where TENANTKIT_ROW_SCHEMA names none. Raises `TenantkitError` where
    both have a table of the same name."""
    if not (schema := conf.ROW_SCHEMA):
        return
    for statement in sql.create_schema(schema, roles_of(connection.settings_dict)):
        cursor.execute(statement)
    tables = [model._meta.db_table for model in home_models()]
    cursor.execute(sql.TABLES_IN, [sql.quoted(schema), tables])
    there = {table for (table,) in cursor.fetchall()}
    cursor.execute(sql.TABLES_IN, ["public", tables])
    for (table,) in cursor.fetchall():
        if table in there:
            raise TenantkitError(
                f"There is a table public.{table} beside {schema}.{table}, in which row tenants are. A home that lacks "
                "its own would go on to that one. See what is in it, and rename or drop it."
            )
        cursor.execute(sql.move_table("public", sql.quoted(table), schema))


def migrate_home(connection: Any, schema: str, *, fake: bool = False) -> list[str]:
    """Make the schema of a tenant, or bring it up to date, by running the migrations of its apps in it. Returns
    those that were applied, as `app.name`. `connection` is the system's, outside of transactions."""
    with connection.in_home(schema):
        _prepare(connection, schema)
        executor = MigrationExecutor(connection)
        targets = executor.loader.graph.leaf_nodes()
        plan = executor.migration_plan(targets)
        announce_renamed(plan)
        executor.migrate(targets, plan, fake=fake)
        _make_unmigrated(connection, executor.loader.unmigrated_apps, schema)
        guard_home(connection, schema)
        fill_home(connection, plan)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def guard_home(connection: Any, schema: str) -> None:
    """Guard the tables of a home that have no tenant's column: see `sql/homes.py`."""
    with connection.cursor() as cursor:
        cursor.execute(*sql.unguarded(schema))
        if not (tables := [table for (table,) in cursor.fetchall()]):
            return
        with transaction.atomic(using=connection.alias):
            for table in tables:
                for statement in sql.guard(schema, table, roles_of(connection.settings_dict)):
                    cursor.execute(statement)


def applied_in(connection: Any, schema: str) -> list[str]:
    """The migrations that a home has on record, as `app.name`, in order of their names."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT app || '.' || name FROM {sql.quoted(schema)}.django_migrations ORDER BY 1")
        return [name for (name,) in cursor.fetchall()]


def digest_of(names: list[str]) -> str:
    """What stands for a set of migrations in `Place.migrations`."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def home_models() -> list[Any]:
    """The models whose tables are in the home of a tenant."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if lives_at_home(model) and _makes_table(model)]


def home_apps() -> frozenset[str]:
    """The labels of apps with such models."""
    return frozenset(model._meta.app_label for model in home_models())


def tables_without_tenant() -> list[str]:
    """The tables of homes that have no tenant's column, so that no two tenants can share them."""
    return sorted(model._meta.db_table for model in home_models() if tenant_field(model) is None)


def _makes_table(model: Any) -> bool:
    meta = model._meta
    return bool(meta.managed and not meta.proxy and not meta.swapped)


def _prepare(connection: Any, schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.FIND_HOME, ["public", "public.django_migrations"])
        if not cursor.fetchone()[1]:
            raise TenantkitError("The main database has no tables yet, and homes refer to them. Run `migrate` first.")
        cursor.execute(sql.FIND_HOME, [sql.quoted(schema), f"{sql.quoted(schema)}.django_migrations"])
        if not cursor.fetchone()[1]:
            for statement in (*sql.create_schema(schema, roles_of(connection.settings_dict)), sql.copy_ledger(schema)):
                cursor.execute(statement)


def _make_unmigrated(connection: Any, labels: set[str], schema: str) -> None:
    """The tables of apps without migrations, as `migrate --run-syncdb` makes them."""
    wanted = [model for model in home_models() if model._meta.app_label in labels]
    with connection.cursor() as cursor:
        cursor.execute(sql.TABLES_IN, [sql.quoted(schema), [model._meta.db_table for model in wanted]])
        found = {table for (table,) in cursor.fetchall()}
    with connection.schema_editor() as editor:
        for model in wanted:
            owner = model._meta.auto_created  # a many-to-many table is made with its model, if that is here too
            if model._meta.db_table not in found and not (owner and lives_at_home(owner)):
                editor.create_model(model)
