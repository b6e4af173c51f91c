"""The ledger at work: a long job is claimed, done step by step, and taken up again wherever it stopped.

A step and its entry in `Job.steps` are one transaction: the entry is there if and only if the work is.
`Job.attempts` is a fencing token (M. Kleppmann, How to do distributed locking): whoever takes a job up
raises it, and a process that was believed dead finds that out before its next step.
"""

from __future__ import annotations

import getpass
import json
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import Error, IntegrityError, router, transaction
from django.utils import timezone

from ..context import contained, current_scope, tenant_context
from ..exceptions import JobFailed, TenantkitError
from ..models import ENDED, Job, JobState

Step = Callable[[Job], None]
#: Told after each step: how many are done, of how many, and the name of the last.
Progress = Callable[[int, int, str], None]


#: The kinds of jobs by name.
KINDS: dict[str, Kind] = {}


@dataclass(frozen=True)
class Kind:
    """A kind of job: its name in the ledger, the command that resumes it with `--resume UID`, and the
    error for what cannot be begun. One that only reads is given up where it fails: there is nothing to go on with."""

    name: str
    command: str
    refused: type[TenantkitError]
    only_reads: bool = False

    def __post_init__(self) -> None:
        KINDS[self.name] = self


class _TakenUp(Exception):
    """Another process took the job up."""


class Wait(Exception):
    """Raised by a step whose time has not come: the job is left `waiting`, and asks again when it is taken up."""


def begin(
    kind: Kind,
    slug: str,
    arguments: dict[str, Any],
    check: Callable[[], None],
    *,
    domain: str = "",
    tenant: Any = None,
) -> Job:
    """Claim `slug` and `domain` for a job, and `tenant` if it is about one, or take up the unfinished one that has
    the same arguments.

    `check()` raises where the names are taken. It is called after the claim, so that it sees whatever
    a quicker process did; then nothing stays. Raises `kind.refused` when another process is at the
    job, or an unfinished job with other arguments holds a name, or any other the tenant.
    """
    arguments = json.loads(json.dumps(arguments))
    try:
        with transaction.atomic(using=_database()):
            job = Job.objects.create(
                kind=kind.name, slug=slug, domain=domain, arguments=arguments, tenant=tenant, by=_who()
            )
            check()
            return job
    except IntegrityError as error:
        if (held := unfinished(kind, slug, arguments, domain)) is not None:
            return _take_up_unfinished(kind, held, check)
        _refuse_second(kind, tenant)
        check()
        raise kind.refused(f"Another process claimed {slug!r} and gave it up just now. Try again.") from error


def _who() -> str:
    """Who begins a job: the user that is known to act, or whoever runs the program."""
    user, _ = current_scope().actor()
    if user is not None:
        return f"user {user}"
    with suppress(OSError, KeyError):  # a container may run as a number that has no name
        return getpass.getuser()
    return ""


def _refuse_second(kind: Kind, tenant: Any) -> None:
    """Raise where another job is unfinished on the tenant: jobs on one tenant follow each other."""
    if tenant is not None and (other := unfinished_on(tenant)) is not None:
        command = KINDS[other.kind].command if other.kind in KINDS else other.kind
        raise kind.refused(
            f"The tenant {tenant.slug!r} has an unfinished job, {other.kind} {other.uid}. Go on with it first: "
            f"`{command} --resume {other.uid}`."
        )


def unfinished_on(tenant: Any) -> Job | None:
    """The job that is unfinished on the tenant, of whatever kind, or None."""
    return Job.objects.filter(tenant=tenant).exclude(state__in=ENDED).first()


def _take_up_unfinished(kind: Kind, job: Job, check: Callable[[], None]) -> Job:
    """The job, unless another process finished it meanwhile: then its names are taken, as `check` says."""
    mine = take_up(kind, job)
    if mine.state == JobState.DONE:
        check()
    return mine


def unfinished(kind: Kind, slug: str, arguments: dict[str, Any], domain: str = "") -> Job | None:
    """The unfinished job on `slug` with these very arguments, or None where nothing holds the names.
    Raises `kind.refused` for a job with other arguments: it is resumed by its uid only."""
    open_jobs = Job.objects.filter(kind=kind.name).exclude(state__in=ENDED)
    job = open_jobs.filter(slug=slug).first()
    if job is not None and job.arguments == json.loads(json.dumps(arguments)):
        return job
    holder = job or (open_jobs.filter(domain=domain).first() if domain else None)
    if holder is None:
        return None
    what = f"slug {slug!r}, with other arguments" if job is not None else f"domain {domain}, for {holder.slug!r}"
    raise kind.refused(
        f"An unfinished job, {holder.uid}, holds the {what}. Go on with it: `{kind.command} --resume {holder.uid}`; "
        f"see it: `{kind.command} --resume {holder.uid} --dry-run`."
    )


def find(kind: Kind, uid: UUID | str) -> Job:
    """The job of that uid. Raises `kind.refused` when there is none of this kind."""
    with suppress(ValueError):
        job = Job.objects.filter(kind=kind.name, uid=UUID(str(uid))).first()
        if job is not None:
            return job
    raise kind.refused(f"There is no {kind.name} job {str(uid)!r}. A refused or failed `{kind.command}` shows its uid.")


