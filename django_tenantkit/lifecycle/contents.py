"""What belongs to a tenant: the tables of its home, with what their rows refer to, and its rows in tables of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

from ..fields import TenantReference
from ..registry import lives_at_home, tenant_field
from .homes import home_models


@dataclass(frozen=True)
class Reference:
    """A foreign key. `is_at_home`: its target is in the tenant's home too; otherwise all tenants share it."""

    field: Any
    target: Any
    is_at_home: bool

    @property
    def column(self) -> str:
        """The column that holds it."""
        return str(self.field.column)

    @property
    def target_column(self) -> str:
        """The column of the target that it holds a value of."""
        return str(self.field.target_field.column)


@dataclass(frozen=True)
class Content:
    """A table of tenants' homes. `fields` are those of its columns, without generated ones; `tenant` is the tenant's
    or None, `references` are the others' that refer to rows, `generics` the generic foreign keys."""

    model: Any
    fields: tuple[Any, ...]
    tenant: Any
    references: tuple[Reference, ...]
    generics: tuple[Any, ...]

    @property
    def table(self) -> str:
        """Its name, without a schema."""
        return str(self.model._meta.db_table)

    @property
    def label(self) -> str:
        """The name of its model, as `app.Model`."""
        return str(self.model._meta.label)

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(field.column for field in self.fields)

    @property
    def key(self) -> Any:
        """The field of the primary key."""
        return self.model._meta.pk


def contents() -> tuple[Content, ...]:
    """All tables of tenants' homes, a table behind those that it refers to. Where they refer to each other in a
    circle, or to themselves, there is no such order: constraints are checked when the transaction ends."""
    tables = {model: content_of(model) for model in home_models()}
    ordered: dict[Any, Content] = {}
    begun = set()

    def add(model: Any) -> None:
        if model in begun or model not in tables:
            return
        begun.add(model)
        for reference in tables[model].references:
            add(reference.target)
        ordered[model] = tables[model]

    for model in sorted(tables, key=lambda model: model._meta.label):
        add(model)
    return tuple(ordered.values())


def records() -> tuple[tuple[Any, Any], ...]:
    """Models that all tenants share and whose rows name the tenant that they are about, each with that field:
    domains, memberships, jobs, and the project's own with a `TenantReference`."""
    found = []
    for model in sorted(apps.get_models(), key=lambda model: model._meta.label):
        fields: Iterable[Any] = model._meta.local_concrete_fields
        field = next((field for field in fields if isinstance(field, TenantReference)), None)
        if field is not None and not lives_at_home(model) and model._meta.managed:
            found.append((model, field))
    return tuple(found)


def content_of(model: Any) -> Content:
    """The table of a model, whoever's rows it has."""
    tenant = tenant_field(model)
    fields = tuple(field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False))
    return Content(
        model,
        fields,
        tenant,
        tuple(_reference(field) for field in fields if field.remote_field and field is not tenant),
        tuple(
            field for field in model._meta.private_fields if hasattr(field, "ct_field") and hasattr(field, "fk_field")
        ),
    )


def _reference(field: Any) -> Reference:
    target: type[models.Model] = field.remote_field.model._meta.concrete_model
    return Reference(field, target, lives_at_home(target))
