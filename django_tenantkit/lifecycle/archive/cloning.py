"""`clone_tenant`: a copy of a tenant, with keys of its own, to try things out on."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from ...context import contained, tenant_context, unscoped
from ...exceptions import ArchiveRefused, ProvisioningRefused
from ...models import AbstractTenant, Job, get_tenant_model
from ...signals import tenant_cloned, tenant_cloning
from .. import jobs
from ..provision import prepare as prepare_provision
from ..steps import choose_uid, make_place
from ..stores import stores
from .checking import check
from .exporting import RATE as WRITTEN
from .exporting import write_archive
from .importing import RATE as LOADED
from .importing import finish, interrupted, load_into, refuse_slug, run_loading
from .loading import Wish
from .masking import masks
from .sources import FromStorage
from .tables import Ground
from .taking import count

CLONE = jobs.Kind("clone", "clone_tenant", ArchiveRefused)


@unscoped(reason="cloning a tenant", rows_only=True)
def clone_tenant(
    tenant: AbstractTenant,
    slug: str,
    *,
    mask: bool = False,
    files: bool = True,
    backup: str = "",
    isolation: str | None = None,
    database: str | None = None,
    progress: jobs.Progress | None = None,
) -> Job:
    """Make a new tenant with the rows and files of this one, all under new keys and names, and return the finished
    job; `job.tenant` is the copy. It lives as the original does, if nothing else is said. With `mask` what
    TENANTKIT_MASKS names is changed before it leaves the original; files are copied as they are, so leave them out
    where they say too much. The copy has no domains: those lead to the original. `backup` is an entry of DATABASES that
    was restored from a backup, if the copy is to be of the tenant as it was there; it has no files. Outside of
    transactions.

    Raises `ArchiveRefused` with nothing changed: where the slug is taken, or shared rows cannot be named. A process
    that was killed is followed by another call with the same arguments.
    """
    if (found := interrupted(CLONE, slug)) is not None and found.arguments["source"] == str(tenant.uid):
        return _run(jobs.take_up(CLONE, found), progress)
    if backup:
        ground_in(tenant, backup)
    arguments = _arguments(tenant, slug, mask, isolation, database)
    arguments |= {"files": files and not backup, "backup": backup}
    return _run(jobs.begin(CLONE, slug, arguments, partial(refuse_slug, slug)), progress)


@unscoped(reason="cloning a tenant", rows_only=True)
def resume_clone(uid: UUID | str, *, progress: jobs.Progress | None = None) -> Job:
    """Go on with a copy that was interrupted. Raises `ArchiveRefused` where there is none of that uid."""
    return _run(jobs.take_up(CLONE, jobs.find(CLONE, uid)), progress)


@unscoped(reason="cloning a tenant", rows_only=True)
def prepare(
    tenant: AbstractTenant, slug: str, *, mask: bool = False, isolation: str | None = None, database: str | None = None
) -> dict[str, Any]:
    """What a copy would have: rows by model, which fields are masked, and about how many seconds it takes. Raises what
    it would raise before it begins."""
    _arguments(tenant, slug, mask, isolation, database)
    ground = Ground(tenant)
    rows = count(ground)
    seconds = round(sum(rows.values()) * (1 / WRITTEN + 1 / LOADED), 1)
    return {"slug": slug, "rows": rows, "masked": _masked(ground) if mask else [], "seconds": seconds}


def _arguments(tenant: AbstractTenant, slug: str, mask: bool, isolation: str | None, database: str | None) -> Any:
    if mask and not _masked(Ground(tenant)):
        raise ArchiveRefused("TENANTKIT_MASKS names nothing that is masked. Write a rule for each field that is.")
    try:
        plan = prepare_provision(
            slug,
            tenant.name,
            plan=tenant.plan,
            settings=tenant.settings,
            isolation=isolation or tenant.isolation,
            database=database,
        )
    except ProvisioningRefused as error:
        raise ArchiveRefused(str(error)) from error
    return {**plan.arguments, "source": str(tenant.uid), "mask": mask}


def _masked(ground: Ground) -> list[str]:
    expressions, functions = masks(ground.tables)
    return sorted({f"{label}.{name}" for label, rules in expressions.items() for name in rules} | set(functions))


def _run(job: Job, progress: jobs.Progress | None) -> Job:
    _progress[job.uid] = progress
    try:
        return run_loading(CLONE, job, STEPS, progress)
    finally:
        _file(job).unlink(missing_ok=True)
        del _progress[job.uid]


#: Who is told how far the copies of this process are.
_progress: dict[Any, jobs.Progress | None] = {}


def _file(job: Job) -> Path:
    """Where the archive is on its way. Only its owner may read it."""
    return Path(tempfile.gettempdir()) / f"tenantkit-clone-{job.uid}.tar"


def ground_in(tenant: AbstractTenant, alias: str) -> Ground:
    """Where a restored database has the tenant. Raises `ArchiveRefused` where it has none."""
    there = get_tenant_model()._base_manager.using(alias).filter(uid=tenant.uid).first()
    if there is None:
        raise ArchiveRefused(f"DATABASES[{alias!r}] has no tenant with the uid {tenant.uid} of {tenant.slug!r}.")
    return Ground(there, alias)


def _source(job: Job) -> Any:
    uid = job.arguments["source"]  # none once that tenant was erased
    found = get_tenant_model()._base_manager.filter(uid=uid).first() if uid else None
    if found is None:
        raise ArchiveRefused("The tenant that was to be copied is gone.")
    return found


@jobs.outside_transactions
def write_file(job: Job) -> None:
    """Write the archive of the original."""
    with unscoped(reason=f"copy of a tenant: {job.slug}", rows_only=True):
        source, backup = _source(job), job.arguments.get("backup")
        ground = ground_in(source, backup) if backup else Ground(source)
        expressions, functions = masks(ground.tables) if job.arguments["mask"] else ({}, {})
        with contained("tenant_cloning"), tenant_context(None):
            tenant_cloning.send(sender=type(source), tenant=source, job=job)
        write_archive(
            ground, _file(job), stored=False, expressions=expressions, masks=functions, progress=_progress.get(job.uid)
        )


def load(job: Job) -> None:
    """Make the copy."""
    with unscoped(reason=f"copy of a tenant: {job.slug}", rows_only=True):
        source = FromStorage() if job.arguments.get("files") else None
        load_into(job, check(_file(job)), Wish(remap=True), source)


def _copies_stores(job: Job) -> bool:
    """Whether a store has a part in it. None has what it had when a backup was made."""
    return not job.arguments.get("backup") and any(store.takes_part("copy") for store in stores())


@jobs.only_if(_copies_stores)
@jobs.outside_transactions
def copy_stores(job: Job) -> None:
    """Have stores give the copy what the original has in them."""
    with unscoped(reason=f"copy of a tenant: {job.slug}", rows_only=True):
        source = _source(job)
    for store in stores():
        if store.takes_part("copy"):
            with tenant_context(job.tenant):
                store.copy(source, job.tenant)


def announce(job: Job) -> None:
    """Let the copy work, and say so."""
    finish(job)
    with unscoped(reason=f"copy of a tenant: {job.slug}", rows_only=True):
        source = _source(job)
    with contained("tenant_cloned"), tenant_context(None):
        tenant_cloned.send(sender=type(source), tenant=job.tenant, source=source, job=job)


STEPS: dict[str, jobs.Step] = {
    "make_place": make_place,
    "choose_uid": choose_uid,
    "write_file": write_file,
    "load": load,
    "copy_stores": copy_stores,
    "announce": announce,
}
