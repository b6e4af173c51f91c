"""`import_tenant FILE [--as SLUG]`, `import_tenant --resume JOB`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.archive.importing import import_tenant, prepare, resume_import
from ..base import WRONG_USE, TenantCommand, rows_as_text


class Command(TenantCommand):
    """Load an archive."""

    help = "Make a tenant from an archive, or load its rows into one that is there. All or nothing."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="The archive.")
        parser.add_argument("--as", dest="slug", metavar="SLUG", help="The tenant; the archive's own if left out.")
        parser.add_argument(
            "--on-conflict",
            choices=["refuse", "update"],
            default="refuse",
            help="What becomes of rows that the tenant has already.",
        )
        parser.add_argument("--remap", action="store_true", help="Give every row a new key.")
        parser.add_argument("--trust-unsigned", action="store_true", help="Load it whoever made it.")
        parser.add_argument("--isolation", metavar="NAME", help="row, schema or database, for a new tenant.")
        parser.add_argument("--database", metavar="NAME", help="A place of TENANTKIT_SERVERS, for a new tenant.")
        parser.add_argument("--resume", metavar="JOB", help="Go on with the import of this uid.")

    def work(self, options: dict[str, Any]) -> None:
        file, job = options["file"], options["resume"]
        if (file is None) == (job is None):
            raise CommandError("Name either FILE or --resume JOB.", returncode=WRONG_USE)
        if job is not None:
            return self._show(resume_import(job, progress=self.progress()))
        wanted = {key: options[key] for key in ("trust_unsigned", "isolation", "database")}
        if options["dry_run"]:
            return self._show_plan(prepare(file, options["slug"], **wanted))
        wanted |= {key: options[key] for key in ("on_conflict", "remap")}
        self._show(import_tenant(file, options["slug"], progress=self.progress(), **wanted))

    def _show_plan(self, found: dict[str, Any]) -> None:
        where = f"a new tenant {found['slug']}" if found["is_new"] else f"the tenant {found['slug']}"
        text = f"Would load {sum(found['rows'].values())} rows into {where}, in about {found['seconds']} s."
        self.show({"dry_run": True, **found}, f"{text}\n{rows_as_text(found['rows'])}")

    def _show(self, job: Any) -> None:
        found = job.result
        files = f" and {found['files']} files" if found["files"] else ""
        lines = [f"{job.slug}: {sum(found['rows'].values())} rows{files} loaded (uid {job.tenant.uid})."]
        lines += [f"  {number} rows of {label} have new keys" for label, number in found["remapped"].items()]
        lines += [f"  made the user {name}" for name in found["users"]] + [f"  {note}" for note in found["notes"]]
        self.show({"slug": job.slug, "uid": str(job.tenant.uid), "job": str(job.uid), **found}, "\n".join(lines))
