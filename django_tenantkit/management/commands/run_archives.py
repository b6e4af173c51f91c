"""`run_archives`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from ...lifecycle.archive.asking import KINDS, run_waiting
from ...models import Job, JobState
from ..base import SOME_FAILED, TenantCommand


class Command(TenantCommand):
    """Do the exports and imports that tenants asked for."""

    help = "Do the exports and imports that tenants asked for through the API. Run it from time to time."

    def work(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            waiting = Job.objects.filter(kind__in=KINDS, state=JobState.WAITING)
            slugs = list(waiting.order_by("created_at").values_list("slug", flat=True))
            return self.show({"dry_run": True, "waiting": slugs}, f"{len(slugs)} archives wait.")
        done, failed = run_waiting()
        data = {"done": [{"slug": job.slug, "kind": job.kind, "job": str(job.uid)} for job in done], "failed": failed}
        self.show(data, f"{len(done)} archives written or loaded.")
        if failed:
            listed = "; ".join(f"{slug}: {error}" for slug, error in failed.items())
            raise CommandError(f"{len(failed)} failed: {listed}", returncode=SOME_FAILED)
