"""`run_archives`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from ...lifecycle.archive.asking import left, run_waiting
from ..base import SOME_FAILED, TenantCommand


class Command(TenantCommand):
    """Do the exports and imports that tenants asked for, and remove archives that are too old."""

    help = (
        "Do the exports and imports that tenants asked for through the API, those too whose process ended in the "
        "middle, and remove archives older than TENANTKIT_ARCHIVE_DAYS. Run it from time to time."
    )

    def work(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            slugs = list(left().values_list("slug", flat=True))
            return self.show({"dry_run": True, "waiting": slugs}, f"{len(slugs)} archives wait.")
        done, failed = run_waiting()
        data = {"done": [{"slug": job.slug, "kind": job.kind, "job": str(job.uid)} for job in done], "failed": failed}
        self.show(data, f"{len(done)} archives written or loaded.")
        if failed:
            listed = "; ".join(f"{slug}: {error}" for slug, error in failed.items())
            raise CommandError(f"{len(failed)} failed: {listed}", returncode=SOME_FAILED)
