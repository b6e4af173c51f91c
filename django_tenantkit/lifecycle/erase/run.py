"""Erasing a tenant, from the first word to the certificate.

The tenant is `erasing` at once, so that nobody reaches it, and stays as it is while its grace lasts. Then a job takes
away what stores keep, rows, homes, and what shared tables say of it, leaves a tombstone, and looks for what is left.
Each step can be repeated. Where the search finds something all of them are, when the job is resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ...conf import conf
from ...context import unscoped
from ...exceptions import EraseRefused, JobFailed
from ...models import AbstractTenant, Job, JobState, TenantStatus
from .. import jobs
from ..stores import stores
from . import steps
from .homes import homes_of
from .keeping import refuse_loose_ends
from .rows import count_erased, kept
from .shared import count_naming
from .users import only_here

ERASE = jobs.Kind("erase", "erase_tenant", EraseRefused)

#: How long a job that is running has said nothing when it is believed to have been killed.
SILENT = timedelta(hours=1)

#: Shared rows of all tenants are read, and rows of tenants only in shared tables.
_by_operator = partial(unscoped, reason="erasing a tenant", rows_only=True)


#: Rows that are erased in a second, as far as is known before: for what `--dry-run` says.
RATE = 25_000


@dataclass(frozen=True)
class Plan:
    """What `erase()` would do: `rows` and `shared_rows` are erased, by model, `kept` are not, by model with the reason
    and the number; `until` is when the grace ends, `seconds` about how long it takes then, `job` the unfinished one,
    `users` how many members are in no other tenant."""

    slug: str
    rows: dict[str, int]
    shared_rows: dict[str, int]
    kept: dict[str, dict[str, Any]]
    homes: list[str]
    stores: list[str]
    users: int
    until: datetime
    seconds: float
    job: Job | None


@_by_operator()
def prepare(tenant: AbstractTenant, *, days: int | None = None) -> Plan:
    """What `erase(tenant)` would do. Changes nothing; raises `EraseRefused` where that would."""
    job = unfinished(tenant)
    if job is None:
        _check(tenant)
    rows = count_erased(tenant)
    return Plan(
        slug=tenant.slug,
        rows=rows,
        shared_rows=count_naming(tenant),
        kept=kept(tenant),
        homes=homes_of(tenant),
        stores=[store.name for store in stores() if store.takes_part("erase")],
        users=sum(1 for _ in only_here(tenant)),
        until=until(job) or timezone.now() + _grace(days),
        seconds=round(sum(rows.values()) / RATE, 1),
        job=job,
    )


@_by_operator()
def erase(
    tenant: AbstractTenant,
    *,
    days: int | None = None,
    now: bool = False,
    users_too: bool = False,
    in_texts: bool = True,
    progress: jobs.Progress | None = None,
) -> Job:
    """Begin to erase the tenant, or go on with it; the job. It is `waiting` while the grace lasts: `days`
    (TENANTKIT_GRACE_DAYS), or none with `now`, which also ends one that has begun. Once it is `done`, its `result`
    has the `certificate`.

    `users_too` takes members who are in no other tenant their names and addresses; `in_texts=False` spares the search
    for the tenant's names in all tables. Raises `EraseRefused` with nothing changed for a tenant that is erased, while
    another job is at it, and for what TENANTKIT_ERASE_KEEP cannot mean; and `JobFailed` where a step failed, or where
    something was found that is left.
    """
    job = unfinished(tenant)
    if job is None:
        arguments = {"days": days, "users_too": users_too, "in_texts": in_texts}
        job = jobs.begin(ERASE, tenant.slug, arguments, lambda: _check(tenant), tenant=tenant)
    else:
        refuse_loose_ends()
        job = jobs.take_up(ERASE, job)
    return _run(job, now, progress)


@_by_operator()
def resume_erasing(uid: UUID | str, *, now: bool = False, progress: jobs.Progress | None = None) -> Job:
    """Go on with a job by its uid. Raises what `erase()` raises."""
    refuse_loose_ends()
    return _run(jobs.take_up(ERASE, jobs.find(ERASE, uid)), now, progress)


@_by_operator()
def erase_due(report: Callable[[Job], None] | None = None) -> dict[str, str]:
    """Erase all tenants whose grace is over, and go on where that failed before or was killed: where a job has said
    nothing for `SILENT`. One that fails keeps no other from it; what they said, by slug."""
    failed = {}
    for job in due_or_not():
        if (end := until(job)) is not None and end <= timezone.now():
            try:
                done = resume_erasing(job.uid)
            except (JobFailed, EraseRefused) as error:
                failed[job.slug] = str(error)
            else:
                if report is not None:
                    report(done)
    return failed


def due_or_not() -> Any:
    """The jobs that `erase_due()` looks at, whether their grace is over or not. One that is killed stays `running`, and
    so is one whose process is at a long step: it finds out after that step that another goes on, and each step can be
    done by two."""
    stopped = Q(state__in=[JobState.WAITING, JobState.FAILED])
    silent = Q(state=JobState.RUNNING, updated_at__lt=timezone.now() - SILENT)
    return Job.objects.filter(stopped | silent, kind=ERASE.name).order_by("created_at")


def unfinished(tenant: Any) -> Job | None:
    """The unfinished job that erases the tenant, or None."""
    jobs_of_it = Job.objects.filter(kind=ERASE.name, tenant=tenant)
    return jobs_of_it.exclude(state__in=[JobState.DONE, JobState.GIVEN_UP]).first()


def half_erased(slug: str) -> AbstractTenant | None:
    """The tenant of that slug that is a tombstone already, while its job is not at its end; otherwise None."""
    left = Job.objects.filter(kind=ERASE.name, slug=slug, tenant__status=TenantStatus.ERASED)
    job = left.exclude(state__in=[JobState.DONE, JobState.GIVEN_UP]).select_related("tenant").first()
    tenant: AbstractTenant | None = None if job is None else job.tenant
    return tenant


def until(job: Job | None) -> datetime | None:
    """When the grace ends; None where none has begun."""
    text = None if job is None else job.result.get("until")
    return None if text is None else parse_datetime(text)


def _check(tenant: Any) -> None:
    found = type(tenant)._base_manager.get(pk=tenant.pk)
    if found.status == TenantStatus.ERASED:
        raise EraseRefused(f"The tenant {found.slug!r} is erased. Its certificate is in the result of its last job.")
    refuse_loose_ends()


def _grace(days: int | None) -> timedelta:
    return timedelta(days=conf.GRACE_DAYS if days is None else days)


def _run(job: Job, now: bool, progress: jobs.Progress | None) -> Job:
    if job.state == JobState.DONE:
        return job
    _repeat_what_left_something(job)
    return jobs.run(ERASE, job, _steps(job, now), progress)


def _steps(job: Job, now: bool) -> dict[str, jobs.Step]:
    grace = _grace(job.arguments["days"])
    return {
        "lock": partial(steps.lock, grace=grace),
        "grace": partial(steps.wait, now=now),
        "announce": steps.announce,
        **steps.repeatable(),
        "search": steps.search_left,
        "lift": steps.lift,
        "certify": steps.certify,
    }


def _repeat_what_left_something(job: Job) -> None:
    """Where all is done and the search has found something, erase again: a process may have written meanwhile."""
    again = steps.repeatable()
    if again.keys() <= set(job.steps_done) and "search" not in job.steps_done:
        job.steps = [step for step in job.steps if step["name"] not in again]
        job.save(update_fields=["steps", "updated_at"])
