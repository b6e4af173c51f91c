"""Which tables belong to tenants, and whether that can be told."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import models

from ..fields import TenantReference
from ..models import get_tenant_model
from .common import TAG, AppConfigs, Messages, Model, is_tenant, label, run_on_models, shared_halves, target_of


@register(TAG, Tags.models)
def check_ownership(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """E012 to W015."""
    return run_on_models(app_configs, tenant_fields, parents, hand_made_tenants)


def tenant_fields(model: Model) -> Messages:
    """A tenant model has one tenant field in its own table, and it is never empty."""
    found: list[Any] = [field for field in model._meta.local_fields if getattr(field, "names_the_tenant", False)]
    if len(found) > 1:
        given = ", ".join(field.name for field in found)
        yield Error(
            f"{model._meta.label} has several tenant fields: {given}. A row belongs to one tenant.",
            hint="Keep one TenantField; for another reference to a tenant write TenantReference.",
            obj=model,
            id="tenantkit.E012",
        )
    if any(field.null and not getattr(field, "shares_rows_of_nobody", False) for field in found):
        yield Error(
            f"{label(found[0])} may be empty: such rows would belong to nobody, and no tenant could reach them.",
            hint="Leave null=True out; for rows that all tenants may read write GlobalRows() in Meta.constraints.",
            obj=model,
            id="tenantkit.E013",
        )


def parents(model: Model) -> Messages:
    """A row whose first half is shared could be read and changed through that half."""
    if not is_tenant(model):
        return
    for parent, why in shared_halves(model, is_tenant):
        yield Error(
            f"{model._meta.label} belongs to tenants {why}",
            hint=f"Make {parent._meta.label} abstract or a TenantModel, or refer to it by a ForeignKey.",
            obj=model,
            id="tenantkit.E014",
        )


def hand_made_tenants(model: Model) -> Messages:
    """A foreign key to the tenant that scopes nothing, where a tenant field may have been meant."""
    tenants = _tenant_model()
    if tenants is None or is_tenant(model) or model._meta.auto_created or issubclass(model, tenants):
        return
    for field in model._meta.local_fields:
        if not isinstance(field, models.ForeignKey) or isinstance(field, TenantReference):
            continue
        target = target_of(field)
        if target is not None and target._meta.concrete_model is tenants:
            yield Warning(
                f"{label(field)} refers to the tenant and scopes nothing: every tenant can read and write all rows "
                f"of {model._meta.label}.",
                hint="Inherit TenantModel in place of the field. If the rows are shared on purpose, write "
                "TenantReference in place of ForeignKey.",
                obj=model,
                id="tenantkit.W015",
            )


def _tenant_model() -> Model | None:
    try:
        return get_tenant_model()
    except (LookupError, ValueError):
        return None  # reported by the checks of settings
