"""Which tables belong to tenants, found by their tenant field and not by their class.

Models in migration state, swapped, dynamic and automatic ones are all found, because a table is
looked up in the app registry that its model lives in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps.registry import Apps
from django.conf import settings
from django.db import models

from .conf import conf


class TableMap:
    """The tables of one app registry: `tenant_fields` maps a table's name to its tenant field;
    `models` a table's name to a model of it; `tenant_table` is the table of the tenants themselves;
    `referenced` names the shared tables that rows of tenants refer to, with one of the references as an
    example; `owners` says where objects hold the key of their tenant."""

    def __init__(self, version: object, source: list[type[models.Model]]) -> None:
        self.version = version
        self.tenant_fields: dict[str, Any] = {}
        self.models: dict[str, type[models.Model]] = {}
        for model in source:
            self.models.setdefault(model._meta.db_table, model)
            if (field := tenant_field(model)) is not None:
                self.tenant_fields[model._meta.db_table] = field
        self.tenant_tables = {
            target._meta.db_table
            for target in (field.remote_field.model for field in self.tenant_fields.values())
            if not isinstance(target, str)
        }
        self.referenced = dict(self._references(source))
        self.owners = Owners(self.tenant_fields)

    def _references(self, source: list[type[models.Model]]) -> Iterable[tuple[str, str]]:
        for model in source:
            meta: Any = model._meta
            if lives_at_home(model):
                targets = [(field, field.remote_field.model) for field in meta.local_fields if field.remote_field]
            else:
                targets = [(field, model) for field in meta.private_fields if self._deletes_rows_of_tenants(field)]
            for field, target in targets:
                for shared in () if isinstance(target, str) else (target, *target._meta.all_parents):
                    if not lives_at_home(shared):
                        yield shared._meta.db_table, f"{meta.label}.{field.name}"

    def _deletes_rows_of_tenants(self, field: Any) -> bool:
        """Whether a private field is a generic relation to a tenant table."""
        target: Any = field.remote_field.model if hasattr(field, "bulk_related_objects") else None
        return hasattr(target, "_meta") and target._meta.db_table in self.tenant_fields


class Owners(dict[type[models.Model], "tuple[tuple[str, Any], ...]"]):
    """By model the names of the attributes that hold the key of an object's tenant, each with the tenant field of
    its table. Several for a child in multi-table inheritance, none for a shared model. Found when first asked for."""

    def __init__(self, tenant_fields: dict[str, Any]) -> None:
        super().__init__()
        self._tenant_fields = tenant_fields

    def __missing__(self, model: type[models.Model]) -> tuple[tuple[str, Any], ...]:
        found = []
        for one in (model, *model._meta.all_parents):
            field = self._tenant_fields.get(one._meta.db_table)
            own = own_field(field, one)
            if own is not None:
                found.append((own.attname, field))
        self[model] = tuple(found)
        return self[model]


def tenant_field(model: type[models.Model]) -> Any:
    """The field of `model`'s own table that holds the tenant, or None for a shared table."""
    concrete = model._meta.concrete_model or model
    for field in concrete._meta.local_fields:
        if getattr(field, "names_the_tenant", False):
            return field
    return None


def only_rows() -> bool:
    """Whether all tenants live in shared tables."""
    return list(conf.ISOLATIONS) == ["row"]


def lives_at_home(model: type[models.Model]) -> bool:
    """Whether `model`'s table is one of a tenant's home: it has a tenant field, or its app is one of
    TENANTKIT_TENANT_APPS. The others are shared."""
    return tenant_field(model) is not None or model._meta.app_label in conf.TENANT_APPS


def users_live_at_home() -> bool:
    """Whether each tenant has users of its own: their model is in an app of TENANTKIT_TENANT_APPS. The key of such a
    user means somebody else in another tenant."""
    return settings.AUTH_USER_MODEL.partition(".")[0] in conf.TENANT_APPS


def own_field(field: Any, model: type[models.Model]) -> Any:
    """The field of `model` in the column of `field`, the tenant field of its table. Another one where two
    models share a table, as unmanaged ones do; None where that model leaves the column out."""
    if field is None:
        return None
    concrete = model._meta.concrete_model or model
    if field.model is concrete:
        return field
    return next((own for own in concrete._meta.local_concrete_fields if own.column == field.column), None)


#: The attribute under which an app registry keeps its map, so that they are forgotten together.
_MAP = "tenantkit_tables"


def table_map(apps: Apps) -> TableMap:
    """The map of an app registry. It is made again when a model was added: `get_models` returns the
    same list until then. `all_models` has models of apps that are not installed too."""
    version = apps.get_models(include_auto_created=True, include_swapped=True)
    known: TableMap | None = apps.__dict__.get(_MAP)
    if known is None or known.version is not version:
        models_of_apps = [model for by_name in apps.all_models.values() for model in by_name.values()]
        known = TableMap(version, models_of_apps)
        setattr(apps, _MAP, known)
    return known
