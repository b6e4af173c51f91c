"""Engines that scope, the router, and the tables as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import ERROR, CheckMessage, Error, Tags, Warning, register
from django.db import connections, router

from ..registry import tenant_field
from .common import TAG, Messages, names
from .roles import roles

ROUTER = "django_tenantkit.routers.TenantRouter"
COMPILERS = ("SQLCompiler", "SQLAggregateCompiler", "SQLInsertCompiler", "SQLUpdateCompiler", "SQLDeleteCompiler")


@register(TAG)
def check_engines(**kwargs: Any) -> list[CheckMessage]:
    """E101 to W104. Nothing is connected to."""
    return [*engines(), *routers()]


@register(TAG, Tags.security, deploy=True)
def check_guards(**kwargs: Any) -> list[CheckMessage]:
    """W105."""
    return list(guards())


@register(TAG, Tags.database)
def check_tables(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """W106, and those of `roles.py`, which look into the databases: `check --database default`, and before
    `migrate`."""
    return [message for alias in databases or () for message in tables(alias)]


def engines() -> Messages:
    """Engines that do not add the tenant to what they are asked."""
    for alias in connections:
        operations = connections[alias].ops
        engine = connections[alias].settings_dict["ENGINE"]
        if not getattr(operations, "scopes_tenants", False):
            yield Error(
                f"DATABASES[{alias!r}] uses {engine}, which does not scope the rows of tenants. Connections to it are "
                "refused.",
                hint="Write django_tenantkit.backends.postgresql or django_tenantkit.backends.sqlite3, or give your "
                "engine the mixins of django_tenantkit.backends.",
                id="tenantkit.E101",
            )
            continue
        foreign = [name for name in COMPILERS if not hasattr(operations.compiler(name), "tenant_condition")]
        if foreign:
            yield Error(
                f"DATABASES[{alias!r}] uses {engine}, whose {', '.join(foreign)} of {operations.compiler_module} do "
                "not scope the rows of tenants.",
                hint="Give each the mixin of django_tenantkit.backends.compiler, as "
                "django_tenantkit/backends/sqlite3/compiler.py does.",
                id="tenantkit.E102",
            )


def routers() -> Messages:
    """The router that hears of a reference first."""
    found = [ROUTER in names(entry) for entry in router.routers]
    if not any(found):
        yield Error(
            "TenantRouter is not in DATABASE_ROUTERS, so a many-to-many field accepts rows of another tenant.",
            hint=f'Write DATABASE_ROUTERS = ["{ROUTER}", ...].',
            id="tenantkit.E103",
        )
    elif not found[0]:
        yield Warning(
            "TenantRouter is not the first in DATABASE_ROUTERS: Django asks it nothing where an earlier one answers.",
            hint=f'Write DATABASE_ROUTERS = ["{ROUTER}", ...].',
            id="tenantkit.W104",
        )


def guards() -> Messages:
    """Engines without a guard of their own."""
    for alias in connections:
        if connections[alias].vendor == "sqlite":
            yield Warning(
                f"DATABASES[{alias!r}] is SQLite, which has no row-level security: only the ORM keeps tenants apart, "
                "and raw SQL sees every row.",
                hint="Use PostgreSQL in production: django_tenantkit.backends.postgresql.",
                id="tenantkit.W105",
            )


def tables(alias: str) -> Messages:
    """What is found in one database. Where the application cannot be let in, its tables are not looked at."""
    found = list(roles(alias))
    yield from found
    if not any(message.is_serious(ERROR) for message in found):
        yield from columns(alias)


def columns(alias: str) -> Messages:
    """Tables without the tenant's column. Those of many-to-many fields have no migrations, so one that was
    made before its model belonged to tenants stays as it was."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in apps.get_models(include_auto_created=True):
            field = tenant_field(model)
            table = model._meta.db_table
            if field is None or table not in tables or model._meta.proxy:
                continue
            found = {column.name for column in connection.introspection.get_table_description(cursor, table)}
            if field.column not in found:
                yield Warning(
                    f"The table {table} of {model._meta.label} has no column {field.column}.",
                    hint="Run `manage.py makemigrations` and `migrate`. For the table of a many-to-many field write a "
                    "migration that adds the column, fills it from either end and makes it NOT NULL.",
                    obj=model,
                    id="tenantkit.W106",
                )
