"""`restore_tenant SLUG --from FILE|DATABASE [--apply MODEL | --as SLUG]`, `restore_tenant --resume JOB`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.archive.restoring import (
    ALL,
    compare,
    restore_beside,
    restore_tenant,
    resume_restore,
)
from ..base import WRONG_USE, TenantCommand, one_tenant

#: How much longer putting back takes than looking: 2.4 to 2.7 times for 100,000 rows, whether few or all are missing.
LONGER = 2.5


class Command(TenantCommand):
    """Put rows of a tenant back."""

    help = (
        "Show how a tenant differs from what it was; with --apply make its rows what they were, and with --as make a "
        "second tenant of what it was."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant.")
        parser.add_argument(
            "--from", dest="source", metavar="FILE|DATABASE", help="An archive, or a name in DATABASES."
        )
        parser.add_argument(
            "--apply", action="append", metavar="MODEL", help="Put back rows of app.Model, or `all`. Repeatable."
        )
        parser.add_argument("--as", dest="beside", metavar="SLUG", help="Make a tenant of it, to look at.")
        parser.add_argument("--files", action="store_true", help="Look at files of the archive too, and put them back.")
        parser.add_argument("--trust-unsigned", action="store_true", help="Read the archive whoever made it.")
        parser.add_argument("--resume", metavar="JOB", help="Go on with the job of this uid.")

    def work(self, options: dict[str, Any]) -> None:
        slug, source, job = options["slug"], options["source"], options["resume"]
        if (slug is None or source is None) == (job is None):
            raise CommandError("Name either SLUG and --from or --resume JOB.", returncode=WRONG_USE)
        if job is not None:
            return self._show_done(resume_restore(job))
        tenant, wanted = one_tenant(slug), {key: options[key] for key in ("files", "trust_unsigned")}
        if options["beside"] is not None:
            return self._make_beside(tenant, options)
        if not options["apply"] or options["dry_run"]:
            return self._show(tenant, source, **wanted)
        self._show_done(restore_tenant(tenant, source, options["apply"], **wanted))

    def _make_beside(self, tenant: Any, options: dict[str, Any]) -> None:
        beside, source, trusts = options["beside"], options["source"], options["trust_unsigned"]
        if options["apply"]:
            raise CommandError("Look first: name either --as SLUG or --apply.", returncode=WRONG_USE)
        if options["dry_run"]:
            return self._show(tenant, source, trust_unsigned=trusts)
        job = restore_beside(tenant, source, beside, trust_unsigned=trusts, progress=self.progress())
        text = f"{beside}: {tenant.slug} as it was, {sum(job.result['rows'].values())} rows (uid {job.tenant.uid})."
        data = {"beside": beside, "uid": str(job.tenant.uid), "job": str(job.uid), **job.result}
        self._show(tenant, source, [text], data, trust_unsigned=trusts)

    def _show(
        self, tenant: Any, source: str, said: Iterable[str] = (), data: dict[str, Any] | None = None, **wanted: Any
    ) -> None:
        began = time.monotonic()
        found = compare(tenant, source, **wanted)
        seconds = round(LONGER * (time.monotonic() - began), 1)
        lines = [*said] if found else [*said, f"{tenant.slug} is what it was."]
        for one in found:
            lines.append(f"{one.label}: {one.missing} missing, {one.new} new, {one.changed} changed")
            lines += [f"  {row['is']:<8} {row['key']} {', '.join(row['columns'] or [])}".rstrip() for row in one.rows]
        if found:
            lines.append(
                f"`--apply MODEL` puts back rows of a model, `--apply {ALL}` those of all, in about {seconds} s."
            )
        told = {"slug": tenant.slug, **(data or {}), "differences": [one.described() for one in found]}
        self.show({**told, "seconds": seconds}, "\n".join(lines))

    def _show_done(self, job: Any) -> None:
        rows = sum(one[kind] for one in job.result["differences"] for kind in ("missing", "new", "changed"))
        lines = [f"{job.slug}: {rows} rows are what they were.", *(f"  {note}" for note in job.result["notes"])]
        self.show({"slug": job.slug, "job": str(job.uid), **job.result}, "\n".join(lines))
