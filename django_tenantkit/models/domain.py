"""Custom domains."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from ..fields import TenantReference
from ..names import clean_domain


class AbstractDomain(models.Model):
    """A domain of a tenant's own, such as `app.acme.org`. It leads to the tenant once it is verified;
    until owners can prove a domain themselves, an operator sets `verified_at`."""

    tenant = TenantReference(on_delete=models.CASCADE, related_name="domains")
    domain: models.CharField[Any, Any] = models.CharField(max_length=253, unique=True)
    is_primary: models.BooleanField[Any, bool] = models.BooleanField(default=False)
    verified_at: models.DateTimeField[Any, datetime | None] = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("domain",)
        constraints = (
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(is_primary=True),
                name="%(app_label)s_%(class)s_one_primary",
            ),
        )

    def __str__(self) -> str:
        return str(self.domain)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the normalised name, whoever wrote it: a domain under the base domain would take over
        another tenant's address."""
        self.domain = clean_domain(self.domain)
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Normalise the name; `ValidationError` for one at or under the base domain."""
        self.domain = clean_domain(self.domain)


class Domain(AbstractDomain):
    """The domain, where TENANTKIT_DOMAIN_MODEL names no other."""

    class Meta(AbstractDomain.Meta):
        swappable = "TENANTKIT_DOMAIN_MODEL"
