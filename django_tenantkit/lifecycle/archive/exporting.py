"""`export_tenant`: an archive of a tenant in a file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from ...context import contained, tenant_context, unscoped
from ...exceptions import ArchiveRefused
from ...models import AbstractTenant, Job
from ...signals import tenant_exported, tenant_exporting
from .. import jobs
from . import sealing
from .container import CHECKSUMS, Entry
from .files import STORE
from .tables import Ground
from .taking import Mask, count, take

EXPORT = jobs.Kind("export", "export_tenant", ArchiveRefused, only_reads=True)

#: Rows that are written in a second, as far as is known before: for what `--dry-run` says.
RATE = 200_000

#: Endings of names of files that are compressed.
_COMPRESSED = (".gz", ".tgz")


@unscoped(reason="exporting a tenant")
def export_tenant(
    tenant: AbstractTenant,
    path: str | Path,
    *,
    files: bool = False,
    encrypt: bool = False,
    progress: jobs.Progress | None = None,
) -> Job:
    """Write all that belongs to the tenant to a file, as it is at one moment, and return the finished job. A name that
    ends in `.gz` or `.tgz` is compressed. With `files` come those that rows name. The tenant goes on working. Outside
    of transactions.

    The file is there when it is complete: until then it is called `.part`. Raises `ArchiveRefused` where shared rows
    that the tenant refers to cannot be named, while another job is unfinished on the tenant, and where the file is
    there already.
    """
    file = Path(path).absolute()
    _refuse_existing(file)
    if encrypt:
        sealing.cipher()
    arguments = {"file": str(file), "encrypt": encrypt, "files": files}
    job = jobs.begin(EXPORT, tenant.slug, arguments, lambda: None, tenant=tenant)
    return _run(job, progress)


@unscoped(reason="exporting a tenant")
def resume_export(uid: UUID | str, *, progress: jobs.Progress | None = None) -> Job:
    """Do an export again that was interrupted. Raises `ArchiveRefused` where there is none of that uid."""
    return _run(jobs.take_up(EXPORT, jobs.find(EXPORT, uid)), progress)


def _run(job: Job, progress: jobs.Progress | None) -> Job:
    _progress[job.uid] = progress
    try:
        return jobs.run(EXPORT, job, STEPS)
    finally:
        del _progress[job.uid]


#: Who is told how far the exports of this process are.
_progress: dict[Any, jobs.Progress | None] = {}


@jobs.outside_transactions
def write_file(job: Job) -> None:
    """Write the archive."""
    file = Path(job.arguments["file"])
    _announce(tenant_exporting, job)
    wanted = {"encrypt": job.arguments["encrypt"], "files": job.arguments.get("files", False)}
    entries, notes = write_archive(Ground(job.tenant), file, **wanted, progress=_progress.get(job.uid))
    job.result = {**described(entries, file), "notes": notes}


def announce(job: Job) -> None:
    """Send `tenant_exported`."""
    _announce(tenant_exported, job)


STEPS: dict[str, jobs.Step] = {"write_file": write_file, "announce": announce}


def described(entries: list[Entry], file: Path) -> dict[str, Any]:
    """What came of it, as the ledger has it: rows by model, the size, and what stands for all checksums."""
    rows: dict[str, int] = {}
    files = 0
    for entry in entries:
        part, _, rest = entry.name.partition("/")
        if part in ("data", "records"):
            rows[rest.partition("/")[0]] = rows.get(rest.partition("/")[0], 0) + entry.rows
        elif entry.name == f"stores/{STORE}/names.jsonl":
            files = entry.rows
    digest = next(entry.sha256 for entry in entries if entry.name == CHECKSUMS)
    return {"rows": rows, "files": files, "bytes": file.stat().st_size, "sha256": digest}


def write_archive(
    ground: Ground,
    file: Path,
    *,
    encrypt: bool = False,
    expressions: dict[str, dict[str, str]] | None = None,
    masks: Mask | None = None,
    files: bool = False,
    stored: bool = True,
    progress: jobs.Progress | None = None,
) -> tuple[list[Entry], list[str]]:
    """Write an archive to a file, and return what `take()` does. It has that name when it is complete; what fails
    leaves nothing. Only its owner may read it."""
    part = file.with_name(f"{file.name}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=1 << 20) as raw:
            stream: IO[bytes] = sealing.cipher().sealing(raw) if encrypt else raw  # type: ignore[assignment]
            compress = file.name.endswith(_COMPRESSED)
            entries = take(
                ground,
                stream,
                compress=compress,
                expressions=expressions,
                masks=masks,
                files=files,
                stored=stored,
                progress=progress,
            )
            if stream is not raw:
                stream.close()
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(part, file)
        return entries
    except OSError as error:
        raise ArchiveRefused(f"The archive cannot be written: {error.strerror or error}: {error.filename}.") from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            part.unlink()


def prepare(tenant: AbstractTenant, path: str | Path) -> dict[str, Any]:
    """What an export would do: the rows by model, and the seconds that takes, about. Raises what it would raise before
    it writes."""
    _refuse_existing(Path(path).absolute())
    rows = count(Ground(tenant))
    return {"file": str(path), "rows": rows, "seconds": round(sum(rows.values()) / RATE, 1)}


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise ArchiveRefused(f"There is a file {file} already. Name another one, or remove it.")


def _announce(signal: Any, job: Job) -> None:
    with contained("signal of an export"), tenant_context(None):
        signal.send(sender=type(job.tenant), tenant=job.tenant, job=job)
