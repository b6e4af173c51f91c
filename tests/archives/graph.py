"""The rows of a tenant with what they refer to in place of keys: equal where two tenants have the same rows."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType

from django_tenantkit.registry import lives_at_home
from tests.isolation.world import TENANT_MODELS, at_home


def graph(tenant: Any) -> dict[str, list[Any]]:
    """All rows of a tenant by model: keys of rows of tenants are replaced by what those rows say."""
    with at_home(tenant):
        objects = {model: list(model._base_manager.filter(tenant=tenant)) for model in TENANT_MODELS}
        said = {(model, obj.pk): _said(obj) for model, found in objects.items() for obj in found}
        return {
            model._meta.label: sorted(map(repr, (_row(obj, said) for obj in found))) for model, found in objects.items()
        }


def _said(obj: Any) -> Any:
    """What a row says without its references."""
    return {
        field.name: getattr(obj, field.attname)
        for field in obj._meta.local_concrete_fields
        if field.remote_field is None and not field.primary_key
    }


def _row(obj: Any, said: Any) -> Any:
    row = _said(obj)
    for field in obj._meta.local_concrete_fields:
        target, key = field.remote_field and field.remote_field.model, getattr(obj, field.attname)
        if target is None or getattr(field, "names_the_tenant", False) or key is None:
            continue
        row[field.name] = said[target._meta.concrete_model, key] if lives_at_home(target) else key
    for field in obj._meta.private_fields:
        if hasattr(field, "ct_field"):
            model = ContentType.objects.get_for_id(getattr(obj, f"{field.ct_field}_id")).model_class()
            if lives_at_home(model):
                of = {str(key): text for (one, key), text in said.items() if one is model}
                row[field.fk_field] = of[str(getattr(obj, field.fk_field))]
    return row
