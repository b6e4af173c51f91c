"""Locking tenants and letting them work again. Each function is one transaction, with its signal."""

from __future__ import annotations

from collections.abc import Collection

from django.db import router, transaction

from ..context import contained, tenant_context, unscoped
from ..exceptions import TenantStatusRefused
from ..models import AbstractTenant, TenantStatus
from ..signals import tenant_status_changed


def suspend(tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False) -> AbstractTenant:
    """Lock the tenant: requests in it get a 403. Its data stay. Raises `TenantStatusRefused` unless it is
    active or in maintenance."""
    before = [TenantStatus.ACTIVE, TenantStatus.MAINTENANCE]
    return change_status(tenant, TenantStatus.SUSPENDED, before, reason=reason, dry_run=dry_run)


def start_maintenance(tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False) -> AbstractTenant:
    """Lock the tenant for a while: requests in it get a 503 with Retry-After. Raises `TenantStatusRefused`
    unless it is active."""
    before = [TenantStatus.ACTIVE]
    return change_status(tenant, TenantStatus.MAINTENANCE, before, reason=reason, dry_run=dry_run)


def resume(tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False) -> AbstractTenant:
    """Let the tenant work again. Raises `TenantStatusRefused` unless it is suspended or in maintenance."""
    before = [TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE]
    return change_status(tenant, TenantStatus.ACTIVE, before, reason=reason, dry_run=dry_run)


def change_status(
    tenant: AbstractTenant,
    new: TenantStatus,
    before: Collection[TenantStatus],
    *,
    reason: str = "",
    dry_run: bool = False,
) -> AbstractTenant:
    """Give the tenant the status `new` and send `tenant_status_changed`, or only see whether that can be
    done. What counts is the status in the database, not the object's. Returns the object, up to date.
    Raises `TenantStatusRefused` when the status is not in `before`."""
    model = type(tenant)
    by_operator = unscoped(reason=f"status of {tenant.slug}: {new}")
    with by_operator, transaction.atomic(using=router.db_for_write(model)):
        row = model._base_manager.select_for_update().get(pk=tenant.pk)
        old = row.status
        if old not in before:
            raise TenantStatusRefused(
                f"The tenant {tenant.slug!r} is {old}; only one that is {' or '.join(before)} can become {new}."
            )
        if dry_run:
            return tenant
        row.status = new
        row.save(update_fields=["status"])
        with contained("tenant_status_changed"), tenant_context(None):
            tenant_status_changed.send(sender=model, tenant=row, old=old, new=str(new), reason=reason)
    tenant.status = row.status
    return tenant
