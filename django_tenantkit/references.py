"""Which tenant an object belongs to, that it refers to no other tenant's objects, and that no tenant
deletes what others can refer to."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.utils.functional import LazyObject

from .context import current_scope
from .exceptions import (
    CrossTenantReference,
    SharedDeletionRefused,
    TenantDeletionRefused,
    TenantsElsewhere,
)
from .registry import TableMap, only_rows, own_field, table_map


def tenant_key(field: models.Field[Any, Any], value: Any) -> Any:
    """`value` as the type of the tenant's primary key: "7" is 7."""
    return field.target_field.to_python(value)  # type: ignore[attr-defined]


def tenant_of(obj: models.Model) -> Any:
    """The key of the tenant that `obj` belongs to, by what is in memory; None for a shared or a new object."""
    meta = obj._meta
    state = _in_memory(obj)
    for attname, _ in table_map(meta.apps).owners[meta.model]:
        if (key := state.get(attname)) is not None:
            return key
    return None


def _in_memory(obj: models.Model) -> dict[str, Any]:
    """The attributes of an object that were loaded."""
    return (obj._wrapped if isinstance(obj, LazyObject) else obj).__dict__


def tenant_field_to_load(model: type[models.Model], asked: Container[Any], tables: TableMap) -> Any:
    """The tenant field by which `tenant_of` knows an object that is loaded with the fields `asked` only; None
    for a shared model. It is in a table of which more than the key was asked for, so that saving the object
    writes to no other; where there is none, in the own table."""
    meta = model._meta
    used = {field.model._meta.db_table for field in meta.concrete_fields if field in asked and not field.primary_key}
    chain = [parent for parent in (model, *meta.all_parents) if parent._meta.db_table in tables.tenant_fields]
    chain.sort(key=lambda parent: parent._meta.db_table not in used)
    fields = (own_field(tables.tenant_fields[parent._meta.db_table], parent) for parent in chain)
    return next((field for field in fields if field is not None), None)


def belongs_elsewhere(obj: models.Model, key: Any, tables: TableMap | None = None) -> bool:
    """Whether `obj` belongs to another tenant than the one with `key`. A new or shared object does not."""
    meta, state = obj._meta, _in_memory(obj)
    for attname, field in (tables or table_map(meta.apps)).owners[meta.model]:
        # A child in multi-table inheritance has it in one of its tables where the others were deferred.
        if (owner := state.get(attname)) is not None:
            return owner != key and bool(tenant_key(field, owner) != key)
    return False


def check_references(objs: Iterable[models.Model], key: Any, tables: TableMap | None = None) -> None:
    """Raise `CrossTenantReference` when an object that one of `objs` holds by a foreign key (a generic one too)
    belongs to another tenant than `key`. Only what is in memory is looked at: no query."""
    passed: Any = None
    for obj in objs:
        for name, related in obj._state.fields_cache.items():
            if related is passed:  # as in rows that are created together
                continue
            if isinstance(related, models.Model) and belongs_elsewhere(related, key, tables):
                raise CrossTenantReference(
                    f"{obj._meta.label}.{name} refers to {related._meta.label} {related.pk}, which belongs to another "
                    "tenant."
                )
            passed = related


def check_lives_here(objs: Iterable[models.Model]) -> None:
    """Raise `TenantsElsewhere` where unscoped code writes objects, all of one model, of tenants that have a schema or
    a database: the row with the same key here, if there is one, is somebody else's. Asks the table of tenants."""
    if current_scope().reason is None or only_rows():
        return
    objs = list(objs)
    keys = {key for obj in objs if (key := tenant_of(obj)) is not None}
    if not keys:
        return
    obj = objs[0]
    _, field = table_map(obj._meta.apps).owners[obj._meta.model][0]
    alias = obj._state.db or DEFAULT_DB_ALIAS
    if getattr(connections[alias], "login", "") == "system":
        return
    tenants = field.remote_field.model._base_manager.using(alias).filter(pk__in=keys)
    if away := tenants.exclude(isolation="row", database="").first():
        raise TenantsElsewhere(
            f"{obj._meta.label} of the tenant {away.slug!r} lives elsewhere ({away.isolation}), and unscoped code "
            "writes to the tables that row tenants share. Enter the tenant: `with tenant_context(tenant): ...`."
        )


def check_deletion(model: type[models.Model]) -> None:
    """Raise where rows of `model` are not deleted: `TenantDeletionRefused` for tenants; `SharedDeletionRefused`
    for shared rows that rows of tenants can refer to, unless unscoped. The same whether or not they do."""
    table, tables = model._meta.db_table, table_map(model._meta.apps)
    if table in tables.tenant_tables:
        raise TenantDeletionRefused()
    if table in tables.referenced and current_scope().reason is None:
        raise SharedDeletionRefused(
            f"{model._meta.label} is shared by all tenants and rows of tenants can refer to it "
            f"({tables.referenced[table]}), so it is not deleted inside a tenant. Delete it for all of them: with "
            'unscoped(reason="..."): ...'
        )
