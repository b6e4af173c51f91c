"""Where the rows of tenants live, and how one gets there: as the owner of the tables, as an operator, and as the
application without the ORM's scoping."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import psycopg
from django.apps import apps
from django.db import connection, connections, models, router
from django.db.backends.postgresql.operations import DatabaseOperations

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.conf import conf
from django_tenantkit.fields import TenantField
from django_tenantkit.isolation.base import Home
from django_tenantkit.models import TenantModel
from django_tenantkit.registry import table_map, tenant_field
from django_tenantkit.sql.roles import roles_of

#: The tenant tables of the test's app by name, with their models.
TENANT_TABLES: dict[str, type[models.Model]] = {
    model._meta.db_table: model
    for model in sorted(apps.get_app_config("testapp").get_models(include_auto_created=True), key=lambda m: str(m))
    if not model._meta.proxy and tenant_field(model) is not None
}
#: The other tables: shared ones, and the product's own.
OTHER_TABLES = (
    "testapp_region",
    "testapp_plan",
    "auth_user",
    "django_tenantkit_tenant",
    "django_tenantkit_domain",
    "django_tenantkit_membership",
)


class Reference(NamedTuple):
    """A foreign key from a tenant table to a tenant table."""

    table: str
    column: str
    to_table: str
    to_column: str


REFERENCES = [
    Reference(table, field.column, field.target_field.model._meta.db_table, field.target_field.column)
    for table, model in TENANT_TABLES.items()
    for field in model._meta.local_fields
    if isinstance(field, models.ForeignKey) and field.target_field.model._meta.db_table in TENANT_TABLES
]

#: The texts that are unique within a tenant.
UNIQUE_TEXTS = ("number", "label", "sku", "email")

#: Each schema numbers its rows by itself: globex's numbers begin where acme has none, so that each names one row.
LATER_KEYS = (
    "SELECT setval(oid::regclass, 5000) FROM pg_class WHERE relkind = 'S' AND relnamespace = '{}'::regnamespace"
)

#: Every row as the table has it, with its place and the transaction that made it. Not with the one that locked it
#: (xmax): ON CONFLICT DO UPDATE locks what it met before the policy refuses it.
PHYSICAL = "ROW(t.ctid, t.xmin, t.*)::text"
LOGICAL = "to_jsonb(t)::text"


class Spot(NamedTuple):
    """Where rows live: a schema, in the database that an alias leads to."""

    database: str
    schema: str

    @classmethod
    def of(cls, tenant: Any) -> Spot:
        """That of a tenant's rows."""
        home = tenant.home or Home()
        return cls(home.database or connection.alias, home.schema or conf.ROW_SCHEMA or "public")


def all_rows(what: str, homes: list[Spot]) -> str:
    """The query for all rows in given schemas of a database, and for those of the other tables there."""
    queries = [
        f"SELECT '{table}', tenant_id::text, {what}, '{home.database}.{home.schema}' FROM {home.schema}.{table} t"
        for home in homes
        for table in TENANT_TABLES
    ]
    queries += [
        f"SELECT '{table}', NULL, {what}, '{homes[0].database}.public' FROM public.{table} t" for table in OTHER_TABLES
    ]
    return f"SELECT * FROM ({' UNION ALL '.join(queries)}) AS rows ORDER BY 1, 2, 3, 4"


def crossing(homes: list[Spot]) -> str:
    """The query for references whose tenants differ, in given schemas of a database."""
    return " UNION ALL ".join(
        f"SELECT '{r.table}.{r.column}' FROM {home.schema}.{r.table} a JOIN {home.schema}.{r.to_table} b "
        f"ON a.{r.column} = b.{r.to_column} WHERE a.tenant_id <> b.tenant_id"
        for home in homes
        for r in REFERENCES
    )


def new_key(table: str, like: Any) -> Any:
    """A key that no row of a table has, of the type that its keys have."""
    return 10**9 if isinstance(like, int) else str(uuid.uuid5(uuid.NAMESPACE_OID, table))


@contextmanager
def without_scoping() -> Iterator[None]:
    """Django's own operations, compilers, `save()`, `delete()` and router, which know nothing of tenants. What is
    left of the product is what the connection tells the database."""
    connection.ensure_connection()
    wrapper: Any = connections[connection.alias]  # the proxy cannot be patched
    with ExitStack() as stack:
        stack.enter_context(patch.object(wrapper, "ops", DatabaseOperations(wrapper)))
        stack.enter_context(patch.object(router, "routers", []))
        stack.enter_context(patch.object(TenantField, "serialize", True))
        for name in ("save", "delete", "_prepare_related_fields_for_save"):
            stack.enter_context(patch.object(TenantModel, name, getattr(models.Model, name)))
        yield


def quoted(table: tuple[str, str]) -> str:
    """The name of a table, of which one knows where it is: `database.schema`."""
    where, name = table
    return f"{where.rpartition('.')[2]}.{name}"


def owner_of(database: str) -> psycopg.Connection[Any]:
    """A connection that sees all rows of a database."""
    one: Any = connections[database]
    with one.as_system():
        made = psycopg.connect(**one.get_connection_params(), autocommit=True)
    made.execute(f'SET ROLE "{roles_of(one.settings_dict).owner}"')
    return made


def by_owner(home: Spot, *statements: str) -> None:
    """What the owner of the tables does in a home."""
    one: Any = connections[home.database]
    is_tenants = home.schema not in ("public", conf.ROW_SCHEMA)
    with one.in_home(home.schema) if is_tenants else one.as_system(), one.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def operating(tenant: Any) -> Iterator[None]:
    """With the operator's rights in the tables of `tenant`, whose rows are not all that it sees there."""
    if tenant is None or tenant.home is None:
        with unscoped(reason="what plain Django does"):
            yield
        return
    with tenant_context(tenant):
        connection.ensure_connection()
        session = connection.connection.cursor_factory.session
        roles = session.roles._replace(application=session.roles.operator)
        with patch.object(session, "roles", roles):
            yield


assert set(TENANT_TABLES) <= set(table_map(apps).tenant_fields)
