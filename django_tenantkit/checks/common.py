"""What the families of checks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage
from django.db import models
from django.utils.module_loading import import_string

from ..registry import tenant_field

#: The tag of every check: `manage.py check --tag tenantkit`.
TAG = "tenantkit"

Model = type[models.Model]
Messages = Iterator[CheckMessage]
AppConfigs = Sequence[AppConfig] | None


def run_on_models(app_configs: AppConfigs, *families: Callable[[Model], Messages]) -> list[CheckMessage]:
    """What `families` find in the models of the given apps, or of all; automatic through tables are
    among them, proxies and swapped models are not."""
    return [
        message
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy and (app_configs is None or model._meta.app_config in app_configs)
        for family in families
        for message in family(model)
    ]


def is_tenant(model: Any) -> bool:
    """Whether `model` is a class with a tenant field; a name that leads to no model is not."""
    return isinstance(model, type) and tenant_field(model) is not None


def tenant_names(model: Model) -> set[str]:
    """The names of `model`'s tenant fields, its parents' among them; empty for a shared model."""
    if not is_tenant(model):
        return set()
    return {field.name for field in model._meta.fields if getattr(field, "names_the_tenant", False)}


def target_of(field: Any) -> Any:
    """The model that `field` refers to, or None where it refers to none that exists."""
    target = getattr(field.remote_field, "model", None)
    return None if isinstance(target, str) else target


def label(field: Any) -> str:
    """`shop.Invoice.number`."""
    return f"{field.model._meta.label}.{field.name}"


def imported(path: Any) -> Any:
    """What a dotted path leads to, or None."""
    try:
        return import_string(path)
    except (ImportError, TypeError, ValueError, AttributeError):
        return None


def is_module(path: Any) -> bool:
    """Whether there is a module of that dotted path."""
    try:
        return find_spec(path) is not None
    except (ImportError, TypeError, ValueError, AttributeError):
        return False


def names(thing: Any) -> set[str]:
    """The dotted names of a class, or of an object's class, and of its bases; those of a dotted path
    are the names of what it leads to, and the path itself."""
    if isinstance(thing, str):
        return {thing} | names(imported(thing))
    cls = thing if isinstance(thing, type) else type(thing)
    return {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}


def shared_halves(model: Model, is_theirs: Callable[[Model], bool]) -> Iterator[tuple[Model, str]]:
    """The parents of a model that are not tenants', as it is, and why that is an error."""
    for parent, link in model._meta.parents.items():
        if link is not None and not is_theirs(parent):
            yield (
                parent,
                f"and inherits from {parent._meta.label}, whose table all tenants share: part of each row would be "
                "open to every tenant.",
            )
