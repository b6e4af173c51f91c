"""`clone_tenant SLUG NEW`, `clone_tenant --resume JOB`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.archive.cloning import clone_tenant, prepare, resume_clone
from ..base import WRONG_USE, TenantCommand, one_tenant, rows_as_text


class Command(TenantCommand):
    """Copy a tenant."""

    help = "Make a copy of a tenant under another slug, with keys of its own: a sandbox."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant.")
        parser.add_argument("new", nargs="?", metavar="NEW", help="The slug of the copy.")
        parser.add_argument("--mask", action="store_true", help="Change what TENANTKIT_MASKS names.")
        parser.add_argument(
            "--without-files", action="store_false", dest="files", help="Leave out the files that rows name."
        )
        parser.add_argument("--isolation", metavar="NAME", help="row, schema or database; as the original if left out.")
        parser.add_argument("--database", metavar="NAME", help="A place of TENANTKIT_SERVERS.")
        parser.add_argument("--resume", metavar="JOB", help="Go on with the copy of this uid.")

    def work(self, options: dict[str, Any]) -> None:
        slug, new, job = options["slug"], options["new"], options["resume"]
        if (new is None) == (job is None):
            raise CommandError("Name either SLUG and NEW or --resume JOB.", returncode=WRONG_USE)
        if job is not None:
            return self._show(resume_clone(job, progress=self.progress()))
        tenant = one_tenant(slug)
        wanted = {key: options[key] for key in ("mask", "isolation", "database")}
        if options["dry_run"]:
            found = prepare(tenant, new, **wanted)
            lines = [
                f"Would copy {sum(found['rows'].values())} rows of {slug} to {new}, in about {found['seconds']} s."
            ]
            lines.append(rows_as_text(found["rows"]))
            lines += [f"  masked: {name}" for name in found["masked"]]
            return self.show({"dry_run": True, **found}, "\n".join(lines))
        self._show(clone_tenant(tenant, new, files=options["files"], progress=self.progress(), **wanted))

    def _show(self, job: Any) -> None:
        rows = sum(job.result["rows"].values())
        data = {"slug": job.slug, "uid": str(job.tenant.uid), "job": str(job.uid), **job.result}
        files = f" and {data['files']} files" if data["files"] else ""
        text = f"{job.slug}: a copy of {rows} rows{files} (uid {job.tenant.uid})."
        self.show(data, "\n".join([text, *(f"  {note}" for note in data["notes"])]))
