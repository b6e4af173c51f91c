"""Archives that a tenant asks for itself: a web process leaves the job, and `run_archives` does it.

The files lie in TENANTKIT_ARCHIVE_FOLDER, under the tenant's uid and the job's, and are found through the job alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from ...conf import conf
from ...context import unscoped
from ...exceptions import ArchiveRefused, JobFailed
from ...fields import uuid7
from ...models import ENDED, Job, JobState
from ...sql import archives as sql
from .. import jobs
from .before import refuse_unknown
from .checking import check
from .exporting import EXPORT, resume_export
from .files import STORE
from .importing import IMPORT, resume_import
from .loading import UPDATE

#: What tenants ask for.
KINDS = (EXPORT.name, IMPORT.name)


@unscoped(reason="a tenant asks for its archive", rows_only=True)
def ask_export(tenant: Any, *, files: bool = False) -> Job:
    """Leave a job that exports the tenant, with the files that its rows name if those are wanted, `waiting`. Raises
    `ArchiveRefused` while another one is unfinished."""
    arguments = {"file": str(_folder(tenant) / f"{uuid7().hex}.tar.gz"), "encrypt": False, "files": files}
    return _leave(EXPORT, tenant, arguments)


@unscoped(reason="a tenant loads its archive", rows_only=True)
def ask_import(tenant: Any, chunks: Iterable[bytes]) -> Job:
    """Keep an archive of the tenant's own, and leave a job that replaces its rows by those in it, `waiting`. Raises
    `ArchiveRefused` for any other archive, for one that this deployment did not sign, and while another job is
    unfinished."""
    file = _folder(tenant) / f"{uuid7().hex}.upload"
    try:
        with open(file, "xb") as kept:
            kept.writelines(chunks)
        checked = check(file)
        if checked.manifest["tenant"]["uid"] != str(tenant.uid):
            raise ArchiveRefused("The archive is another tenant's.")
        arguments = {
            "file": str(file),
            "sha256": checked.digest,
            "on_conflict": UPDATE,
            "remap": False,
            "trust_unsigned": False,
            "is_new": False,
            "files": bool(checked.stored.names.get(STORE)),
        }
        refuse_unknown(checked, tenant)
        return _leave(IMPORT, tenant, arguments)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def asked(tenant: Any) -> list[Job]:
    """The archives that the tenant asked for, the latest first."""
    folder = str(_folder(tenant))
    with unscoped(reason="archives of a tenant", rows_only=True):
        found = Job.objects.filter(tenant=tenant, kind__in=KINDS, arguments__file__startswith=f"{folder}/")
        return list(found.order_by("-created_at"))


def file_of(job: Job) -> Path | None:
    """The archive that an export wrote, if it is done, still there, and not too old."""
    file = Path(job.arguments["file"])
    return file if is_done(job) and expires_at(job) > timezone.now() and file.is_file() else None


def is_done(job: Job) -> bool:
    """Whether a job wrote an archive."""
    return bool(job.kind == EXPORT.name and job.state == JobState.DONE)


def expires_at(job: Job) -> datetime:
    """Until when the archive of a job can be fetched."""
    until: datetime = job.updated_at + timedelta(days=conf.ARCHIVE_DAYS)
    return until


def left() -> QuerySet[Job]:
    """The jobs that wait, and those whose process ended in the middle, the oldest first."""
    wanted = Q(state=JobState.WAITING)
    if conf.ARCHIVE_FOLDER is not None:  # others are the operators' own
        begun = [JobState.RUNNING, JobState.FAILED]
        wanted |= Q(state__in=begun, arguments__file__startswith=f"{_root()}/")
    return Job.objects.filter(wanted, kind__in=KINDS).order_by("created_at")


@unscoped(reason="archives that tenants asked for", rows_only=True)
def run_waiting() -> tuple[list[Job], dict[str, str]]:
    """Do what is left, the oldest first, and remove archives that are too old. Returns the jobs that are done, and what
    was said of others, by slug. What another process is at is left to it."""
    done, failed = [], {}
    for job in left():
        with _alone(job) as mine:
            if mine and left().filter(pk=job.pk).exists():
                try:
                    done.append(resume_export(job.uid) if job.kind == EXPORT.name else resume_import(job.uid))
                except (ArchiveRefused, JobFailed) as error:
                    failed[job.slug] = str(error)
    remove_old()
    return done, failed


def remove_old() -> list[Path]:
    """Remove what was asked for and is too old, and archives that were loaded; which files those were."""
    if conf.ARCHIVE_FOLDER is None:
        return []
    needed = set(Job.objects.exclude(state__in=ENDED).filter(kind__in=KINDS).values_list("arguments__file", flat=True))
    oldest = (timezone.now() - timedelta(days=conf.ARCHIVE_DAYS)).timestamp()
    loaded = set(Job.objects.filter(kind=IMPORT.name, state__in=ENDED).values_list("arguments__file", flat=True))
    removed = []
    for file in Path(_root()).glob("*/*"):
        if str(file) not in needed and (str(file) in loaded or file.stat().st_mtime < oldest):
            file.unlink(missing_ok=True)
            removed.append(file)
    return removed


@contextmanager
def _alone(job: Job) -> Iterator[bool]:
    """Whether nobody else is at a job; then nobody else is until the end of the block."""
    connection: Any = connections.create_connection(router.db_for_write(Job))
    try:
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            cursor.execute(sql.ALONE, [str(job.uid)])
            mine: bool = cursor.fetchone()[1]
        yield mine
    finally:
        connection.close()


def _leave(kind: jobs.Kind, tenant: Any, arguments: dict[str, Any]) -> Job:
    """A job that waits from the moment at which it can be seen."""
    with transaction.atomic(using=router.db_for_write(Job)):
        job = jobs.begin(kind, tenant.slug, arguments, lambda: None, tenant=tenant)
        job.state = JobState.WAITING
        job.save(update_fields=["state", "updated_at"])
    return job


def _root() -> str:
    return str(Path(conf.ARCHIVE_FOLDER or "").absolute())


def _folder(tenant: Any) -> Path:
    if conf.ARCHIVE_FOLDER is None:
        raise ArchiveRefused("Archives that tenants ask for have no place. Name a folder in TENANTKIT_ARCHIVE_FOLDER.")
    folder: Path = Path(_root()) / tenant.uid.hex
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
