"""Which tenant an object belongs to, and that it refers to no other tenant's objects."""

from __future__ import annotations

from typing import Any

from django.db import models

from .exceptions import CrossTenantReference
from .registry import TableMap, own_field, table_map


def tenant_key(field: models.Field[Any, Any], value: Any) -> Any:
    """`value` as the type of the tenant's primary key: "7" is 7."""
    return field.target_field.to_python(value)  # type: ignore[attr-defined]


def tenant_of(obj: models.Model) -> Any:
    """The key of the tenant that `obj` belongs to; None for a shared or a new object."""
    field = own_field(table_map(obj._meta.apps).tenant_fields.get(obj._meta.db_table), type(obj))
    return None if field is None else obj.__dict__.get(field.attname)


def belongs_elsewhere(obj: models.Model, key: Any) -> bool:
    """Whether `obj` belongs to another tenant than the one with `key`. A new or shared object does not."""
    owner = tenant_of(obj)
    if owner is None or owner == key:
        return False
    return bool(tenant_key(table_map(obj._meta.apps).tenant_fields[obj._meta.db_table], owner) != key)


def check_references(obj: models.Model, key: Any, tables: TableMap | None = None) -> None:
    """Raise `CrossTenantReference` when an object that `obj` holds by a foreign key (a generic one too)
    belongs to another tenant than `key`. Only what is in memory is looked at: no query."""
    cache = obj._state.fields_cache
    if not cache:
        return
    tables = tables or table_map(obj._meta.apps)
    for name, related in cache.items():
        meta: Any = getattr(related, "_meta", None)
        field: Any = None if meta is None else tables.tenant_fields.get(meta.db_table)
        own = own_field(field, type(related))
        if own is None:
            continue
        owner = related.__dict__.get(own.attname)
        if owner is not None and owner != key and tenant_key(field, owner) != key:
            raise CrossTenantReference(
                f"{obj._meta.label}.{name} refers to {meta.label} {related.pk}, which belongs to another tenant."
            )
