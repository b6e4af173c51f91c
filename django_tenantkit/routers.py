"""Which database, and which objects may refer to each other."""

from __future__ import annotations

from typing import Any

from django.db import models

from .exceptions import CrossTenantReference
from .references import tenant_of


class TenantRouter:
    """Name it in DATABASE_ROUTERS. Django asks it whenever an object is given to a foreign key or added
    to a many-to-many, which is where a reference to another tenant's object is first known."""

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool | None:
        """None (no opinion), or `CrossTenantReference` when both belong to tenants and not to one."""
        first, second = tenant_of(obj1), tenant_of(obj2)
        if first is not None and second is not None and first != second:
            raise CrossTenantReference(
                f"{obj1._meta.label} {obj1.pk} and {obj2._meta.label} {obj2.pk} belong to different tenants and "
                "cannot refer to each other."
            )
        return None
