"""Who belongs to a tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models

from ..fields import TenantReference


class Membership(models.Model):
    """A user in a tenant, with a role there. A user may be a member of several tenants."""

    tenant = TenantReference(on_delete=models.CASCADE, related_name="memberships")
    user: models.ForeignKey[Any, Any] = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tenant_memberships"
    )
    role: models.CharField[Any, Any] = models.CharField(max_length=50, default="member")
    created_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "tenant"], name="tenantkit_one_membership"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant} ({self.role})"
