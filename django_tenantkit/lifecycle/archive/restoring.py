"""`restore_tenant`: rows of a tenant as they were, out of an archive or of a database restored from a backup.

The rows as they were are loaded into temporary tables beside those of today, and compared by model and row, under the
keys that they had. Whoever wants to walk about in the past has it made beside, as a tenant: `restore_beside()`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connections, router, transaction

from ...context import contained, tenant_context, unscoped
from ...exceptions import ArchiveRefused
from ...models import AbstractTenant, Job
from ...signals import tenant_restored, tenant_restoring
from ...sql import archives as sql
from .. import jobs
from . import fencing
from .checking import Checked, check
from .cloning import clone_tenant, ground_in
from .exporting import write_archive
from .importing import IMPORT, import_tenant, interrupted, keep_files, refuse_slug, run_loading
from .loading import UPDATE, Load, Wish, refusals
from .sources import FromArchive
from .tables import Ground, Table

RESTORE = jobs.Kind("restore", "restore_tenant", ArchiveRefused)

#: What stands for all models in `apply`.
ALL = "all"
#: How many rows of a model are shown.
SHOWN = 100


@dataclass
class Difference:
    """How a model's rows differ from what they were: `missing` ones were there, `new` ones were not. `rows` shows some:
    key, which of the three, the columns that differ, and the row today and as it was."""

    label: str
    missing: int = 0
    new: int = 0
    changed: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """As JSON has it."""
        counted = {"missing": self.missing, "new": self.new, "changed": self.changed}
        return {"model": self.label, **counted, "rows": self.rows}


@unscoped(reason="comparing a tenant with what it was", rows_only=True)
def compare(
    tenant: AbstractTenant,
    source: str | Path,
    *,
    files: bool = False,
    trust_unsigned: bool = False,
    shown: int = SHOWN,
) -> list[Difference]:
    """How the tenant differs from what it was, by model, without those that do not. `source` is an archive, or an entry
    of DATABASES with a backup. With `files` a row differs whose file is gone or another one. Changes nothing. Outside
    of transactions. Raises `ArchiveRefused`."""
    _refuse_files(source, files)
    with _archive(tenant, source) as file, _undone():
        return _Past(tenant, file, trust_unsigned, files).differences(shown)


@unscoped(reason="restoring a tenant", rows_only=True)
def restore_tenant(
    tenant: AbstractTenant,
    source: str | Path,
    apply: Iterable[str],
    *,
    files: bool = False,
    trust_unsigned: bool = False,
) -> Job:
    """Make the rows of the models in `apply` (`app.Model`, or "all") what they were, and return the finished job, whose
    result says what differed. With a model go the tables of its many-to-many fields, its parents and its children in
    inheritance. Other models' rows and other tenants' stay as they are. With `files` an archive's files come back
    that are gone or others by now; none is overwritten. Nobody else writes rows of the tenant meanwhile.

    One transaction: raises `ArchiveRefused` with nothing changed, also where rows of other models refer to what would
    be gone. A process that was killed is followed by another call with the same arguments.
    """
    _refuse_files(source, files)
    arguments = {
        "source": str(source),
        "apply": sorted(set(apply)),
        "files": files,
        "trust_unsigned": trust_unsigned,
        "is_new": False,
    }
    return _run(jobs.begin(RESTORE, tenant.slug, arguments, lambda: None, tenant=tenant))


@unscoped(reason="restoring a tenant", rows_only=True)
def resume_restore(uid: UUID | str) -> Job:
    """Go on with what was interrupted. Raises `ArchiveRefused` where there is none of that uid."""
    return _run(jobs.take_up(RESTORE, jobs.find(RESTORE, uid)))


@unscoped(reason="restoring a tenant", rows_only=True)
def restore_beside(
    tenant: AbstractTenant,
    source: str | Path,
    slug: str,
    *,
    trust_unsigned: bool = False,
    isolation: str | None = None,
    database: str | None = None,
    progress: jobs.Progress | None = None,
) -> Job:
    """Make a second tenant of what the tenant was, to walk about in, and return the finished job; `job.tenant` is that
    one. It lives as the tenant does, if nothing else is said, and is erased as any other. The tenant itself is not
    touched. Raises `ArchiveRefused` with nothing changed. A process that was killed is followed by another call with
    the same arguments."""
    where: dict[str, Any] = {"isolation": isolation or tenant.isolation, "database": database, "progress": progress}
    if not _is_file(str(source)):
        return clone_tenant(tenant, slug, backup=str(source), **where)
    _refuse_anothers(check(Path(source).absolute(), trust_unsigned=trust_unsigned), tenant)
    if interrupted(IMPORT, slug) is None:
        refuse_slug(slug)
    return import_tenant(source, slug, trust_unsigned=trust_unsigned, **where)


def _refuse_files(source: str | Path, files: bool) -> None:
    if files and not _is_file(str(source)):
        raise ArchiveRefused(f"DATABASES[{str(source)!r}] has no files. Leave --files out.")


def _refuse_anothers(checked: Checked, tenant: Any) -> None:
    if checked.manifest["tenant"]["uid"] != str(tenant.uid):
        raise ArchiveRefused(
            f"The archive is of the tenant {checked.manifest['tenant']['slug']!r}, not of {tenant.slug!r}. "
            "`import_tenant` loads it as another one."
        )


def _run(job: Job) -> Job:
    try:
        return run_loading(RESTORE, job, STEPS)
    finally:
        _file(job).unlink(missing_ok=True)


@jobs.outside_transactions
def take_backup(job: Job) -> None:
    """Write what a restored database has of the tenant to a file: a transaction of its own reads it."""
    if not _is_file(job.arguments["source"]):
        with unscoped(reason=f"backup of {job.slug}", rows_only=True):
            _take(job.tenant, job.arguments["source"], _file(job))


def put_back(job: Job) -> None:
    """Make rows what they were."""
    source, wanted = job.arguments["source"], job.arguments
    with unscoped(reason=f"restoring {job.slug}", rows_only=True):
        file = Path(source) if _is_file(source) else _file(job)
        past = _Past(job.tenant, file, wanted["trust_unsigned"], wanted["files"])
        keep_files(job, past.load.files)
        fencing.work_inside(past.load.ground)
        chosen = past.chosen(wanted["apply"])
        _announce(tenant_restoring, job)
        differences = past.differences(0, chosen)
        past.put_back(chosen)
    job.result |= {"applied": sorted(chosen), "differences": [one.described() for one in differences]}
    job.result["notes"] = past.load.loaded.notes
    _announce(tenant_restored, job, difference=differences)


def _announce(signal: Any, job: Job, **more: Any) -> None:
    with contained("signal of a restore"), tenant_context(None):
        signal.send(sender=type(job.tenant), tenant=job.tenant, job=job, **more)


STEPS: dict[str, jobs.Step] = {"take_backup": take_backup, **fencing.SHUT, "load": put_back, **fencing.OPEN}


class _Past:
    """A tenant's rows as they were, beside those of today. In a transaction."""

    def __init__(self, tenant: Any, file: Path, trust_unsigned: bool, files: bool) -> None:
        checked = check(file.absolute(), trust_unsigned=trust_unsigned)
        _refuse_anothers(checked, tenant)
        self.tenant = tenant
        source = FromArchive(checked) if files else None
        self.load = Load(checked, Ground(tenant), Wish(on_conflict=UPDATE, is_new=False), None, source)
        with refusals("The archive"):
            self.load.stage()
            self.load.keys.make()
            self.load.match()
            self.load.name_files()
            for place, (table, given) in enumerate(self.load.tables.values()):
                self._make(place, table, given)

    def _make(self, place: int, table: Table, given: dict[str, Any]) -> None:
        rows = self.load.keys.insertion(place, table, given, {}).rows()
        with table.spot.connection.cursor() as cursor:
            cursor.execute(sql.make_past(place, rows))
            if self.load.lacking(place, table, given, cursor.rowcount):
                raise ArchiveRefused(f"Rows of {table.label} refer to shared rows that are not here.")
            cursor.execute(f"ANALYZE {sql.past(place)}")

    def _compared(self) -> Iterator[tuple[str, Table, dict[str, Any], sql.Compared]]:
        for place, (label, (table, given)) in enumerate(self.load.tables.items()):
            columns = [(one.name, one.as_text) for one in table.columns.values() if one.name in given["columns"]]
            names = (table.name, sql.past(place), table.key, table.tenant)
            yield label, table, given, sql.Compared(*names, columns, self.tenant.pk)

    def differences(self, shown: int, labels: Iterable[str] | None = None) -> list[Difference]:
        """What differs, of these models or all."""
        found = []
        for label, table, _, compared in self._compared():
            with table.spot.connection.cursor() as cursor:
                cursor.execute(sql.count_differences(compared))
                if (labels is None or label in labels) and (counted := dict(cursor.fetchall())):
                    one = Difference(label, **counted)
                    if shown:
                        cursor.execute(sql.list_differences(compared, shown))
                        one.rows = [_shown(*row) for row in cursor.fetchall()]
                    found.append(one)
        return found

    def chosen(self, apply: Iterable[str]) -> set[str]:
        """The tables of chosen models. Raises `ArchiveRefused` for what is none of them."""
        wanted = set(apply)
        if wanted == {ALL}:
            return set(self.load.tables)
        if unknown := sorted(wanted - set(self.load.tables)):
            raise ArchiveRefused(
                f"The archive has no rows of {', '.join(unknown)}. It has {', '.join(self.load.tables)}."
            )
        return {label for label, (table, _) in self.load.tables.items() if _goes_with(table.content.model, wanted)}

    def put_back(self, labels: set[str]) -> None:
        """Make rows of these tables what they were: first what is new is deleted, as it may have what is unique."""
        with refusals("The restored state"):
            found = [one for one in self._compared() if one[0] in labels]
            for _, table, _, compared in reversed(found):
                with table.spot.connection.cursor() as cursor:
                    cursor.execute(sql.delete_new(compared))
            for label, table, given, compared in found:
                with table.spot.connection.cursor() as cursor:
                    cursor.execute(sql.put_back(compared, self.load.keys.columns(table, given)))
                    if cursor.rowcount != self.load.checked.rows().get(label, 0):
                        raise ArchiveRefused(
                            f"Keys of rows of {label} are another tenant's by now. Import it as another."
                        )
            self.load.check_constraints()
        self.load.files.write(self.load.loaded.notes, labels)


