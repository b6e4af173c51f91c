"""Steps around the loading of rows into a tenant that works: from before the first row is read until the last one is
there the database refuses whatever others write of it. See `lifecycle/fence.py`."""

from __future__ import annotations

from typing import Any

from ...models import Job
from ...sql.fence import WORK_ON
from .. import jobs
from ..fence import fence, is_fenced, unfence
from .tables import Ground


def has_worked(job: Job) -> bool:
    """Whether the job's tenant was there before the job."""
    return not job.arguments.get("is_new", True)


def is_to_be_opened(job: Job) -> bool:
    """Whether the fence is the job's own."""
    return job.result.get("was_fenced") is False


@jobs.only_if(has_worked)
def look(job: Job) -> None:
    """Remember whether there is a fence already: a suspended tenant may have one, which stays."""
    job.result["was_fenced"] = is_fenced(job.tenant)


@jobs.only_if(has_worked)
@jobs.outside_transactions
def shut(job: Job) -> None:
    """Fence the tenant. Waits for transactions that wrote something, so nothing of theirs is lost."""
    fence(job.tenant)


@jobs.only_if(is_to_be_opened)
@jobs.outside_transactions
def open_again(job: Job) -> None:
    """Let others write again."""
    unfence(job.tenant)


SHUT: dict[str, jobs.Step] = {"look_at_fence": look, "fence": shut}
OPEN: dict[str, jobs.Step] = {"unfence": open_again}


def work_inside(ground: Ground) -> None:
    """Let this transaction write all the same."""
    with ground.home.connection.cursor() as cursor:
        cursor.execute(WORK_ON, [str(ground.tenant.pk)])


def give_up(job: Any) -> None:
    """The fence of a job with which nobody goes on."""
    if is_to_be_opened(job):
        unfence(job.tenant)
