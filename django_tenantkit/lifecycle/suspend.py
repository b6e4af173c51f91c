"""Locking tenants and letting them work again. A status changes in one transaction, with its signal."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from django.db import connections, router, transaction

from ..context import contained, tenant_context, unscoped
from ..exceptions import HomeMissing, TenantStatusRefused, TenantUnavailable
from ..models import AbstractTenant, TenantStatus
from ..signals import tenant_status_changed
from .fence import fence, is_fenced, unfence
from .jobs import KINDS, unfinished_on


def suspend(
    tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False, fenced: bool | None = None
) -> AbstractTenant:
    """Lock the tenant: requests in it get a 403. Its data stay, and PostgreSQL refuses its writes as well, see
    `lifecycle/fence.py`: also those of processes that still believe it to be at work, and those of jobs that go through
    all tenants; the system's are let through. `fenced=False` leaves that out. In a transaction it comes when that ends.

    Raises `TenantStatusRefused` unless it is active or in maintenance; and `TenantUnavailable` where a table is in use
    for longer than TENANTKIT_FENCE_SECONDS: it is suspended then. With `fenced=True` one that is suspended gets its
    fence, or the rest of it."""
    before = [TenantStatus.ACTIVE, TenantStatus.MAINTENANCE]
    if fenced and _has_fences(tenant) and _status(tenant) == TenantStatus.SUSPENDED and not is_fenced(tenant):
        if not dry_run:
            _when_committed(tenant, fence)
        return tenant
    fenced = _has_fences(tenant) if fenced is None else fenced
    return _lock(tenant, TenantStatus.SUSPENDED, before, reason=reason, dry_run=dry_run, fenced=fenced)


def start_maintenance(
    tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False, fenced: bool = False
) -> AbstractTenant:
    """Lock the tenant for a while: requests in it get a 503 with Retry-After. With `fenced` whom
    TENANTKIT_MAINTENANCE_BYPASS lets in reads only. Raises `TenantStatusRefused` unless it is active."""
    return _lock(tenant, TenantStatus.MAINTENANCE, [TenantStatus.ACTIVE], reason=reason, dry_run=dry_run, fenced=fenced)


def resume(tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False) -> AbstractTenant:
    """Let the tenant work again, without a fence. Raises `TenantStatusRefused` unless it is suspended or in
    maintenance, and for the maintenance of an unfinished job, such as a move: that ends it itself."""
    before = [TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE]
    change_status(tenant, TenantStatus.ACTIVE, before, dry_run=True)
    if tenant.status == TenantStatus.MAINTENANCE:
        _refuse_during_job(tenant)
    if dry_run:
        return tenant
    if not _has_fences(tenant):
        return change_status(tenant, TenantStatus.ACTIVE, before, reason=reason)
    if not _in_transaction(tenant):
        with suppress(HomeMissing):
            unfence(tenant)
        return change_status(tenant, TenantStatus.ACTIVE, before, reason=reason)
    changed = change_status(tenant, TenantStatus.ACTIVE, before, reason=reason)
    _when_committed(tenant, unfence)
    return changed


def _lock(
    tenant: AbstractTenant,
    new: TenantStatus,
    before: Collection[TenantStatus],
    *,
    reason: str,
    dry_run: bool,
    fenced: bool,
) -> AbstractTenant:
    if fenced and not _has_fences(tenant):
        raise TenantStatusRefused("Fences are PostgreSQL's. Leave `fenced` out.")
    change_status(tenant, new, before, reason=reason, dry_run=dry_run)
    if fenced and not dry_run:
        _when_committed(tenant, fence)
    return tenant


def _status(tenant: AbstractTenant) -> str:
    with unscoped(reason=f"status of {tenant.slug}"):
        return str(type(tenant)._base_manager.get(pk=tenant.pk).status)


def _in_transaction(tenant: AbstractTenant) -> bool:
    return connections[router.db_for_write(type(tenant))].in_atomic_block


def _when_committed(tenant: AbstractTenant, change: Callable[[AbstractTenant], None]) -> None:
    """Fences are made outside of transactions: in one their locks would be held to its end."""
    transaction.on_commit(partial(_change_fence, tenant, change), using=router.db_for_write(type(tenant)))


def _change_fence(tenant: AbstractTenant, change: Callable[[AbstractTenant], None]) -> None:
    """A home that is not there needs no fence."""
    try:
        change(tenant)
    except HomeMissing:
        return
    except TenantUnavailable as error:
        again = f" The tenant is {tenant.status} all the same."
        if tenant.status == TenantStatus.SUSPENDED:
            again += f" `suspend_tenant {tenant.slug} --fence` completes its fence."
        raise TenantUnavailable(f"{error}{again}") from error


def _refuse_during_job(tenant: AbstractTenant) -> None:
    """A tenant in the middle of a move would work again at one home while its rows are on their way to another."""
    with unscoped(reason=f"status of {tenant.slug}"):
        job = unfinished_on(tenant)
    kind = None if job is None else KINDS.get(job.kind)
    if job is not None and (kind is None or not kind.only_reads):
        raise TenantStatusRefused(
            f"The tenant {tenant.slug!r} has an unfinished job, {job.kind} {job.uid}, which says when it works "
            f"again. Go on with it: `{job.kind if kind is None else kind.command} --resume {job.uid}`."
        )


def _has_fences(tenant: AbstractTenant) -> bool:
    return connections[router.db_for_write(type(tenant))].vendor == "postgresql"


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
            tenant.status = old
            return tenant
        row.status = new
        row.save(update_fields=["status"])
        with contained("tenant_status_changed"), tenant_context(None):
            tenant_status_changed.send(sender=model, tenant=row, old=old, new=str(new), reason=reason)
    tenant.status = row.status
    return tenant
