"""`create_tenant SLUG`, `create_tenant --resume JOB`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.provision import Plan, prepare, prepare_resume, provision, resume
from ..base import WRONG_USE, TenantCommand, described

#: Options that describe the tenant, with the values that stand for "not given".
WANTED: dict[str, Any] = {
    "name": "",
    "domain": None,
    "domain_verified": False,
    "admin_email": None,
    "plan": "",
    "settings": None,
    "isolation": None,
    "database": None,
}


class Command(TenantCommand):
    """Make a tenant, or go on with a job that was interrupted."""

    help = "Make a tenant: the steps of TENANTKIT_PROVISIONING. Called again with the same arguments it goes on."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant's name in addresses: acme.example.com.")
        parser.add_argument("--name", default="", help="The name that people read; the slug if left out.")
        parser.add_argument("--domain", help="A domain of the tenant's own.")
        parser.add_argument("--domain-verified", action="store_true", help="The domain is known to be theirs.")
        parser.add_argument("--admin-email", metavar="EMAIL", help="The user who becomes the tenant's admin.")
        parser.add_argument("--plan", default="", help="The tenant's plan.")
        parser.add_argument("--isolation", metavar="NAME", help="row, schema or database, of TENANTKIT_ISOLATIONS.")
        parser.add_argument("--database", metavar="NAME", help="A place of TENANTKIT_SERVERS.")
        parser.add_argument(
            "--setting",
            action="append",
            type=_setting,
            dest="tenant_settings",
            metavar="KEY=VALUE",
            help="An entry of the tenant's settings; a value that is JSON is read as such. Repeatable.",
        )
        parser.add_argument("--resume", metavar="JOB", help="Go on with the job of this uid.")

    def work(self, options: dict[str, Any]) -> None:
        wanted = {key: options[key] for key in WANTED if key != "settings"}
        wanted["settings"] = dict(options["tenant_settings"]) if options["tenant_settings"] else None
        slug, job = options["slug"], options["resume"]
        if (slug is None) == (job is None):
            raise CommandError("Name either a SLUG or --resume JOB.", returncode=WRONG_USE)
        if job is not None and wanted != WANTED:
            raise CommandError("--resume takes no other arguments: the job has its own.", returncode=WRONG_USE)
        if options["dry_run"]:
            return self._show_plan(prepare_resume(job) if job else prepare(slug, **wanted))
        tenant = resume(job, progress=self.progress()) if job else provision(slug, **wanted, progress=self.progress())
        self.show({"tenant": described(tenant)}, f"{tenant.slug} is {tenant.status} (uid {tenant.uid}).")

    def _show_plan(self, plan: Plan) -> None:
        uid = None if plan.job is None else str(plan.job.uid)
        done = [] if plan.job is None else plan.job.steps_done
        error = "" if plan.job is None else plan.job.error.strip()
        lines = [f"{plan.slug}: {'a new job' if uid is None else f'job {uid}'}"]
        lines += [f"  {key}: {value}" for key, value in plan.arguments.items() if value]
        lines += [f"  done   {step}" for step in done] + [f"  to do  {step}" for step in plan.steps]
        if error:
            lines.append(f"  failed with: {error.splitlines()[-1]}")
        data = {
            "dry_run": True,
            "slug": plan.slug,
            "arguments": plan.arguments,
            "job": uid,
            "done": done,
            "to_do": plan.steps,
            "error": error,
        }
        self.show(data, "\n".join(lines))


def _setting(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
