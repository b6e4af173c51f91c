"""`import_tenant`: a tenant out of an archive, or rows into one that is there. All or nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from ...context import contained, tenant_context, unscoped
from ...exceptions import ArchiveRefused, JobFailed, ProvisioningRefused
from ...models import ENDED, Job, JobState, Place, PlaceState, TenantIsolation, TenantStatus, get_tenant_model
from ...signals import tenant_imported, tenant_importing
from .. import jobs
from ..claims import digest_of, refuse_taken
from ..provision import prepare as prepare_provision
from ..steps import choose_uid, make_place, make_tenant
from ..suspend import change_status
from . import fencing
from .before import refuse_unknown
from .checking import Checked, again, check, opened
from .files import STORE, sweep
from .filing import Files, Source
from .loading import REFUSE, UPDATE, Load, Wish
from .sources import FromArchive
from .storing import load_stores
from .tables import Ground

IMPORT = jobs.Kind("import", "import_tenant", ArchiveRefused)

#: Rows that are loaded in a second, as far as is known before: for what `--dry-run` says.
RATE = 80_000


@unscoped(reason="importing a tenant", rows_only=True)
def import_tenant(
    path: str | Path,
    slug: str | None = None,
    *,
    on_conflict: str = REFUSE,
    remap: bool = False,
    trust_unsigned: bool = False,
    isolation: str | None = None,
    database: str | None = None,
    progress: jobs.Progress | None = None,
) -> Job:
    """Load an archive, and return the finished job; `job.tenant` is the tenant. Outside of transactions.

    Where no tenant has the slug (the archive's if left out), one is made, with that isolation and on that server, as
    `provision()` would. Otherwise the rows go into the tenant that has it, and nobody else writes there meanwhile:
    those that it has already, by primary key, are refused, or replaced with `on_conflict="update"`. Keys are kept where
    they are free; with `remap` every row gets a new one, and so it does in tables that the archive's own tenant shares:
    its keys are kept for it. The archive's tenant has to be the one with that slug, unless the slug is given.

    One transaction: raises `ArchiveRefused` with nothing changed. A process that was killed is followed by another
    call with the same arguments.
    """
    if on_conflict not in (REFUSE, UPDATE):
        raise ArchiveRefused(f"On conflict rows are refused or updated, not {on_conflict!r}.")
    file = Path(path).absolute()
    checked = check(file, trust_unsigned=trust_unsigned)
    found = interrupted(IMPORT, slug or checked.manifest["tenant"]["slug"])
    if found is not None and found.arguments["sha256"] == checked.digest:
        return run_loading(IMPORT, jobs.take_up(IMPORT, found), STEPS, progress)
    wanted = _wanted(checked, slug, isolation, database)
    arguments = {
        **wanted["arguments"],
        "file": str(file),
        "sha256": checked.digest,
        "on_conflict": on_conflict,
        "remap": remap or _shares_tables(checked, wanted),
        "trust_unsigned": trust_unsigned,
        "is_new": wanted["tenant"] is None,
        "files": bool(checked.stored.names.get(STORE)),
    }
    if wanted["tenant"] is not None and not remap:
        refuse_unknown(checked, wanted["tenant"])
    check_slug = partial(refuse_slug, wanted["slug"]) if wanted["tenant"] is None else _nothing
    job = jobs.begin(IMPORT, wanted["slug"], arguments, check_slug, tenant=wanted["tenant"])
    return run_loading(IMPORT, job, STEPS, progress)


@unscoped(reason="importing a tenant", rows_only=True)
def resume_import(uid: UUID | str, *, progress: jobs.Progress | None = None) -> Job:
    """Go on with an import that was interrupted. Raises `ArchiveRefused` where there is none of that uid."""
    return run_loading(IMPORT, jobs.take_up(IMPORT, jobs.find(IMPORT, uid)), STEPS, progress)


@unscoped(reason="importing a tenant", rows_only=True)
def prepare(
    path: str | Path,
    slug: str | None = None,
    *,
    trust_unsigned: bool = False,
    isolation: str | None = None,
    database: str | None = None,
) -> dict[str, Any]:
    """What an import would do: into which tenant, how many rows by model, and how many seconds it takes, about. Raises
    what it would raise before it writes."""
    checked = check(Path(path).absolute(), trust_unsigned=trust_unsigned)
    wanted = _wanted(checked, slug, isolation, database)
    rows = checked.rows()
    return {
        "slug": wanted["slug"],
        "is_new": wanted["tenant"] is None,
        "signed_here": checked.is_ours,
        "rows": rows,
        "seconds": round(sum(rows.values()) / RATE, 1),
    }


def interrupted(kind: jobs.Kind, slug: str) -> Job | None:
    """The job that made the tenant of that slug, and was not finished."""
    jobs_of = Job.objects.filter(kind=kind.name, slug=slug, tenant__slug=slug)
    return jobs_of.exclude(state__in=ENDED).exclude(arguments__is_new=False).first()


def _wanted(checked: Checked, slug: str | None, isolation: str | None, database: str | None) -> dict[str, Any]:
    about = checked.manifest["tenant"]
    wanted_slug = slug or about["slug"]
    found = get_tenant_model()._base_manager.filter(slug=wanted_slug).exclude(status=TenantStatus.ERASED).first()
    if found is None:
        arguments = _arguments(checked, wanted_slug, isolation, database)
        return {"slug": wanted_slug, "tenant": None, "arguments": arguments}
    if slug is None and str(found.uid) != about["uid"]:
        raise ArchiveRefused(
            f"The slug {wanted_slug!r} is that of another tenant than the archive's. Say `--as {wanted_slug}` to load "
            "the rows into it all the same, or `--as` with a free slug."
        )
    if isolation is not None or database is not None:
        raise ArchiveRefused(f"The tenant {wanted_slug!r} is there, so where it lives is not chosen now.")
    if found.status not in (TenantStatus.ACTIVE, TenantStatus.MAINTENANCE, TenantStatus.SUSPENDED):
        raise ArchiveRefused(f"The tenant {wanted_slug!r} is {found.status}, and takes no rows.")
    return {"slug": wanted_slug, "tenant": found, "arguments": {}}


def _shares_tables(checked: Checked, wanted: dict[str, Any]) -> bool:
    """Whether the archive's tenant is another one, and lives in the same tables: a key that is free there now may be
    that of a row that it lost, and is to come back."""
    living = get_tenant_model()._base_manager.exclude(status=TenantStatus.ERASED).filter(isolation=TenantIsolation.ROW)
    original = living.filter(uid=checked.manifest["tenant"]["uid"]).first()
    target = wanted["tenant"]
    isolation = wanted["arguments"]["isolation"] if target is None else target.isolation
    return original is not None and original != target and isolation == TenantIsolation.ROW


def _arguments(checked: Checked, slug: str, isolation: str | None, database: str | None) -> dict[str, Any]:
    about = checked.manifest["tenant"]
    try:
        plan = prepare_provision(
            slug, about["name"], plan=about["plan"], settings=about["settings"], isolation=isolation, database=database
        )
    except ProvisioningRefused as error:
        raise ArchiveRefused(str(error)) from error
    return plan.arguments


def refuse_slug(slug: str) -> None:
    """Raise `ArchiveRefused` where a tenant has the slug, or had it until lately."""
    try:
        refuse_taken(slug, "")
    except ProvisioningRefused as error:
        raise ArchiveRefused(str(error)) from error


def _nothing() -> None: ...


def run_loading(kind: jobs.Kind, job: Job, steps: dict[str, jobs.Step], progress: jobs.Progress | None = None) -> Job:
    """Run a job that loads rows. Until its step `load` is done there is nothing to go on with: what fails is raised as
    it is, and the job given up. What comes after it is resumed."""
    _progress[job.uid] = progress
    try:
        return jobs.run(kind, job, steps)
    except JobFailed as error:
        if "load" in Job.objects.get(pk=job.pk).steps_done or error.__cause__ is None:
            raise
        take_files_back(job)
        fencing.give_up(job)
        Job.objects.filter(pk=job.pk).update(state=JobState.GIVEN_UP)
        give_place_back(job)
        raise error.__cause__ from None
    finally:
        _progress.pop(job.uid, None)
        _files.pop(job.uid, None)


#: Who is told how far the jobs of this process are.
_progress: dict[Any, jobs.Progress | None] = {}
#: The files that this process wrote, by job.
_files: dict[Any, Files] = {}


def keep_files(job: Job, files: Files) -> None:
    """Remember which files a job writes, until it is known whether its rows stay."""
    _files[job.uid] = files


def take_files_back(job: Job) -> None:
    """Delete the files that were written for rows that did not come to stay."""
    with unscoped(reason=f"files of {job.slug}", rows_only=True):
        if (files := _files.pop(job.uid, None)) is not None:
            files.take_back()
        elif "uid" in job.result:
            sweep(UUID(job.result["uid"]))


def _checked(job: Job) -> Checked:
    checked = check(Path(job.arguments["file"]), trust_unsigned=job.arguments["trust_unsigned"])
    if checked.digest != job.arguments["sha256"]:
        raise ArchiveRefused(f"The archive {job.arguments['file']} is another one than when this was begun.")
    return checked


def load(job: Job) -> None:
    """Make the tenant, if it is new, and load all rows."""
    checked, wanted = _checked(job), job.arguments
    wish = Wish(wanted["remap"], wanted["on_conflict"], wanted["is_new"])
    source = FromArchive(checked) if wanted.get("files") else None
    load_into(job, checked, wish, source)
    job.result["stores"] = {name: len(found) for name, found in checked.stored.names.items() if name != STORE}
    job.result["notes"] += [f"{name} is no store here; what it had was left out." for name in checked.stored.unknown()]


def load_into(job: Job, checked: Checked, wish: Wish, source: Source | None = None) -> None:
    """Load the rows of an archive and the files of `source` into the tenant of a job, which is made if it is new. In a
    transaction."""
    _announce(tenant_importing, job)
    if wish.is_new:
        make_tenant(job)
    with unscoped(reason=f"importing {job.slug}", rows_only=True):
        ground = Ground(job.tenant)
        found = Load(checked, ground, wish, _progress.get(job.uid), source)
        keep_files(job, found.files)
        fencing.work_inside(ground)
        loaded = found.run()
    of = checked.manifest["tenant"]["uid"]  # as a digest: it would be left when that tenant is erased
    job.result = {**job.result, **loaded.described(), "sha256": checked.digest, "of": digest_of(of)}


def _has_stores(job: Job) -> bool:
    return bool(job.result.get("stores"))


@jobs.only_if(_has_stores)
@jobs.outside_transactions
def load_files(job: Job) -> None:
    """Hand stores what the archive has for them. Outside of transactions, when the rows are there."""
    checked = _checked(job)
    with tenant_context(None), opened(checked.path) as entries:
        job.result["stores"] = load_stores(job.tenant, checked.stored, again(checked, entries))


def finish(job: Job) -> None:
    """Let a new tenant work, and say so."""
    if job.arguments.get("is_new", True):
        change_status(job.tenant, TenantStatus.ACTIVE, [TenantStatus.PROVISIONING])
    _announce(tenant_imported, job)


STEPS: dict[str, jobs.Step] = {
    "make_place": make_place,
    "choose_uid": choose_uid,
    **fencing.SHUT,
    "load": load,
    **fencing.OPEN,
    "load_files": load_files,
    "finish": finish,
}


def give_place_back(job: Job) -> None:
    """A place that was made for a tenant that there is not is ready for another."""
    isolation = job.arguments.get("isolation", TenantIsolation.ROW)
    if job.arguments.get("is_new", True) and isolation != TenantIsolation.ROW:
        with unscoped(reason=f"place of {job.slug}"):
            made = Place.objects.filter(pk=job.uid, state=PlaceState.MAKING).exclude(migrations="")
            taken = Place.objects.filter(pk=job.result.get("uid"), state=PlaceState.TAKEN)
            for places in (made, taken):
                places.update(state=PlaceState.READY)


def _announce(signal: Any, job: Job) -> None:
    with contained("signal of an import"), tenant_context(None):
        signal.send(sender=get_tenant_model(), tenant=job.tenant, job=job)
