"""`push_copies`, `push_copies --all`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.copies import push_copies, waiting
from ..base import SOME_FAILED, TenantCommand, named_tenants


class Command(TenantCommand):
    """Bring the copies of shared rows in the databases of tenants up to date."""

    help = (
        "Push what changed in shared rows to the databases of tenants that have copies of them. That happens by itself "
        "with each change; run this where another program changed rows, or after a database was out of reach. The exit "
        "code is 3 where one still is."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tenant", action="append", metavar="SLUG", dest="tenants", help="Report on this tenant; repeatable."
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="Copy every copied row once more, and not only those that changed; and remove copies from shards to "
            "which no tenant there refers.",
        )

    def work(self, options: dict[str, Any]) -> None:
        tenants = named_tenants(options["tenants"]) if options["tenants"] else None
        if options["dry_run"]:
            found = waiting(tenants)
            text = f"{sum(found.values())} changes wait for {len(found)} databases."
            return self.show({"dry_run": True, "waiting": found}, text)
        done = push_copies(tenants, again=options["all"], progress=self.progress())
        self.show(
            {
                "dry_run": False,
                "databases": done.databases,
                "left": done.left,
                "removed": done.removed,
                "failed": done.failed,
            },
            f"Copies in {done.databases} databases are up to date."
            + (f" {done.removed} that nobody refers to were removed." if done.removed else ""),
        )
        if done.failed:
            listed = "; ".join(f"{slug}: {error}" for slug, error in done.failed.items())
            raise CommandError(
                f"{len(done.failed)} databases are not up to date, {done.left} changes are left: {listed}",
                returncode=SOME_FAILED,
            )
