"""What refers to rows of tenants, and to whose."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import models

from ..isolation.copied import copied_models, shared_references
from ..isolation.entries import allows_databases
from ..registry import lives_at_home
from .common import TAG, AppConfigs, Messages, Model, is_tenant, label, run_on_models, target_of


@register(TAG, Tags.models)
def check_references(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """E021 to E029."""
    return run_on_models(app_configs, from_shared_models, within_a_tenant, many_to_many, generic, copied)


def from_shared_models(model: Model) -> Messages:
    """A shared row that names a row of one tenant: the others see the reference, the database cannot
    compare tenants where one side has none, and a row in a schema of its own cannot be referred to."""
    if is_tenant(model):
        return
    for field in model._meta.local_fields:
        target = target_of(field)
        if not is_tenant(target):
            continue
        if model._meta.auto_created:
            yield Error(
                f"{model._meta.label} is the automatic through table of a many-to-many field and has no tenant, "
                f"though {target._meta.label} does.",
                hint="Write a through model that inherits TenantModel.",
                obj=model,
                id="tenantkit.E021",
            )
        elif model in _through_models():
            yield Error(
                f"{model._meta.label} is the through model of a many-to-many field and has no tenant, though "
                f"{target._meta.label} does: its rows would be open to every tenant.",
                hint=f"Let {model._meta.object_name} inherit TenantModel.",
                obj=model,
                id="tenantkit.E022",
            )
        else:
            yield Error(
                f"{label(field)} lets a row that all tenants share refer to a row of one tenant "
                f"({target._meta.label}).",
                hint=f"Turn it round (a ForeignKey in {target._meta.label}), write a ManyToManyField, whose rows "
                f"belong to tenants, or let {model._meta.object_name} inherit TenantModel.",
                obj=model,
                id="tenantkit.E023",
            )


def _through_models() -> set[Any]:
    return {field.remote_field.through for model in apps.get_models() for field in model._meta.local_many_to_many}


def within_a_tenant(model: Model) -> Messages:
    """Foreign keys between rows of tenants."""
    if not is_tenant(model) or model._meta.auto_created:
        return
    for field in model._meta.local_fields:
        if isinstance(field, models.ForeignKey) and is_tenant(target_of(field)):
            yield from _foreign_key(model, field)


def _foreign_key(model: Model, field: Any) -> Messages:
    if not field.db_constraint:
        yield _unconstrained(model, field)
    if not field.target_field.primary_key:
        yield Error(
            f"{label(field)} refers to {label(field.target_field)}, which is unique within a tenant only, and not "
            "to a primary key.",
            hint="Leave to_field out.",
            obj=model,
            id="tenantkit.E025",
        )
    if field.remote_field.on_delete is models.PROTECT:
        yield Warning(
            f"{label(field)} is PROTECTed: rows of one tenant keep each other from being deleted, also where the "
            "whole tenant is erased.",
            hint="Write on_delete=models.RESTRICT, which allows deleting both together.",
            obj=model,
            id="tenantkit.W026",
        )
    if field.has_default() and field.default is not None and not callable(field.default):
        yield Warning(
            f"{label(field)} has {field.default!r} as its default, a row of one tenant; in every other tenant it "
            "does not exist.",
            hint="Give a function that looks it up in the current tenant, or no default.",
            obj=model,
            id="tenantkit.W027",
        )


def _unconstrained(model: Model, field: Any) -> CheckMessage:
    return Error(
        f"{label(field)} has db_constraint=False: the database would not refuse another tenant's row.",
        hint="Leave db_constraint out.",
        obj=model,
        id="tenantkit.E024",
    )


def many_to_many(model: Model) -> Messages:
    """Many-to-many fields with a tenant at either end."""
    for field in model._meta.local_many_to_many:
        if field.remote_field.db_constraint:
            continue
        if is_tenant(model) or is_tenant(target_of(field)):
            yield _unconstrained(model, field)


def generic(model: Model) -> Messages:
    """Generic foreign keys in shared tables, which can name rows of tenants."""
    if lives_at_home(model):
        return
    for field in model._meta.private_fields:
        if hasattr(field, "ct_field") and hasattr(field, "fk_field") and not field.one_to_many:
            yield Warning(
                f"{label(field)} is a generic foreign key in a table that all tenants share: it can name rows of "
                "tenants, and every tenant can read which.",
                hint=f"Let {model._meta.object_name} inherit TenantModel, or silence this where it names shared rows "
                "only.",
                obj=model,
                id="tenantkit.W028",
            )


def copied(model: Model) -> Messages:
    """References to shared rows, which a tenant's database has copies of: see `isolation/copying.py`."""
    if not allows_databases():
        return
    for field in shared_references(model):
        target = field.remote_field.model._meta
        reason, named = "", field.target_field
        if lives_at_home(model) and not target.managed:
            reason = f"{target.label} is not made by migrations"
        elif not lives_at_home(model) and not named.primary_key and model in copied_models(apps.get_models()):
            reason = f"it refers to {target.label} by {named.name}, and is copied itself"
        if reason:
            yield Error(
                f"{label(field)} cannot be had in a tenant's database: {reason}.",
                hint="Let migrations make the table, and refer to its primary key; or leave `database` out of "
                "TENANTKIT_ISOLATIONS.",
                obj=model,
                id="tenantkit.E029",
            )
