"""`restore_tenant SLUG --from FILE|DATABASE [--apply MODEL]`, `restore_tenant --resume JOB`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.archive.restoring import ALL, Difference, compare, restore_tenant, resume_restore
from ..base import WRONG_USE, TenantCommand, one_tenant


class Command(TenantCommand):
    """Put rows of a tenant back."""

    help = "Show how a tenant differs from what it was, and with --apply make its rows what they were."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant.")
        parser.add_argument(
            "--from", dest="source", metavar="FILE|DATABASE", help="An archive, or a name in DATABASES."
        )
        parser.add_argument(
            "--apply", action="append", metavar="MODEL", help="Put back rows of app.Model, or `all`. Repeatable."
        )
        parser.add_argument("--trust-unsigned", action="store_true", help="Read the archive whoever made it.")
        parser.add_argument("--resume", metavar="JOB", help="Go on with the job of this uid.")

    def work(self, options: dict[str, Any]) -> None:
        slug, source, job = options["slug"], options["source"], options["resume"]
        if (slug is None or source is None) == (job is None):
            raise CommandError("Name either SLUG and --from or --resume JOB.", returncode=WRONG_USE)
        if job is not None:
            return self._show_done(resume_restore(job))
        tenant, trusts = one_tenant(slug), options["trust_unsigned"]
        if not options["apply"] or options["dry_run"]:
            return self._show(slug, compare(tenant, source, trust_unsigned=trusts))
        self._show_done(restore_tenant(tenant, source, options["apply"], trust_unsigned=trusts))

    def _show(self, slug: str, found: list[Difference]) -> None:
        lines = [f"{slug} is what it was."] if not found else []
        for one in found:
            lines.append(f"{one.label}: {one.missing} missing, {one.new} new, {one.changed} changed")
            lines += [f"  {row['is']:<8} {row['key']} {', '.join(row['columns'] or [])}".rstrip() for row in one.rows]
        if found:
            lines.append(f"`--apply MODEL` puts back rows of a model, `--apply {ALL}` those of all.")
        self.show({"slug": slug, "differences": [one.described() for one in found]}, "\n".join(lines))

    def _show_done(self, job: Any) -> None:
        rows = sum(one[kind] for one in job.result["differences"] for kind in ("missing", "new", "changed"))
        self.show({"slug": job.slug, "job": str(job.uid), **job.result}, f"{job.slug}: {rows} rows are what they were.")
