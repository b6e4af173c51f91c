"""What stays of a tenant: a row that keeps its uid, its slug and its domains from being given away too early."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from ...models import TenantIsolation, TenantStatus, get_domain_model
from ..claims import RESERVED, digest_of
from .keeping import keeps_rows

#: Fields that say which tenant it was and what became of it.
SAID = frozenset({"uid", "slug", "status", "isolation", "database", "created_at", "erased_at"})


def domains_of(tenant: Any) -> list[str]:
    """Its domains, in order."""
    domains: Any = get_domain_model()._default_manager
    return sorted(domains.filter(tenant=tenant).values_list("domain", flat=True))


def leave_tombstone(tenant: Any, domains: list[str]) -> list[str]:
    """Empty the tenant's row, and return the names of fields that cannot be emptied. Domains are reserved by their
    digests."""
    row = type(tenant)._base_manager.get(pk=tenant.pk)
    left = [field.name for field in row._meta.concrete_fields if not _empty(row, field)]
    for field in row._meta.many_to_many:
        getattr(row, field.name).clear()
    row.settings = {RESERVED: [digest_of(domain) for domain in domains]} if domains else {}
    row.status, row.erased_at = TenantStatus.ERASED, timezone.now()
    if not keeps_rows():
        row.isolation, row.database = TenantIsolation.ROW, ""
    row.save()
    return left


def _empty(row: Any, field: Any) -> bool:
    """Empty a field of the row, if it can be: with its default, with nothing, or with an empty text."""
    if field.name in SAID or field.primary_key or getattr(field.remote_field, "parent_link", False):
        return True
    if field.unique:
        value: Any = (
            None if field.null else str(row.uid) if isinstance(field, models.CharField) else models.NOT_PROVIDED
        )
    elif field.null:
        value = None
    elif field.has_default() and (not callable(field.default) or field.default in (dict, list)):
        value = field.get_default()
    elif field.empty_strings_allowed and not isinstance(field, models.ForeignKey):
        value = ""
    else:
        return False
    if value is models.NOT_PROVIDED:
        return False
    setattr(row, field.attname, value)
    return True
