"""The models that random querysets start at, their columns, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

KINDS = {
    models.CharField: "text",
    models.IntegerField: "number",
    models.DecimalField: "number",
    models.BooleanField: "flag",
}
#: What of a shared model is worth asking for.
SHARED = {"auth.User": {"id", "username", "is_staff"}, "contenttypes.ContentType": {"id", "model"}}


@dataclass(frozen=True)
class Path:
    """A way from a model to a column or a related model, as a filter spells it."""

    name: str
    kind: str  # text, number, flag, key
    model: type[models.Model]  # whose key it is
    many: bool  # whether one row can have several values
    relation: bool = False


def models_in_question() -> dict[str, type[models.Model]]:
    """By the name that the code of a queryset uses; automatic through tables too."""
    found = {"User": get_user_model(), "ContentType": ContentType}
    for model in apps.get_app_config("testapp").get_models(include_auto_created=True):
        found[model.__name__] = model
    return found


@cache
def relations(model: type[models.Model]) -> tuple[Path, ...]:
    """One step away, forward and in reverse; not through the tenant, which the plain world need not know."""
    wanted = set(models_in_question().values())
    steps = []
    for field in model._meta.get_fields():
        target = field.related_model
        if isinstance(field, GenericForeignKey) or target not in wanted:
            continue
        many = bool(field.one_to_many or field.many_to_many)
        steps.append(Path(field.name, "key", target, many, relation=True))
    return tuple(steps)


@cache
def columns(model: type[models.Model], depth: int = 2) -> tuple[Path, ...]:
    """The columns of a model and of what can be reached in `depth` steps, relations among them."""
    own = tuple(_own_columns(model))
    if depth == 0:
        return own
    further = []
    for step in relations(model):
        further.append(step)
        for path in columns(step.model, depth - 1):
            name, many = f"{step.name}__{path.name}", step.many or path.many
            further.append(Path(name, path.kind, path.model, many, path.relation))
    return own + tuple(further)


def _own_columns(model: type[models.Model]) -> Iterator[Path]:
    for field in model._meta.concrete_fields:
        if field.name not in SHARED.get(model._meta.label, {field.name}):
            continue
        if field.primary_key:
            yield Path("pk", "key", model, many=False)
        kind = next((kind for base, kind in KINDS.items() if isinstance(field, base)), None)
        if kind is not None and not field.is_relation and not field.primary_key:
            yield Path(field.name, kind, model, many=False)


@cache
def updatable(model: type[models.Model]) -> tuple[Any, ...]:
    """The columns that `update()` may be asked to change."""
    return tuple(path for path in columns(model, 0) if path.kind != "key")


@cache
def referrers(model: type[models.Model]) -> tuple[tuple[str, type[models.Model]], ...]:
    """The foreign keys to a model: the name of each, and the model that has it."""
    found = []
    for other in models_in_question().values():
        for field in other._meta.concrete_fields:
            if field.related_model is model and not getattr(field, "names_the_tenant", False):
                found.append((field.name, other))
    return tuple(found)


def accessor(model: type[models.Model], name: str) -> str:
    """The attribute of a relation: a reverse one is called differently in filters."""
    field: Any = model._meta.get_field(name)
    return str(field.get_accessor_name() if field.auto_created and not field.concrete else name)


@cache
def related_managers(model: type[models.Model]) -> tuple[tuple[str, type[models.Model]], ...]:
    """The managers of rows of a model on rows of others: attribute, and the model that has it."""
    found = []
    for holder in models_in_question().values():
        for step in relations(holder):
            if step.many and step.model is model:
                found.append((accessor(holder, step.name), holder))
    return tuple(found)
