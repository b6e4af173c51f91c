"""`import_tenant`: a tenant out of an archive, or rows into one that is there. All or nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from ...context import contained, tenant_context, unscoped
from ...exceptions import ArchiveRefused, ProvisioningRefused
from ...models import Job, Place, PlaceState, TenantIsolation, TenantStatus, get_tenant_model
from ...signals import tenant_imported, tenant_importing
from .. import jobs
from ..claims import refuse_taken
from ..provision import prepare as prepare_provision
from ..steps import make_place, make_tenant
from ..suspend import change_status
from .checking import Checked, check
from .loading import REFUSE, UPDATE, Load, Wish
from .tables import Ground

IMPORT = jobs.Kind("import", "import_tenant", ArchiveRefused, only_reads=True)

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
    `provision()` would. Otherwise the rows go into the tenant that has it: those that it has already, by primary key,
    are refused, or replaced with `on_conflict="update"`. Keys are kept where they are free; with `remap` every row gets
    a new one. The archive's tenant has to be the one with that slug, unless the slug is given.

    One transaction: raises `ArchiveRefused` with nothing changed. A process that was killed is followed by another
    call with the same arguments.
    """
    if on_conflict not in (REFUSE, UPDATE):
        raise ArchiveRefused(f"On conflict rows are refused or updated, not {on_conflict!r}.")
    file = Path(path).absolute()
    checked = check(file, trust_unsigned=trust_unsigned)
    wanted = _wanted(checked, slug, isolation, database)
    arguments = {
        **wanted["arguments"],
        "file": str(file),
        "sha256": checked.digest,
        "on_conflict": on_conflict,
        "remap": remap,
        "trust_unsigned": trust_unsigned,
        "is_new": wanted["tenant"] is None,
    }
    check_slug = partial(refuse_slug, wanted["slug"]) if wanted["tenant"] is None else _nothing
    job = jobs.begin(IMPORT, wanted["slug"], arguments, check_slug, tenant=wanted["tenant"])
    return _run(job, progress)


@unscoped(reason="importing a tenant", rows_only=True)
def resume_import(uid: UUID | str, *, progress: jobs.Progress | None = None) -> Job:
    """Go on with an import that was interrupted. Raises `ArchiveRefused` where there is none of that uid."""
    return _run(jobs.take_up(IMPORT, jobs.find(IMPORT, uid)), progress)


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


def _run(job: Job, progress: jobs.Progress | None) -> Job:
    _progress[job.uid] = progress
    try:
        return jobs.run(IMPORT, job, STEPS)
    except Exception:
        give_place_back(job)
        raise
    finally:
        del _progress[job.uid]


#: Who is told how far the imports of this process are.
_progress: dict[Any, jobs.Progress | None] = {}


def load(job: Job) -> None:
    """Make the tenant, if it is new, and load all rows."""
    wanted = job.arguments
    checked = check(Path(wanted["file"]), trust_unsigned=wanted["trust_unsigned"])
    if checked.digest != wanted["sha256"]:
        raise ArchiveRefused(f"The archive {wanted['file']} is another one than when this was begun.")
    load_into(job, checked, Wish(wanted["remap"], wanted["on_conflict"], wanted["is_new"]), _progress.get(job.uid))


def load_into(job: Job, checked: Checked, wish: Wish, progress: jobs.Progress | None) -> None:
    """Load an archive into the tenant of a job, which is made and let work if it is new. In a transaction."""
    _announce(tenant_importing, job)
    if wish.is_new:
        make_tenant(job)
    with unscoped(reason=f"importing {job.slug}", rows_only=True):
        loaded = Load(checked, Ground(job.tenant), wish, progress).run()
    job.result = {**loaded.described(), "sha256": checked.digest}
    if wish.is_new:
        change_status(job.tenant, TenantStatus.ACTIVE, [TenantStatus.PROVISIONING])
    _announce(tenant_imported, job)


STEPS: dict[str, jobs.Step] = {"make_place": make_place, "load": load}


def give_place_back(job: Job) -> None:
    """A place that was made for a tenant that there is not is ready for another."""
    isolation = job.arguments.get("isolation", TenantIsolation.ROW)
    if job.arguments.get("is_new", True) and isolation != TenantIsolation.ROW:
        with unscoped(reason=f"place of {job.slug}"):
            made = Place.objects.filter(pk=job.uid, state=PlaceState.MAKING).exclude(migrations="")
            made.update(state=PlaceState.READY)


def _announce(signal: Any, job: Job) -> None:
    with contained("signal of an import"), tenant_context(None):
        signal.send(sender=get_tenant_model(), tenant=job.tenant, job=job)
