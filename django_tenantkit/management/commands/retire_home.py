"""`retire_home SLUG --yes-retire SLUG`, `retire_home SLUG --undo`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.leaving import leave_place, return_place
from ...lifecycle.pool import described
from ..base import WRONG_USE, TenantCommand, one_tenant


class Command(TenantCommand):
    """Put a tenant's schema or database out of reach, to be dropped later, or bring it back."""

    help = (
        "Rename the schema or the database of a suspended tenant, so that nothing reaches it; `fill_pool` drops it "
        "when its grace is over. Until then --undo brings it back as it was."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The tenant.")
        parser.add_argument("--yes-retire", metavar="SLUG", help="The slug once more.")
        parser.add_argument("--days", type=int, help="Days until it is dropped; TENANTKIT_GRACE_DAYS if left out.")
        parser.add_argument("--undo", action="store_true", help="Bring it back.")

    def work(self, options: dict[str, Any]) -> None:
        tenant = one_tenant(options["slug"])
        if not options["undo"] and options["yes_retire"] != tenant.slug:
            raise CommandError(
                f"This takes {tenant.slug!r} its rows. Say it again: --yes-retire {tenant.slug}", returncode=WRONG_USE
            )
        dry_run = options["dry_run"]
        if options["undo"]:
            place = return_place(tenant, dry_run=dry_run)
        else:
            place = leave_place(tenant, options["days"], dry_run=dry_run)
        if dry_run:
            what = "would be brought back" if options["undo"] else "would be put out of reach"
            return self.show({"dry_run": True, "slug": tenant.slug}, f"The {place.isolation} of {tenant.slug} {what}.")
        when = f"; it is dropped after {place.drop_after:%Y-%m-%d}" if place.drop_after else ""
        self.show({"place": described(place)}, f"The {place.isolation} of {tenant.slug} is {place.state}{when}.")
