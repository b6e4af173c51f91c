"""`export_tenant SLUG FILE`, `export_tenant --resume JOB`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.archive.exporting import export_tenant, prepare, resume_export
from ..base import WRONG_USE, TenantCommand, one_tenant, rows_as_text


class Command(TenantCommand):
    """Write all that belongs to a tenant to a file."""

    help = "Write an archive of a tenant: one file with all that belongs to it. A name in .gz or .tgz is compressed."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant.")
        parser.add_argument("file", nargs="?", help="The file; it must not be there yet.")
        parser.add_argument("--files", action="store_true", help="Take along the files that rows name.")
        parser.add_argument("--encrypt", action="store_true", help="Encrypt it, as TENANTKIT_ARCHIVE_CIPHER says.")
        parser.add_argument("--resume", metavar="JOB", help="Do the export of this uid again.")

    def work(self, options: dict[str, Any]) -> None:
        slug, file, job = options["slug"], options["file"], options["resume"]
        if (file is None) == (job is None):
            raise CommandError("Name either SLUG and FILE or --resume JOB.", returncode=WRONG_USE)
        if job is not None:
            return self._show(resume_export(job, progress=self.progress()))
        tenant = one_tenant(slug)
        if options["dry_run"]:
            found = prepare(tenant, file)
            text = f"Would write {sum(found['rows'].values())} rows to {file}, in about {found['seconds']} s."
            return self.show({"dry_run": True, **found}, f"{text}\n{rows_as_text(found['rows'])}")
        wanted = {key: options[key] for key in ("files", "encrypt")}
        self._show(export_tenant(tenant, file, progress=self.progress(), **wanted))

    def _show(self, job: Any) -> None:
        data = {"slug": job.slug, "file": job.arguments["file"], "job": str(job.uid), **job.result}
        rows = sum(job.result["rows"].values())
        files = f" and {data['files']} files" if data["files"] else ""
        text = f"{job.slug}: {rows} rows{files} in {data['file']} ({data['bytes']} bytes, sha256 {data['sha256']})."
        self.show(data, "\n".join([text, *(f"  {note}" for note in data["notes"])]))
