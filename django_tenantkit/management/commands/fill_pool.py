"""`fill_pool`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from ...lifecycle.pool import described, fill_pool, waiting, wanted
from ..base import SOME_FAILED, TenantCommand


class Command(TenantCommand):
    """Make places for tenants to come."""

    help = (
        "Make the schemas and databases that TENANTKIT_WARM_POOL wants to be ready, provision the tenants that signed "
        "up while none was, and drop those whose grace is over. Run it from time to time, as the system."
    )

    def work(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            jobs = [job.slug for job in waiting()]
            missing = [f"{isolation}@{server}" if server else isolation for isolation, server in wanted()]
            text = f"{len(jobs)} tenants wait for a place, {len(missing)} places are missing from the pool."
            return self.show({"dry_run": True, "waiting": jobs, "missing": missing}, text)
        done = fill_pool(self.progress())
        data = {
            "tenants": done.tenants,
            "places": [described(place) for place in done.places],
            "dropped": [described(place) for place in done.dropped],
            "failed": done.failed,
            "limited": done.limited,
        }
        self.show(
            data,
            f"{len(done.tenants)} tenants provisioned, {len(done.places)} places made, {len(done.dropped)} dropped.",
        )
        if done.failed:
            listed = "; ".join(f"{slug}: {error}" for slug, error in done.failed.items())
            raise CommandError(f"{len(done.failed)} failed: {listed}", returncode=SOME_FAILED)
