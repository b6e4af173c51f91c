"""The tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models

from ..conf import conf
from ..exceptions import TenantDeletionRefused
from ..fields import uuid7
from ..isolation import Home, home_of
from ..names import validate_slug


class TenantStatus(models.TextChoices):
    """Where a tenant stands in its life."""

    PROVISIONING = "provisioning"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    MAINTENANCE = "maintenance"
    ERASING = "erasing"
    ERASED = "erased"


class TenantIsolation(models.TextChoices):
    """Where a tenant's rows live: in tables that tenants share, in a schema or in a database of its own."""

    ROW = "row"
    SCHEMA = "schema"
    DATABASE = "database"


class AbstractTenant(models.Model):
    """What every tenant has. Inherit it for a tenant model of your own and name that in
    TENANTKIT_TENANT_MODEL before the first migration.

    `uid` is the public name: headers, tokens, events and archives use it, and it is never used again.
    `slug` is the name in addresses, and can be given to another tenant after the quarantine.
    `isolation` and `database`, a name in TENANTKIT_SERVERS, say where its rows live; `home` is what follows.
    """

    uid: models.UUIDField[Any, Any] = models.UUIDField(default=uuid7, unique=True, editable=False)
    slug: models.CharField[Any, Any] = models.CharField(max_length=63, unique=True, validators=[validate_slug])
    name: models.CharField[Any, Any] = models.CharField(max_length=200)
    plan: models.CharField[Any, Any] = models.CharField(max_length=50, blank=True)
    status: models.CharField[Any, Any] = models.CharField(
        max_length=20, choices=TenantStatus.choices, default=TenantStatus.ACTIVE
    )
    isolation: models.CharField[Any, Any] = models.CharField(
        max_length=20, choices=TenantIsolation.choices, default=TenantIsolation.ROW, db_default="row", editable=False
    )
    database: models.CharField[Any, Any] = models.CharField(
        max_length=63, blank=True, default="", db_default="", editable=False
    )
    settings: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    created_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now_add=True)
    erased_at: models.DateTimeField[Any, datetime | None] = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        ordering = ("slug",)

    def __str__(self) -> str:
        return str(self.name or self.slug)

    @property
    def is_active(self) -> bool:
        """Whether the tenant works: neither suspended, in maintenance, half made nor erased."""
        return bool(self.status == TenantStatus.ACTIVE)

    @property
    def home(self) -> Home | None:
        """Where its rows live; None for the tables that the main database shares out."""
        return home_of(self)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused with `TenantDeletionRefused`, which names the cure."""
        raise TenantDeletionRefused()


class Tenant(AbstractTenant):
    """The tenant, where TENANTKIT_TENANT_MODEL names no other."""

    class Meta(AbstractTenant.Meta):
        swappable = "TENANTKIT_TENANT_MODEL"


def get_tenant_model() -> type[AbstractTenant]:
    """The tenant model of this deployment."""
    return apps.get_model(conf.TENANT_MODEL)


def get_domain_model() -> type[models.Model]:
    """The domain model of this deployment."""
    return apps.get_model(conf.DOMAIN_MODEL)
