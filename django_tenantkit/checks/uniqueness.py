"""What is unique is unique within the tenant, in the database, in forms and in serializers."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import models

from ..constraints import TenantUniqueConstraint
from ..registry import tenant_field
from .common import TAG, AppConfigs, Messages, Model, is_tenant, label, run_on_models, target_of


@register(TAG, Tags.models)
def check_uniqueness(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """E001 to E010."""
    return run_on_models(app_configs, unique_fields, primary_keys, unique_together, constraints)


def unique_fields(model: Model) -> Messages:
    """`unique=True`, which knows no tenants. One-to-one references between rows of tenants may be:
    whoever has the row they refer to is in the same tenant."""
    tenant = tenant_field(model)
    if tenant is None:
        return
    for field in model._meta.local_fields:
        target = target_of(field)
        if not field.unique or is_tenant(target) or (field.primary_key and not _refers_to_shared(field)):
            continue
        if field is tenant:
            yield Error(
                f"{label(field)} is unique, which forms do not check: a second row would end in an IntegrityError.",
                hint='For one row per tenant write TenantUniqueConstraint(Value(1), name="...") in Meta.constraints, '
                "and TenantField() without unique=True.",
                obj=model,
                id="tenantkit.E001",
            )
        elif target is not None:
            yield Error(
                f"{label(field)} allows one row of all tenants for each {target._meta.label}, which they share.",
                hint=f"Write ForeignKey, and TenantUniqueConstraint(fields=[{field.name!r}], name=...) in "
                "Meta.constraints.",
                obj=model,
                id="tenantkit.E002",
            )
        else:
            yield Error(
                f"{label(field)} is unique over all tenants: a value that another tenant uses ends in an "
                "IntegrityError, and tells that it is used.",
                hint=f"Leave unique=True out (repeat the field if it is inherited) and write "
                f"TenantUniqueConstraint(fields=[{field.name!r}], name=...) in Meta.constraints.",
                obj=model,
                id="tenantkit.E003",
            )


def _refers_to_shared(field: Any) -> bool:
    """Links to a parent in multi-table inheritance are looked at elsewhere."""
    return field.remote_field is not None and not field.remote_field.parent_link


def primary_keys(model: Model) -> Messages:
    """Keys are unique over all tenants, so people must not choose them."""
    if not is_tenant(model) or model._meta.auto_created:
        return
    key = model._meta.pk
    if isinstance(key, models.CompositePrimaryKey):
        yield Error(
            f"{model._meta.label} has a composite primary key, which no foreign key can refer to.",
            hint="Keep the id of TenantModel, and write TenantUniqueConstraint for what the key should make unique.",
            obj=model,
            id="tenantkit.E004",
        )
    elif key in model._meta.local_fields and _is_chosen(key):
        yield Error(
            f"{label(key)} is a primary key that forms and serializers accept: a value that another tenant uses "
            "ends in an IntegrityError, and tells that it is used.",
            hint=f"Keep the id of TenantModel and write TenantUniqueConstraint(fields=[{key.name!r}], name=...); "
            "or, for a key that is never typed in, editable=False.",
            obj=model,
            id="tenantkit.E005",
        )


def _is_chosen(key: Any) -> bool:
    """Whether the value comes from input. Django leaves automatic keys out of forms; a one-to-one key is
    that of a row which the tenant has already."""
    return bool(key.editable) and not isinstance(key, models.AutoField) and key.remote_field is None


def unique_together(model: Model) -> Messages:
    """`unique_together`, with the tenant or without. Automatic through tables have it on their two
    references, of which at least one is to a row of the tenant."""
    if is_tenant(model) and model._meta.unique_together and not model._meta.auto_created:
        fields = [name for names in model._meta.unique_together for name in names]
        yield Error(
            f"{model._meta.label} has unique_together {fields}, which either spans all tenants or is not checked "
            "by forms, as they leave the tenant out.",
            hint="Write TenantUniqueConstraint(fields=[...], name=...) in Meta.constraints, without the tenant.",
            obj=model,
            id="tenantkit.E006",
        )


def constraints(model: Model) -> Messages:
    """Constraints that make something unique, and where the tenant stands in them."""
    tenant = tenant_field(model)
    for constraint in model._meta.constraints:
        if isinstance(constraint, TenantUniqueConstraint):
            yield from _tenant_constraint(model, tenant, constraint)
        elif tenant is None:
            continue
        elif isinstance(constraint, models.UniqueConstraint):
            yield Error(
                f"The constraint {constraint.name} of {model._meta.label} either spans all tenants or is not "
                "checked by forms, as they leave the tenant out.",
                hint="Write TenantUniqueConstraint in place of UniqueConstraint, and leave the tenant out of it.",
                obj=model,
                id="tenantkit.E007",
            )
        elif isinstance(constraint, ExclusionConstraint) and not _excludes_by(tenant.name, constraint):
            yield Error(
                f"The constraint {constraint.name} of {model._meta.label} compares the rows of all tenants.",
                hint=f'Add ("{tenant.name}", "=") to its expressions.',
                obj=model,
                id="tenantkit.E008",
            )


def _tenant_constraint(model: Model, tenant: Any, constraint: TenantUniqueConstraint) -> Messages:
    if tenant is None:
        yield Error(
            f"{model._meta.label} has the TenantUniqueConstraint {constraint.name}, and no tenant.",
            hint="Inherit TenantModel, or write UniqueConstraint.",
            obj=model,
            id="tenantkit.E009",
        )
    elif tenant.name in constraint.fields or any(tenant.name in _fields_in(e) for e in constraint.expressions):
        yield Error(
            f"The TenantUniqueConstraint {constraint.name} of {model._meta.label} names {tenant.name!r}, which it "
            "adds by itself; forms would not check it, as they leave the tenant out.",
            hint=f"Leave {tenant.name!r} out of it.",
            obj=model,
            id="tenantkit.E010",
        )


def _excludes_by(name: str, constraint: ExclusionConstraint) -> bool:
    return any(
        operator == "=" and (expression == name or name in _fields_in(expression))
        for expression, operator in constraint.expressions
    )


def _fields_in(expression: Any) -> set[str]:
    """The names of the fields that an expression mentions."""
    if isinstance(expression, models.F):
        return {str(expression.name)}  # type: ignore[attr-defined]
    parts: list[Any] = getattr(expression, "get_source_expressions", list)()
    return {name for part in parts for name in _fields_in(part)}
