"""While the grace lasts a tenant comes back as it was."""

from __future__ import annotations

from django.db import router, transaction

from ...context import unscoped
from ...exceptions import EraseRefused
from ...models import AbstractTenant, Job, JobState, TenantStatus
from .. import jobs
from ..suspend import change_status, resume
from .run import ERASE, unfinished


def bring_back(tenant: AbstractTenant, *, reason: str = "", dry_run: bool = False) -> AbstractTenant:
    """`resume()`, also for a tenant that is to be erased and whose rows are still there: it becomes what it was before.
    Raises `EraseRefused` once its rows are being erased, and what `resume()` raises."""
    if tenant.status != TenantStatus.ERASING:
        return resume(tenant, reason=reason, dry_run=dry_run)
    with unscoped(reason=f"bringing back {tenant.slug}"), transaction.atomic(using=router.db_for_write(Job)):
        job = unfinished(tenant)
        if job is None or "announce" in job.steps_done:
            raise EraseRefused(
                f"The rows of {tenant.slug!r} are being erased: it cannot come back. `erase_tenant` ends it."
            )
        if dry_run:
            return tenant
        job = jobs.take_up(ERASE, job)
        if "announce" in job.steps_done:
            raise EraseRefused(f"The rows of {tenant.slug!r} are being erased since just now.")
        job.state = JobState.GIVEN_UP
        job.save(update_fields=["state", "updated_at"])
        return change_status(tenant, TenantStatus(job.result["before"]), [TenantStatus.ERASING], reason=reason)
