"""Moving a tenant, as a job that can be killed anywhere and goes on when it is called again.

It is in maintenance and its old home is fenced while its rows are copied and compared. Then one transaction of the main
database says where it lives. What it left is kept until a grace period ends. See docs/explanation/moving.md.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any
from uuid import UUID

from django.db import router, transaction

from ...context import contained, tenant_context, unscoped
from ...exceptions import MoveRefused
from ...isolation import isolation_of
from ...lookup import forget
from ...models import ENDED, Job, JobState, TenantIsolation, TenantStatus, get_tenant_model
from ...signals import tenant_moved, tenant_moving
from ...sql.fence import CLOSED, FROZEN, OPEN
from .. import jobs
from ..fence import is_fenced, set_fence
from ..jobs import outside_transactions
from ..stores import stores
from ..suspend import change_status
from ..sweeping import arriving
from .aside import step_aside
from .checking import check_dangling, check_room, check_sides, check_source, check_wish
from .leaving import discard_rows, drop_half_copied, put_away
from .making import bring_shared, drop_place, make_place
from .online import Beside, forget_noted, watch
from .remapping import Keys, forget_keys
from .sides import Side, Spot, opened
from .switching import has_moved, is_mine, keep_result, source_of, switch, target_of
from .transfer import Transfer

MOVE = jobs.Kind("move", "move_tenant", MoveRefused)

#: Rows per second that a dry run reckons with.
SPEED = 150_000


@unscoped(reason="moving a tenant")
def move(
    tenant: Any,
    to: str,
    database: str = "",
    *,
    remap: bool = False,
    online: bool = False,
    progress: jobs.Progress | None = None,
) -> Job:
    """Move `tenant` to the isolation `to`, on the server `database` of TENANTKIT_SERVERS or the main one, and return
    the job; or go on with the unfinished one that has the same arguments. `remap` gives rows new keys whose own are
    taken there. `online` copies while the tenant works, and puts it in maintenance for the rest.

    Outside of transactions, where the system can log in. Raises `MoveRefused`, with nothing changed, where the tenant
    cannot move there, and `JobFailed` when a step failed: the tenant is then in maintenance until `resume()` or
    `give_up()`.
    """
    isolation_of(to)
    arguments = {"to": to, "database": database, "remap": remap, "online": online}
    wanted = Spot(to, database, tenant.uid)
    if jobs.unfinished(MOVE, tenant.slug, arguments) is None:
        _look(tenant, wanted, remap=remap)
    job = jobs.begin(MOVE, tenant.slug, arguments, lambda: check_wish(tenant, wanted), tenant=tenant)
    return jobs.run(MOVE, job, _steps(job), progress)


@unscoped(reason="moving a tenant")
def resume(uid: UUID | str, *, progress: jobs.Progress | None = None) -> Job:
    """Go on with a job by its uid. Raises `MoveRefused` when there is none or another process is at it, and
    `JobFailed`."""
    job = jobs.take_up(MOVE, jobs.find(MOVE, uid))
    return jobs.run(MOVE, job, _steps(job), progress)


@unscoped(reason="moving a tenant back")
def roll_back(tenant: Any, *, remap: bool = False, progress: jobs.Progress | None = None) -> Job:
    """Move the tenant back to where it came from: a move like any other, with what was written since. Raises
    `MoveRefused` where it has not moved yet."""
    return move(tenant, *way_back(tenant), remap=remap, progress=progress)


@unscoped(reason="moving a tenant back")
def way_back(tenant: Any) -> tuple[str, str]:
    """The isolation and the server that it came from. Raises `MoveRefused` where it has not moved yet. An unfinished
    way back is what it began as."""
    jobs_of = Job.objects.filter(kind=MOVE.name, tenant=tenant).exclude(state=JobState.GIVEN_UP).order_by("-created_at")
    job = jobs_of.first()
    if job is None:
        raise MoveRefused(f"The tenant {tenant.slug!r} has not moved, so there is no way back.")
    if job.state != JobState.DONE:
        return job.arguments["to"], job.arguments["database"]
    return job.result["from"]["isolation"], job.result["from"]["database"]


@unscoped(reason="moving a tenant")
def prepare(tenant: Any, to: str, database: str = "", *, remap: bool = False, online: bool = False) -> dict[str, Any]:
    """What `move()` would do: how many rows, by label, about how many seconds, and what is left to do of an unfinished
    job. Raises what it would raise before it changes something; changes nothing."""
    isolation_of(to)
    wanted = Spot(to, database, tenant.uid)
    job = jobs.unfinished(MOVE, tenant.slug, {"to": to, "database": database, "remap": remap, "online": online})
    done = [] if job is None else job.steps_done
    rows = {} if done else _look(tenant, wanted, remap=remap, counting=True)
    return {
        "from": str(Spot.of(tenant)),
        "to": str(wanted),
        "job": None if job is None else str(job.uid),
        "rows": rows,
        "seconds": round(sum(rows.values()) / SPEED, 1),
        "steps": [name for name in (ONLINE if online else STEPS) if name not in done],
    }


@unscoped(reason="giving up a move")
def give_up(uid: UUID | str) -> Job:
    """End a job whose tenant has not moved yet: it works again where it lives, and what was made for it is removed.
    Raises `MoveRefused` for a job that has ended, and for one whose tenant lives in the new place already."""
    job = jobs.take_up(MOVE, jobs.find(MOVE, uid))
    if job.state in ENDED:
        raise MoveRefused(f"Job {job.uid} on {job.slug!r} is {job.state}.")
    tenant = _tenant(job)
    if Spot.of(tenant) == target_of(job):
        raise MoveRefused(
            f"The tenant {job.slug!r} has moved: only cleaning up is left. `move_tenant --resume {job.uid}`, and then "
            f"`move_tenant {job.slug} --rollback`."
        )
    if "from" in job.result:
        _end_watching(tenant, job)
        set_fence(tenant, _fence_of(job), tenant.home)
        _discard(tenant, target_of(job))
    _work_again(tenant, job)
    job.state = JobState.GIVEN_UP
    job.save(update_fields=["state", "updated_at"])
    return job


def _look(tenant: Any, wanted: Spot, *, remap: bool, counting: bool = False) -> dict[str, int]:
    """Raise what can be known beforehand; how many rows there are, if asked. Where the new home is not made yet,
    nothing can be in the way there."""
    check_wish(tenant, wanted)
    here = Spot.of(tenant)
    check_room(here, wanted)
    with opened(here, *([wanted] if wanted.is_shared else [])) as (_, sides):
        source, target = sides[0], sides[-1]
        check_source(source)
        check_dangling(source, str(tenant.pk))
        transfer = Transfer(source, target, str(tenant.pk))
        if wanted.is_shared:
            with _rolled_back(source, target):
                keys = Keys(source, target, str(tenant.pk))
                keys.refuse_values()
                if not remap:
                    keys.refuse()
        return transfer.counts() if counting else {}


def _tenant(job: Job) -> Any:
    return get_tenant_model()._base_manager.get(pk=job.tenant.pk)


def begin(job: Job) -> None:
    """Remember where the tenant lives."""
    here = Spot.of(job.tenant)
    job.result["from"] = {"isolation": here.isolation, "database": here.server}


@outside_transactions
def make(job: Job) -> None:
    """Make the place, by the system; what the tenant left there before goes first."""
    with tenant_context(None), unscoped(reason=f"moving {job.slug}"):
        if target_of(job).is_shared:
            discard_rows(_tenant(job), target_of(job))
            if job.arguments.get("online"):  # nobody sees half a tenant among the others
                set_fence(_tenant(job), CLOSED, target_of(job).home)
        job.result["migrations"] = make_place(target_of(job))


def freeze(job: Job) -> None:
    """Put the tenant in maintenance, where it is active; its status is remembered."""
    job.result["status"] = str(job.tenant.status)
    job.result["fenced"] = is_fenced(job.tenant)
    with contained("tenant_moving"), tenant_context(None):
        tenant_moving.send(sender=type(job.tenant), tenant=job.tenant, job=job)
    if job.tenant.status == TenantStatus.ACTIVE:
        change_status(job.tenant, TenantStatus.MAINTENANCE, [TenantStatus.ACTIVE], reason="it is being moved")


@outside_transactions
def shut(job: Job) -> None:
    """Fence the old home."""
    set_fence(_tenant(job), FROZEN, source_of(job).home)


@outside_transactions
def move_rows(job: Job) -> None:
    """Copy the rows, compare them, and say where the tenant lives from now on."""
    tenant = job.tenant
    with opened(source_of(job), target_of(job)) as (main, (source, target)), ExitStack() as arrival:
        if not target.is_main and Spot.of(tenant) != target.spot:
            arrival.enter_context(arriving(target.raw))
            bring_shared(source, target, tenant)
        if not job.arguments.get("online") and Spot.of(tenant) != target.spot:
            step_aside(source, target)
        with main.transaction():
            if has_moved(main, job):
                return
            with ExitStack() as stack:
                for raw in {id(side.raw): side.raw for side in (source, target) if side.raw is not main}.values():
                    stack.enter_context(raw.transaction())
                _copy(main, job, source, target)
            switch(main, job, source)
    forget(tenant)


@outside_transactions
def leave(job: Job) -> None:
    """Put out of reach what the tenant left, and let it into what it has, unless it is suspended."""
    tenant = _tenant(job)
    if source_of(job).isolation != TenantIsolation.DATABASE:  # there it goes with the rest
        _end_watching(tenant, job)
    put_away(tenant, source_of(job), job.uid)
    set_fence(tenant, _fence_of(job), target_of(job).home)


@outside_transactions
def tell_stores(job: Job) -> None:
    """Let the stores follow, see `lifecycle/stores.py`."""
    tenant = _tenant(job)
    for store in stores():
        with tenant_context(tenant), contained(store.name):
            store.moved(tenant, source_of(job).home, tenant.home)


def thaw(job: Job) -> None:
    """Let the tenant work."""
    tenant = _tenant(job)
    _work_again(tenant, job)
    with contained("tenant_moved"), tenant_context(None):
        tenant_moved.send(sender=type(tenant), tenant=tenant, job=job)
    transaction.on_commit(lambda: forget(tenant), using=router.db_for_write(Job))


@outside_transactions
def note(job: Job) -> None:
    """Have the old home note what changes, while the tenant works."""
    watch(_tenant(job), source_of(job), wanted=True)


@outside_transactions
def copy_beside(job: Job) -> None:
    """Copy all rows, and then again those that have changed meanwhile, until few are left."""
    with opened(source_of(job), target_of(job)) as (main, (source, target)):
        check_sides(source, target)
        beside = _beside(main, job, source, target)
        if "online" not in job.result:
            beside.copy_all(partial(_keep_copied, main, job))
        job.result["online"]["rounds"] = beside.catch_up(job.result["online"]["rows"])


STEPS: dict[str, jobs.Step] = {
    "begin": begin,
    "make_place": make,
    "freeze": freeze,
    "fence": shut,
    "move_rows": move_rows,
    "leave": leave,
    "tell_stores": tell_stores,
    "thaw": thaw,
}


#: The same with `--online`.
ONLINE: dict[str, jobs.Step] = {
    "begin": begin,
    "make_place": make,
    "note": note,
    "copy_beside": copy_beside,
    **{name: step for name, step in STEPS.items() if name not in ("begin", "make_place")},
}


def _steps(job: Job) -> dict[str, jobs.Step]:
    return ONLINE if job.arguments.get("online") else STEPS


def _beside(main: Any, job: Job, source: Side, target: Side) -> Beside:
    return Beside(main, source, target, job.tenant, job.arguments["remap"], partial(is_mine, main, job))


def _keep_copied(main: Any, job: Job, rows: int) -> None:
    """Whoever goes on with the job knows that all was copied once."""
    job.result["online"] = {"rows": rows}
    keep_result(main, job)


def _discard(tenant: Any, spot: Spot) -> None:
    if spot.is_shared:
        drop_half_copied(tenant, spot)
    else:
        drop_place(spot)


def _end_watching(tenant: Any, job: Job) -> None:
    if job.arguments.get("online"):
        watch(tenant, source_of(job), wanted=False)
        with opened(source_of(job)) as (_, (source,)):
            forget_noted(source, str(tenant.pk))


def _fence_of(job: Job) -> str:
    """How the tenant's home is fenced when its move has ended: a suspended one's as before."""
    return FROZEN if job.result.get("fenced") else OPEN


def _work_again(tenant: Any, job: Job) -> None:
    if job.result.get("status") == TenantStatus.ACTIVE and tenant.status == TenantStatus.MAINTENANCE:
        change_status(tenant, TenantStatus.ACTIVE, [TenantStatus.MAINTENANCE], reason="its move has ended")


def _copy(main: Any, job: Job, source: Side, target: Side) -> None:
    check_sides(source, target)
    if job.arguments.get("online"):
        beside = _beside(main, job, source, target)
        again = beside.copy_noted()
        job.result["online"]["left"] = again.rows
        job.result["remapped"] = beside.taken
        job.result["tables"] = again.transfer.finish()
        forget_keys(main, job.tenant.uid)
        return
    keys = Keys(source, target, str(job.tenant.pk))
    if not job.arguments["remap"]:
        keys.refuse()
    transfer = Transfer(source, target, str(job.tenant.pk), keys.changes())
    job.result["remapped"] = keys.taken
    job.result["tables"] = transfer.run()


class _rolled_back:  # noqa: N801 - reads as a verb phrase
    """Transactions of both sides that leave nothing."""

    def __init__(self, *sides: Side) -> None:
        self.raws = list({id(side.raw): side.raw for side in sides}.values())

    def __enter__(self) -> None:
        for raw in self.raws:
            raw.execute("BEGIN")

    def __exit__(self, *_: object) -> None:
        for raw in self.raws:
            raw.execute("ROLLBACK")
