"""What models declare for row-level security, and whether it can be so."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models, router

from ..policies import Row, TenantPolicy
from ..registry import only_rows, tenant_field
from .common import TAG, AppConfigs, Messages, Model, label, run_on_models


@register(TAG, Tags.models)
def check_policies(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """E041 to E046."""
    return run_on_models(app_configs, declared_policies)


def declared_policies(model: Model) -> Messages:
    """The policies among a model's constraints."""
    found = [one for one in model._meta.constraints if isinstance(one, TenantPolicy)]
    tenant = tenant_field(model)
    if found and tenant is None:
        yield Error(
            f"{model._meta.label} has the policy {type(found[0]).__name__}, and no tenant.",
            hint="Inherit TenantModel, or leave it out.",
            obj=model,
            id="tenantkit.E042",
        )
    elif len(found) > 1:
        given = ", ".join(type(one).__name__ for one in found)
        yield Error(
            f"{model._meta.label} has several policies: {given}. The first one would be made.",
            hint="Keep one, or write a TenantPolicy of your own that says both.",
            obj=model,
            id="tenantkit.E041",
        )
    elif found:
        yield from _policy(model, tenant, found[0])


def _policy(model: Model, tenant: Any, policy: TenantPolicy) -> Messages:
    if policy.shares_rows_of_nobody and not tenant.null:
        yield Error(
            f"{model._meta.label} has {type(policy).__name__}, and {label(tenant)} may not be empty: no row could be "
            "everybody's.",
            hint=f"Write {tenant.name} = TenantField(null=True).",
            obj=model,
            id="tenantkit.E044",
        )
    if policy.shares_rows_of_nobody and not only_rows() and isinstance(model._meta.pk, models.AutoField):
        yield Error(
            f"{model._meta.label} has {type(policy).__name__} and keys that are counted. Each home counts its own, and "
            "rows of everybody have the same key in all homes: sooner or later a tenant's row has it already.",
            hint="Leave the key of TenantModel, a UUID.",
            obj=model,
            id="tenantkit.E046",
        )
    for alias in connections:
        if not router.allow_migrate_model(alias, model):
            continue
        row = Row(model, connections[alias])
        try:
            says_more = policy.read(row) is not None or policy.write(row) is not None
        except FieldDoesNotExist as error:
            yield Error(
                f"The policy {type(policy).__name__} of {model._meta.label} cannot be made: {error}.",
                hint="Name a field that the model has itself; those of a parent in inheritance are in another table.",
                obj=model,
                id="tenantkit.E043",
            )
            return
        if says_more and connections[alias].vendor != "postgresql":
            yield Warning(
                f"The policy {type(policy).__name__} of {model._meta.label} does nothing in DATABASES[{alias!r}], "
                "which is no PostgreSQL: a tenant's users read and write all rows of the tenant.",
                hint="Use django_tenantkit.backends.postgresql.",
                obj=model,
                id="tenantkit.W045",
            )