def _shown(key: str, kind: str, columns: list[str], today: Any, past: Any) -> dict[str, Any]:
    """A row that differs. Django leaves JSON as text."""
    rows = {name: json.loads(row) if isinstance(row, str) else row for name, row in (("today", today), ("past", past))}
    return {"key": key, "is": kind, "columns": columns if kind == "changed" else [], **rows}


def _goes_with(model: Any, wanted: set[str]) -> bool:
    """Whether a table goes with one of these models: it is its own, that of a many-to-many field, a parent's, or a
    child's."""
    owner = model._meta.auto_created or model
    children = {one for one in apps.get_models() if owner in one._meta.all_parents}
    family = {model, owner, *owner._meta.all_parents, *children}
    return bool({one._meta.label for one in family} & wanted)


def _is_file(source: str) -> bool:
    return source not in connections.settings or Path(source).is_file()


def _file(job: Job) -> Path:
    return Path(tempfile.gettempdir()) / f"tenantkit-restore-{job.uid}.tar"


@contextmanager
def _archive(tenant: Any, source: str | Path) -> Iterator[Path]:
    """The file, or one that is made of what a restored database has."""
    if _is_file(str(source)):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="tenantkit-restore-") as folder:
        _take(tenant, str(source), Path(folder) / "past.tar")
        yield Path(folder) / "past.tar"


def _take(tenant: Any, alias: str, file: Path) -> None:
    write_archive(ground_in(tenant, alias), file, stored=False)


@contextmanager
def _undone() -> Iterator[None]:
    """Whatever happens inside is taken back."""
    with transaction.atomic(using=router.db_for_write(Job)):
        yield
        transaction.set_rollback(True, using=router.db_for_write(Job))
