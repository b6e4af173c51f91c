"""Every query of a tenant table has the tenant in front, so its indexes should too."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import models
from django.db.models.expressions import OrderBy

from ..registry import tenant_field
from .common import TAG, AppConfigs, Messages, Model, label, run_on_models

#: Kinds of index that sort by their first column; the others cannot hold the tenant's key as it is.
SORTED = {models.Index.suffix, "btree"}


@register(TAG, Tags.models)
def check_indexes(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """W031 and W032."""
    return run_on_models(app_configs, declared_indexes, indexed_fields)


def declared_indexes(model: Model) -> Messages:
    """`Meta.indexes`."""
    tenant = tenant_field(model)
    if tenant is None:
        return
    for index in model._meta.indexes:
        if index.suffix in SORTED and _leader(index) != tenant.name:
            yield Warning(
                f"The index {index.name} of {model._meta.label} does not begin with the tenant: each use reads the "
                "entries of all tenants.",
                hint=f"Put {tenant.name!r} first: Index({_example(tenant.name, index)}, name=...).",
                obj=model,
                id="tenantkit.W031",
            )


def _leader(index: models.Index) -> str:
    if index.fields_orders:
        return index.fields_orders[0][0]
    first = index.expressions[0]
    return getattr(first.expression if isinstance(first, OrderBy) else first, "name", "")


def _example(tenant: str, index: models.Index) -> str:
    return f"fields={[tenant, *index.fields]}" if index.fields else f'"{tenant}", ...'


def indexed_fields(model: Model) -> Messages:
    """`db_index=True`, which a SlugField has by itself. Foreign keys are left out: their index is made
    of the tenant and the column."""
    tenant = tenant_field(model)
    if tenant is None:
        return
    fields: list[Any] = model._meta.local_fields
    for field in fields:
        if field.db_index and not field.unique and field.remote_field is None:
            yield Warning(
                f"{label(field)} has an index of its own, which does not begin with the tenant.",
                hint=f"Write db_index=False, and Index(fields={[tenant.name, field.name]}, name=...) in Meta.indexes.",
                obj=model,
                id="tenantkit.W032",
            )
