"""The rows of a tenant with what they refer to in place of keys: equal where two tenants have the same rows."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType

from django_tenantkit.registry import lives_at_home
from tests.isolation.world import TENANT_MODELS, at_home


def graph(tenant: Any, *, by_name: bool = False) -> dict[str, list[Any]]:
    """All rows of a tenant by model: keys of rows of tenants are replaced by what those rows say, and `by_name` those
    of shared rows too, as another deployment has others."""
    with at_home(tenant):
        objects = {model: list(model._base_manager.filter(tenant=tenant)) for model in TENANT_MODELS}
        said = {(model, obj.pk): _said(obj) for model, found in objects.items() for obj in found}
        return {
            model._meta.label: sorted(map(repr, (_row(obj, said, by_name) for obj in found)))
            for model, found in objects.items()
        }


def _said(obj: Any) -> Any:
    """What a row says without its references."""
    return {
        field.name: getattr(obj, field.attname)
        for field in obj._meta.local_concrete_fields
        if field.remote_field is None and not field.primary_key
    }


def named(obj: Any) -> str:
    """A shared row, by what it is called everywhere."""
    return f"{obj._meta.label} {getattr(obj, 'name', None) or obj}"


def _row(obj: Any, said: Any, by_name: bool) -> Any:
    row = _said(obj)
    for field in obj._meta.local_concrete_fields:
        target, key = field.remote_field and field.remote_field.model, getattr(obj, field.attname)
        if target is None or getattr(field, "names_the_tenant", False) or key is None:
            continue
        if lives_at_home(target):
            row[field.name] = said[target._meta.concrete_model, key]
        else:
            row[field.name] = named(target._base_manager.get(pk=key)) if by_name else key
    for field in obj._meta.private_fields:
        if hasattr(field, "ct_field"):
            model = ContentType.objects.get_for_id(getattr(obj, f"{field.ct_field}_id")).model_class()
            if lives_at_home(model):
                of = {str(key): text for (one, key), text in said.items() if one is model}
                row[field.fk_field] = of[str(getattr(obj, field.fk_field))]
            elif by_name:
                row[field.fk_field] = named(model._base_manager.get(pk=getattr(obj, field.fk_field)))
    return row
