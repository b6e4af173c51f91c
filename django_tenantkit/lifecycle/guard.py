"""What a PostgreSQL database needs beside its tables, made whenever it is migrated: functions, the guard of our
own tables, and signing."""

from __future__ import annotations

import hashlib
from typing import Any

from django.apps import apps
from django.db import connections

from ..conf import conf
from ..isolation.copied import common_models, common_table, copied_models
from ..isolation.entries import HOME_OF, allows_databases, is_shard
from ..models import Job, Membership, Place, get_domain_model, get_tenant_model
from ..registry import only_rows
from ..sql import common, copies, functions, lookups, own_tables
from ..sql.homes import quoted
from ..sql.roles import Roles, roles_of
from ..sql.setup import set_up_as_owner
from .homes import guard_home, make_row_home
from .signing import apply_signing

#: What the application may write in our own tables, see `sql/own_tables.py`.
_WRITES = {
    "tenant": {"INSERT": "nobody", "UPDATE": "own"},
    "domain": {},
    "membership": {"INSERT": "own", "UPDATE": "own", "DELETE": "own"},
    "job": {"INSERT": "own", "UPDATE": "own"},
    # Who signs up takes one that is ready.
    "place": {"SELECT": "nobody", "UPDATE": "nobody"},
}

#: The columns of a tenant that operators write.
_PROTECTED = ("uid", "slug", "plan", "status", "isolation", "database", "erased_at")


def before_migrate(using: str, **kwargs: Any) -> None:
    """The schema `tenantkit` and its functions, which the tables' triggers and policies call."""
    connection: Any = connections[using]
    if connection.vendor == "postgresql":
        with connection.as_system(), connection.cursor() as cursor:
            set_up_as_owner(connection, roles_of(connection.settings_dict))
            for statement in (*functions.STATEMENTS, *functions.privileges(roles_of(connection.settings_dict))):
                cursor.execute(statement)
            make_row_home(connection, cursor)
            if not only_rows():
                for statement in (*common.STATEMENTS, *common.privileges(roles_of(connection.settings_dict))):
                    cursor.execute(statement)
            if allows_databases():
                for statement in (*copies.STATEMENTS, *copies.privileges(roles_of(connection.settings_dict))):
                    cursor.execute(statement)


def after_migrate(using: str, **kwargs: Any) -> None:
    """What looks into our own tables and what guards them, and what TENANTKIT_SIGNED_CONTEXT asks for."""
    connection: Any = connections[using]
    if connection.vendor != "postgresql" or "plan" not in kwargs:  # `flush` sends the signal as well
        return
    models = own_models()
    with connection.as_system():
        tables = connection.introspection.table_names()
        if all(model._meta.db_table in tables for model in models.values()):
            _guard_own_tables(connection, models)
        if conf.ROW_SCHEMA:
            guard_home(connection, conf.ROW_SCHEMA)
        apply_signing(connection)
        if not only_rows():
            _share_rows_of_nobody(connection)
        if allows_databases() and HOME_OF not in connection.settings_dict:
            _watch_copied(connection)


def _guard_own_tables(connection: Any, models: dict[str, Any]) -> None:
    """Unless all is there: the statements lock tables that every request reads."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = "public" if conf.ROW_SCHEMA else cursor.fetchone()[0]
        statements = own_statements(connection, schema, models)
        meant = hashlib.sha256(";".join(statements).encode()).hexdigest()
        tables = [f"{schema}.{quote(model._meta.db_table)}" for model in models.values()]
        cursor.execute(own_tables.LOOK, [tables])
        said, found = cursor.fetchone()
        if said != f"{meant} {found}":
            for statement in statements:
                cursor.execute(statement)
            cursor.execute(own_tables.LOOK, [tables])
            found = cursor.fetchone()[1]
            cursor.execute(f"COMMENT ON SCHEMA tenantkit IS '{meant} {found}'")


def _watch_copied(connection: Any) -> None:
    """Have the main database note what changes in tables of which rows are copied, unless it does: the statements
    lock tables that every request writes. As the system."""
    with connection.cursor() as cursor:
        existing = connection.introspection.table_names(cursor)
        cursor.execute(copies.WATCHED)
        watched = set(cursor.fetchall())
        for model in copied_models(apps.get_models(include_auto_created=True)):
            wanted = (model._meta.db_table, model._meta.pk.column)
            if wanted[0] in existing and wanted not in watched:
                for statement in copies.watch(*wanted):
                    cursor.execute(statement)


def _share_rows_of_nobody(connection: Any) -> None:
    """Have the database say which tables have rows of nobody; and the main one and shards, in which tenants have
    schemas, spread them. As the system."""
    with connection.cursor() as cursor:
        existing = connection.introspection.table_names(cursor)
        source = apps.get_models(include_auto_created=True)
        tables = [common_table(model) for model in common_models(source) if model._meta.db_table in existing]
        cursor.execute(common.KNOWN)
        if {common.Common(*row) for row in cursor.fetchall()} != set(tables):
            cursor.execute("; ".join(common.name_tables(tables)))
        spreads = HOME_OF not in connection.settings_dict or is_shard(connection.alias)
        for table in tables if spreads else ():
            cursor.execute(common.WATCHED, [quoted(table.schema)])
            if (table.name, common.arguments(table)) not in cursor.fetchall():
                cursor.execute("; ".join(common.watch(table)))


def own_models() -> dict[str, Any]:
    """The models of our own tables, by what they are in `sql/own_tables.py` and `sql/lookups.py`."""
    return {
        "tenant": get_tenant_model(),
        "domain": get_domain_model(),
        "membership": Membership,
        "job": Job,
        "place": Place,
    }


def own_statements(connection: Any, schema: str, models: dict[str, Any]) -> list[str]:
    """The statements that guard our own tables in `schema`, and make the functions that look into them."""
    quote = connection.ops.quote_name
    roles = roles_of(connection.settings_dict)
    names = {name: f"{schema}.{quote(model._meta.db_table)}" for name, model in models.items()}
    tenant, membership = models["tenant"]._meta, models["membership"]._meta
    key, key_type = quote(tenant.pk.column), membership.get_field("tenant").db_type(connection)
    statements = []
    for name, table in names.items():
        column = key if name in ("tenant", "place") else quote(models[name]._meta.get_field("tenant").column)
        statements += own_tables.guard(table, column, key_type, _WRITES[name], roles, Roles(*map(quote, roles)))
    columns = [quote(tenant.get_field(field).column) for field in _PROTECTED]
    user_type = membership.get_field("user").db_type(connection)
    return [
        *statements,
        *own_tables.protect(names["tenant"], columns, roles),
        lookups.FIND_TENANT.format(**names, key=key),
        lookups.HOME_STATE.format(**names),
        lookups.MY_TENANTS.format(**names, key=key, user_type=user_type),
    ]
