"""Archives that a tenant asks for itself: a web process leaves the job, and `run_archives` does it.

The files lie in TENANTKIT_ARCHIVE_FOLDER, under the tenant's uid and the job's, and are found through the job alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...conf import conf
from ...context import unscoped
from ...exceptions import ArchiveRefused, JobFailed
from ...fields import uuid7
from ...models import Job, JobState
from .. import jobs
from .checking import check
from .exporting import EXPORT, resume_export
from .importing import IMPORT, resume_import
from .loading import UPDATE

#: What tenants ask for.
KINDS = (EXPORT.name, IMPORT.name)


@unscoped(reason="a tenant asks for its archive", rows_only=True)
def ask_export(tenant: Any) -> Job:
    """Leave a job that exports the tenant, `waiting`. Raises `ArchiveRefused` while another one is unfinished."""
    arguments = {"file": str(_folder(tenant) / f"{uuid7().hex}.tar.gz"), "encrypt": False}
    return _left(jobs.begin(EXPORT, tenant.slug, arguments, lambda: None, tenant=tenant))


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
        }
        return _left(jobs.begin(IMPORT, tenant.slug, arguments, lambda: None, tenant=tenant))
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
    """The archive that an export wrote, if it is done and still there."""
    file = Path(job.arguments["file"])
    return file if job.kind == EXPORT.name and job.state == JobState.DONE and file.is_file() else None


@unscoped(reason="archives that tenants asked for", rows_only=True)
def run_waiting() -> tuple[list[Job], dict[str, str]]:
    """Do what waits, the oldest first. Returns the jobs that are done, and what was said of others, by slug."""
    done, failed = [], {}
    for job in Job.objects.filter(kind__in=KINDS, state=JobState.WAITING).order_by("created_at"):
        try:
            done.append(resume_export(job.uid) if job.kind == EXPORT.name else resume_import(job.uid))
        except (ArchiveRefused, JobFailed) as error:
            failed[job.slug] = str(error)
        if job.kind == IMPORT.name:
            with suppress(FileNotFoundError):
                Path(job.arguments["file"]).unlink()
    return done, failed


def _left(job: Job) -> Job:
    job.state = JobState.WAITING
    job.save(update_fields=["state", "updated_at"])
    return job


def _folder(tenant: Any) -> Path:
    if conf.ARCHIVE_FOLDER is None:
        raise ArchiveRefused("Archives that tenants ask for have no place. Name a folder in TENANTKIT_ARCHIVE_FOLDER.")
    folder: Path = Path(conf.ARCHIVE_FOLDER).absolute() / tenant.uid.hex
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
