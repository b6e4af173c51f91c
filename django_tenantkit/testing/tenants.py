"""Tenants for tests."""

from __future__ import annotations

from typing import Any

from ..context import unscoped
from ..models import AbstractTenant, get_tenant_model


def make_tenant(slug: str = "acme", **fields: Any) -> AbstractTenant:
    """An active tenant in the database, made without the steps of provisioning. `fields` are further
    values of the tenant model; the name is the slug with a capital letter."""
    with unscoped(reason=f"tenant {slug} for tests"):
        return get_tenant_model()._default_manager.create(slug=slug, **{"name": slug.capitalize(), **fields})