def take_up(kind: Kind, job: Job) -> Job:
    """The job, from now on this process's. One that has ended is returned as it is. Raises `kind.refused`
    while another process is in the middle of a step."""
    with transaction.atomic(using=_database()):
        mine = Job.objects.select_for_update(skip_locked=True).filter(pk=job.pk).first()
        if mine is None:
            raise kind.refused(f"Job {job.uid} on {job.slug!r} is being done by another process. Wait for its end.")
        if mine.state not in ENDED:
            mine.attempts += 1
            mine.state = JobState.RUNNING
            mine.error = ""
            mine.save()
        return mine


def run(kind: Kind, job: Job, steps: Mapping[str, Step], progress: Progress | None = None) -> Job:
    """Do the steps that are not done yet, by name and in order, and return the finished job.

    Each runs in one transaction with its entry, inside `job.tenant` once there is one; what it puts into `job.result`
    is kept with it. Raises `JobFailed`, whose cause is the step's error, or for a kind that only reads that error
    itself; and `kind.refused` when another process took the job up. Calling it for a job that has ended does nothing.
    """
    if job.state in ENDED:
        return job
    name, idle = "", list[dict[str, Any]]()
    mine = job
    try:
        for done, (name, step) in enumerate(steps.items(), 1):
            if name not in mine.steps_done and _is_idle(step, mine):
                idle.append(_entry(name, time.monotonic()))
            else:
                mine = _do(mine, name, step, idle, is_last=done == len(steps))
                job.result, job.tenant = mine.result, mine.tenant
            if progress is not None:
                progress(done, len(steps), name)
        return mine if mine.state == JobState.DONE else _finish(mine, idle)
    except _TakenUp:
        raise kind.refused(
            f"Job {job.uid} on {job.slug!r} was taken up by another process, which goes on with it."
        ) from None
    except Wait:
        return _leave_waiting(job)
    except Exception as error:
        _record_failure(kind, job)
        if kind.only_reads:
            raise
        raise JobFailed(
            f"Step {name} of job {job.uid} failed: {type(error).__name__}: {error}. The steps before it are kept. "
            f"Remove the cause, then: `{kind.command} --resume {job.uid}`."
        ) from error


def outside_transactions(step: Step) -> Step:
    """Marks a step that cannot run in a transaction with its entry, as it logs in as the system: it must do nothing
    where its work is done already."""
    _OUTSIDE.add(step)
    return step


def only_if(condition: Callable[[Job], bool]) -> Callable[[Step], Step]:
    """Marks a step that does nothing for jobs of which `condition` is not true. It needs no transaction for that: its
    entry is kept together with that of the next step that does something."""

    def decorate(step: Step) -> Step:
        _CONDITIONS[step] = condition
        return step

    return decorate


_OUTSIDE: set[Step] = set()
_CONDITIONS: dict[Step, Callable[[Job], bool]] = {}


def _is_idle(step: Step, job: Job) -> bool:
    condition = _CONDITIONS.get(step)
    return condition is not None and not condition(job)


def _entry(name: str, began: float) -> dict[str, Any]:
    return {"name": name, "at": timezone.now().isoformat(), "seconds": round(time.monotonic() - began, 3)}


def _do(job: Job, name: str, step: Step, idle: list[dict[str, Any]], *, is_last: bool) -> Job:
    """Do a step, keep its entry behind those of `idle` ones, and return the job as it then is."""
    began = time.monotonic()
    if step in _OUTSIDE and name not in job.steps_done:
        _run_step(job, name, step)
    with transaction.atomic(using=_database()):
        mine = _mine(job)
        if name in mine.steps_done:
            return mine
        if step not in _OUTSIDE:
            _run_step(mine, name, step)
        else:
            mine.result = job.result
        mine.steps += [*idle, _entry(name, began)]
        if is_last:
            mine.state = JobState.DONE
        mine.save()
    idle.clear()
    return mine


def _run_step(job: Job, name: str, step: Step) -> None:
    with tenant_context(job.tenant), contained(name):
        step(job)


def _leave_waiting(job: Job) -> Job:
    with transaction.atomic(using=_database()):
        mine = _mine(job)
        mine.state = JobState.WAITING
        mine.save()
    return mine


def _finish(job: Job, idle: list[dict[str, Any]]) -> Job:
    """Note that a job is done, whose last step had nothing to do or was done by a process that ended right then."""
    with transaction.atomic(using=_database()):
        mine = _mine(job)
        mine.steps += idle
        mine.state = JobState.DONE
        mine.save()
    return mine


def _mine(job: Job) -> Job:
    """The job as the database has it, locked until the end of the transaction, with its tenant."""
    mine = Job.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=job.pk)
    if mine.attempts != job.attempts:
        raise _TakenUp
    return mine


def _record_failure(kind: Kind, job: Job) -> None:
    with suppress(Error):  # a database out of reach is the failure itself, and the job is resumed all the same
        Job.objects.filter(pk=job.pk, attempts=job.attempts).update(
            state=JobState.GIVEN_UP if kind.only_reads else JobState.FAILED,
            error=traceback.format_exc(),
            updated_at=timezone.now(),
        )


def _database() -> str:
    return router.db_for_write(Job)
