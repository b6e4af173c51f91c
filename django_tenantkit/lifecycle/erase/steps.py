"""The steps of erasing. Those between `announce` and `search` are safe to repeat."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ...context import tenant_context, unscoped
from ...exceptions import TenantRemains
from ...models import Job, TenantIsolation, TenantStatus
from ...signals import tenant_erased, tenant_erasing
from .. import jobs
from ..reach import own_tables, shared_tables
from ..stores import paths, store_of, stores
from ..suspend import change_status
from ..sweeping import sweep
from .certificate import certificate_of
from .homes import drop_homes, fence_off, homes_of, lift_fences, shards_of
from .keeping import keeps_rows
from .rows import count_erased, delete_rows, kept
from .search import search
from .shared import count_naming, delete_naming, delete_pointers, empty_jobs
from .tombstone import domains_of, leave_tombstone
from .users import make_nobody

#: Any tenant that works, or does not; one that is erased is refused before.
_LOCKABLE = [status for status in TenantStatus if status != TenantStatus.ERASED]


def operator() -> unscoped:
    """Steps run inside the tenant: what they do with shared rows is an operator's."""
    return unscoped(reason="erasing a tenant", rows_only=True)


def lock(job: Job, grace: timedelta) -> None:
    """Let nobody into the tenant any more, and say until when it can come back."""
    with operator():
        tenant = job.tenant
        before = type(tenant)._base_manager.get(pk=tenant.pk).status
        change_status(tenant, TenantStatus.ERASING, _LOCKABLE, reason="to be erased")
        now = timezone.now()
        job.result |= {"before": str(before), "since": now.isoformat(), "until": (now + grace).isoformat()}


def wait(job: Job, now: bool) -> None:
    """Let the grace pass."""
    end = parse_datetime(job.result["until"])
    if not now and end is not None and timezone.now() < end:
        raise jobs.Wait


def announce(job: Job) -> None:
    """Send `tenant_erasing`."""
    with tenant_context(None):
        tenant_erasing.send(sender=type(job.tenant), tenant=job.tenant)


def repeatable() -> dict[str, jobs.Step]:
    """The steps that take things away, by name."""
    found = {f"store {path}": EraseStore(path) for path in paths() if store_of(path).takes_part("erase")}
    return {
        "fence": fence,
        "count": count,
        **{name: jobs.outside_transactions(step) for name, step in found.items()},
        "pointers": pointers,
        "users": users,
        "rows": rows,
        "shared rows": shared_rows,
        "homes": homes,
        "copies": copies,
        "tombstone": tombstone,
    }


@jobs.outside_transactions
def fence(job: Job) -> None:
    """From here on the database refuses what others write as the tenant."""
    with operator():
        fence_off(job.tenant)


@jobs.outside_transactions
def count(job: Job) -> None:
    """Count what there is, for the certificate; what came after an earlier count is added to that."""
    with operator():
        tenant, result = job.tenant, job.result
        for name, found in (("rows", count_erased(tenant)), ("shared_rows", count_naming(tenant))):
            result[name] = dict(Counter(result.get(name, {})) + Counter(found))
        result["homes"] = sorted({*result.get("homes", ()), *homes_of(tenant)} if not keeps_rows() else ())
        result["shards"] = sorted({*result.get("shards", ()), *shards_of(tenant)})
        result["domains"] = sorted({*result.get("domains", ()), *domains_of(tenant)})
        result.setdefault("isolation", tenant.isolation)
        result["stores"] = [store.name for store in stores() if store.takes_part("erase")]


@dataclass(frozen=True)
class EraseStore:
    """The step of one store, by its dotted path."""

    path: str

    def __call__(self, job: Job) -> None:
        store_of(self.path).erase(job.tenant)


@jobs.outside_transactions
def pointers(job: Job) -> None:
    """Shared rows that refer to the tenant's rows."""
    with operator():
        delete_pointers(job.tenant)


def users(job: Job) -> None:
    """Members who are in no other tenant, if that was asked for."""
    if job.arguments["users_too"]:
        with operator():
            job.result["users"] = job.result.get("users", 0) + make_nobody(job.tenant)


@jobs.outside_transactions
def rows(job: Job) -> None:
    """The tenant's rows, wherever they are; those in homes that are dropped as a whole go with them."""
    with operator():
        for tables in shared_tables():
            delete_rows(tables, job.tenant)
        for tables in own_tables(job.tenant.uid) if keeps_rows() else ():
            delete_rows(tables, job.tenant)


def shared_rows(job: Job) -> None:
    """Shared rows that name the tenant, and what its other jobs say."""
    with operator():
        delete_naming(job.tenant)
        empty_jobs(job)


@jobs.outside_transactions
def homes(job: Job) -> None:
    """The tenant's schemas and databases, unless rows in them are kept."""
    if not keeps_rows():
        with operator():
            drop_homes(job.tenant)


@jobs.outside_transactions
def copies(job: Job) -> None:
    """Copies of shared rows in a shard to which only the tenant's rows referred."""
    with operator():
        for server in job.result.get("shards", ()):
            sweep(server)


def tombstone(job: Job) -> None:
    """What stays of the tenant's row."""
    with operator():
        job.result["left_fields"] = leave_tombstone(job.tenant, job.result["domains"])
        job.tenant = type(job.tenant)._base_manager.get(pk=job.tenant.pk)


@jobs.outside_transactions
def search_left(job: Job) -> None:
    """Look for what is left. Raises `TenantRemains` where there is something."""
    with operator():
        found = search(job.tenant, job.result["domains"], in_texts=job.arguments["in_texts"])
        stays = kept(job.tenant)
    if found.remains:
        raise TenantRemains(f"Left of {job.slug!r}: {'; '.join(found.remains)}")
    job.result["found"] = {**asdict(found), "kept": stays}


@jobs.outside_transactions
def lift(job: Job) -> None:
    """Take the fences away where other tenants are: nobody is left to keep out. A home of the tenant's own keeps its
    fence for good, or is no more."""
    if job.result["isolation"] != TenantIsolation.ROW:
        return
    with operator():
        lift_fences(job.tenant, parse_datetime(job.result["since"]) or timezone.now())


def certify(job: Job) -> None:
    """Write the certificate into the job, and send `tenant_erased`."""
    with operator():
        found = job.result.pop("found")
        left = {
            "kept": found["kept"],
            "fields_not_emptied": job.result.pop("left_fields"),
            "domains_reserved": len(job.result.pop("domains")),
            "searched": found["searched"],
            "mentions": found["mentions"],
            "not_searched": found["unsearched"],
        }
        certificate = certificate_of(job, left)
        job.result = {"certificate": certificate}
    with tenant_context(None):
        tenant_erased.send(sender=type(job.tenant), tenant=job.tenant, certificate=certificate)
