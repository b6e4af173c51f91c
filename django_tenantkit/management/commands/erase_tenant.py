"""`erase_tenant SLUG --yes-erase SLUG`, `erase_tenant --due`, `--resume JOB`, `--verify FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.erase.certificate import is_whole
from ...lifecycle.erase.run import (
    ERASE,
    Plan,
    due_or_not,
    erase,
    erase_due,
    half_erased,
    prepare,
    resume_erasing,
    until,
)
from ...lifecycle.jobs import find
from ...models import Job, JobState
from ..base import SOME_FAILED, WRONG_USE, TenantCommand, one_tenant

#: What can be done in place of naming a tenant.
INSTEAD = ("resume", "due", "verify")


class Command(TenantCommand):
    """Erase a tenant, with evidence."""

    help = (
        "Erase a tenant: nobody reaches it from now on, and when its grace is over everything of it goes, everywhere. "
        "Until then `resume_tenant` brings it back. Ends with a certificate, or says what is left."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="The tenant.")
        parser.add_argument("--yes-erase", metavar="SLUG", help="The slug once more, where nobody can be asked for it.")
        parser.add_argument("--days", type=int, help="Days until it is erased; TENANTKIT_GRACE_DAYS if left out.")
        parser.add_argument("--now", action="store_true", help="Do not wait, nor any longer where a grace has begun.")
        parser.add_argument(
            "--users-too", action="store_true", help="Take members of no other tenant their names and addresses."
        )
        parser.add_argument(
            "--skip-texts", action="store_true", help="Do not search all tables for its uid, slug and domains."
        )
        parser.add_argument("--certificate", metavar="FILE", type=Path, help="Write the certificate there, as JSON.")
        parser.add_argument("--resume", metavar="JOB", help="Go on with the job of this uid.")
        parser.add_argument("--due", action="store_true", help="Erase all tenants whose grace is over.")
        parser.add_argument(
            "--verify", metavar="FILE", type=Path, help="See whether a certificate is as it was written."
        )

    def work(self, options: dict[str, Any]) -> None:
        given = [name for name in ("slug", *INSTEAD) if options[name]]
        if len(given) != 1:
            raise CommandError("Name either a SLUG, --resume JOB, --due or --verify FILE.", returncode=WRONG_USE)
        {"slug": self._erase, "resume": self._resume, "due": self._due, "verify": self._verify}[given[0]](options)

    def _erase(self, options: dict[str, Any]) -> None:
        tenant = half_erased(options["slug"]) or one_tenant(options["slug"])
        if options["dry_run"]:
            return self._show_plan(prepare(tenant, days=options["days"]))
        self._ask(tenant.slug, options["yes_erase"])
        job = erase(
            tenant,
            days=options["days"],
            now=options["now"],
            users_too=options["users_too"],
            in_texts=not options["skip_texts"],
            progress=self.progress(),
        )
        self._show_job(job, options["certificate"])

    def _ask(self, slug: str, answer: str | None) -> None:
        if answer is None and sys.stdin is not None and sys.stdin.isatty():
            answer = input(f"This erases everything of {slug!r}. Type the slug again: ").strip()
        if answer != slug:
            raise CommandError(
                f"This erases everything of {slug!r}. Say it again: --yes-erase {slug}", returncode=WRONG_USE
            )

    def _resume(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            job = find(ERASE, options["resume"])
            return self.show(
                {"dry_run": True, "done": job.steps_done}, f"{job.slug}: done {', '.join(job.steps_done)}."
            )
        job = resume_erasing(options["resume"], now=options["now"], progress=self.progress())
        self._show_job(job, options["certificate"])

    def _due(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            found = {job.slug: str(until(job)) for job in due_or_not()}
            return self.show(
                {"dry_run": True, "waiting": found}, "\n".join(f"{s} until {at}" for s, at in found.items())
            )
        done: list[Job] = []
        failed = erase_due(done.append)
        lines = [f"{job.slug} is erased." for job in done] or ["No tenant's grace is over."]
        self.show({"erased": [job.slug for job in done], "failed": failed}, "\n".join(lines))
        if failed:
            raise CommandError("; ".join(f"{slug}: {said}" for slug, said in failed.items()), returncode=SOME_FAILED)

    def _verify(self, options: dict[str, Any]) -> None:
        certificate = json.loads(options["verify"].read_text())
        if not is_whole(certificate):
            raise CommandError(f"{options['verify']} is not as it was written.")
        slug, at = certificate["tenant"]["slug"], certificate["erased_at"]
        self.show({"whole": True}, f"The certificate of {slug}, erased at {at}, is as it was written.")

    def _show_job(self, job: Job, file: Path | None) -> None:
        if job.state != JobState.DONE:
            end = until(job)
            text = (
                f"{job.slug} is out of reach, and is erased after {end:%Y-%m-%d %H:%M}: `erase_tenant --due`. Until "
                f"then `resume_tenant {job.slug}` brings it back."
            )
            return self.show({"job": str(job.uid), "state": str(job.state), "until": str(end)}, text)
        certificate = job.result["certificate"]
        if file is not None:
            file.write_text(json.dumps(certificate, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        total = sum(certificate["rows"].values()) + sum(certificate["shared_rows"].values())
        lines = [f"{job.slug} is erased: {total} rows of {len(certificate['rows'])} models."]
        lines += [f"  kept: {label}, {one['rows']} rows: {one['reason']}" for label, one in certificate["kept"].items()]
        lines += [f"  look at: {number} rows, {where}" for where, number in certificate["mentions"].items()]
        lines += [f"  not searched: {what}" for what in certificate["not_searched"]]
        lines.append(f"  certificate {certificate['sha256']}, in job {job.uid}")
        self.show({"job": str(job.uid), "state": str(job.state), "certificate": certificate}, "\n".join(lines))

    def _show_plan(self, plan: Plan) -> None:
        job = "a new job" if plan.job is None else f"job {plan.job.uid}"
        lines = [f"{plan.slug}: {job}, after {plan.until:%Y-%m-%d %H:%M}, in about {plan.seconds} s"]
        lines += [f"  erased: {number} rows of {label}" for label, number in {**plan.rows, **plan.shared_rows}.items()]
        lines += [f"  erased: {home}" for home in plan.homes]
        lines += [f"  asked: {store}" for store in plan.stores]
        lines += [f"  kept: {one['rows']} rows of {label}: {one['reason']}" for label, one in plan.kept.items()]
        lines.append(f"  members of no other tenant: {plan.users}, kept unless --users-too")
        data = {
            "dry_run": True,
            "slug": plan.slug,
            "job": None if plan.job is None else str(plan.job.uid),
            "until": plan.until.isoformat(),
            "seconds": plan.seconds,
            "rows": plan.rows,
            "shared_rows": plan.shared_rows,
            "kept": plan.kept,
            "homes": plan.homes,
            "stores": plan.stores,
            "users": plan.users,
        }
        self.show(data, "\n".join(lines))
