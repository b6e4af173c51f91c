"""`move_tenant SLUG --to ISOLATION`, `move_tenant SLUG --rollback`, `move_tenant --resume JOB`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.move.run import give_up, move, prepare, resume, roll_back, way_back
from ..base import WRONG_USE, TenantCommand, one_tenant


class Command(TenantCommand):
    """Move a tenant to another isolation, or go on with a move that was interrupted."""

    help = (
        "Move a tenant's rows to shared tables, a schema or a database. It is in maintenance meanwhile; what it leaves "
        "is kept for TENANTKIT_GRACE_DAYS. Called again with the same arguments it goes on."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant.")
        parser.add_argument("--to", metavar="ISOLATION", help="row, schema or database, of TENANTKIT_ISOLATIONS.")
        parser.add_argument("--database", default="", metavar="NAME", help="A server of TENANTKIT_SERVERS.")
        parser.add_argument("--remap", action="store_true", help="Give rows new keys whose own are taken there.")
        parser.add_argument("--online", action="store_true", help="Copy while the tenant works.")
        parser.add_argument("--rollback", action="store_true", help="Move it back to where it came from.")
        parser.add_argument("--resume", metavar="JOB", help="Go on with the job of this uid.")
        parser.add_argument("--give-up", metavar="JOB", help="End the job of this uid: the tenant stays where it is.")

    def work(self, options: dict[str, Any]) -> None:
        ways = [bool(options[name]) for name in ("to", "rollback", "resume", "give_up")]
        by_slug = options["to"] or options["rollback"]
        if sum(ways) != 1 or bool(options["slug"]) != bool(by_slug):
            raise CommandError(
                "Say SLUG --to ISOLATION, SLUG --rollback, --resume JOB or --give-up JOB.", returncode=WRONG_USE
            )
        if options["dry_run"] and not by_slug:
            raise CommandError("--dry-run is for SLUG --to and SLUG --rollback.", returncode=WRONG_USE)
        if options["give_up"]:
            return self._show(give_up(options["give_up"]))
        if options["resume"]:
            return self._show(resume(options["resume"], progress=self.progress()))
        tenant, remap, online = one_tenant(options["slug"]), options["remap"], options["online"]
        if online and not options["to"]:
            raise CommandError("--online is for SLUG --to ISOLATION.", returncode=WRONG_USE)
        if options["dry_run"]:
            to = way_back(tenant) if options["rollback"] else (options["to"], options["database"])
            return self._show_plan(tenant.slug, prepare(tenant, *to, remap=remap, online=online))
        if options["rollback"]:
            return self._show(roll_back(tenant, remap=remap, progress=self.progress()))
        way = {"remap": remap, "online": online, "progress": self.progress()}
        self._show(move(tenant, options["to"], options["database"], **way))

    def _show(self, job: Any) -> None:
        tables = job.result.get("tables", {})
        rows = sum(table["rows"] for table in tables.values())
        data = {"job": str(job.uid), "state": str(job.state), "rows": rows, **job.result}
        where = " on ".join(filter(None, (job.arguments["to"], job.arguments["database"])))
        moved = f"lives in {where}: {rows} rows in {len(tables)} tables, the same on both sides"
        self.show(data, f"{job.slug} {moved if job.state == 'done' else 'stays where it is'}.")

    def _show_plan(self, slug: str, plan: dict[str, Any]) -> None:
        rows = sum(plan["rows"].values())
        how = "beside its work" if "copy_beside" in plan["steps"] else "in maintenance"
        lines = [f"{slug}: from {plan['from']} to {plan['to']}, {rows} rows, about {plan['seconds']} s {how}"]
        lines += [f"  {label}: {number} rows" for label, number in plan["rows"].items() if number]
        lines += [f"  to do  {step}" for step in plan["steps"]]
        self.show({"dry_run": True, "slug": slug, **plan}, "\n".join(lines))
