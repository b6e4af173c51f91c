"""create_tenant, list_tenants, suspend_tenant, resume_tenant: exit codes, output, dry runs."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError

from django_tenantkit import tenant_context
from django_tenantkit.conf import conf
from django_tenantkit.exceptions import JobFailed
from django_tenantkit.lifecycle.provision import provision
from django_tenantkit.management.progress import Progress
from django_tenantkit.models import Domain, Job, JobState, Membership, Tenant, TenantStatus
from tests.lifecycle.helpers import STEPS, Ran, erased
from tests.operating import operated

pytestmark = pytest.mark.django_db

#: Fixed, as parallel workers have to collect the same tests.
NO_JOB = "8fc4d625-55e7-44a5-bbdd-360b80704147"


HELPERS = "tests.lifecycle.helpers"
ALL_STEPS = [*conf.PROVISIONING, f"{STEPS}.announce"]


def make(slug: str, **fields: Any) -> Tenant:
    return Tenant.objects.create(slug=slug, name=slug.capitalize(), **fields)


def rows() -> list[Any]:
    """Every shared row that a command could change."""
    models = (Tenant, Domain, Job, Membership, get_user_model())
    return [row for model in models for row in model.objects.order_by("pk").values()]


class TestCreate:
    def test_it_makes_what_was_asked_for(self) -> None:
        ran = Ran(
            *("create_tenant", "acme", "--name", "Acme Ltd", "--domain", "acme.org", "--domain-verified"),
            *("--admin-email", "ann@acme.org", "--plan", "gold", "--setting", "theme=dark", "--setting", "seats=5"),
        )
        tenant = Tenant.objects.get()
        assert ran.code == 0
        assert ran.out == f"acme is active (uid {tenant.uid}).\n"
        assert (tenant.name, tenant.plan, tenant.settings) == ("Acme Ltd", "gold", {"theme": "dark", "seats": 5})
        assert Domain.objects.get().verified_at is not None
        assert Membership.objects.get().user.email == "ann@acme.org"

    def test_as_json(self) -> None:
        ran = Ran("create_tenant", "acme", "--format", "json")
        shown = ran.json["tenant"]
        assert (shown["slug"], shown["status"]) == ("acme", "active")
        assert shown["uid"] == str(Tenant.objects.get().uid)

    @pytest.mark.parametrize(
        ("arguments", "because"),
        [
            (["Acme"], "cannot be a slug"),
            (["42"], "cannot be a slug"),
            (["www"], "reserved"),
            (["taken"], "taken by the tenant 'taken'"),
            (["gone"], "stays reserved until"),
            (["acme", "--domain", "taken.org"], "domain taken.org is taken"),
            (["acme", "--domain", "shop.example.com"], "under the base domain"),
            (["acme", "--admin-email", "ann"], "e-mail address"),
            (["acme", "--name", "n" * 201], "name:"),
            (["acme", "--setting", "theme"], "is not KEY=VALUE"),
            ([], "either a SLUG or --resume JOB"),
            (["acme", "--resume", NO_JOB], "either a SLUG or --resume JOB"),
            (["--resume", NO_JOB], "There is no provision job"),
            (["--resume", "nonsense"], "There is no provision job"),
            (["--resume", NO_JOB, "--plan", "gold"], "takes no other arguments"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("more", [[], ["--dry-run"], ["--format", "json"]], ids=str)
    def test_wrong_use_is_one_line_and_changes_nothing(
        self, arguments: list[str], because: str, more: list[str]
    ) -> None:
        operated(Domain.objects.create, tenant=make("taken"), domain="taken.org")
        erased("gone", days_ago=3)
        before = rows()
        ran = Ran("create_tenant", *arguments, *more)
        assert because in ran.complaint
        assert "\n" not in ran.complaint
        assert ran.out == ""
        assert rows() == before
        assert ran.code == (1 if "KEY=VALUE" in because else 2)  # the parser's own errors: see test_processes

    def test_a_dry_run_shows_the_steps_and_changes_nothing(self) -> None:
        before = rows()
        ran = Ran("create_tenant", "acme", "--plan", "gold", "--dry-run")
        assert ran.code == 0
        assert ran.out.startswith("acme: a new job\n  name: acme\n  plan: gold\n")
        assert [line.split()[-1] for line in ran.out.splitlines() if "to do" in line] == ALL_STEPS
        assert rows() == before

    def test_a_dry_run_as_json(self) -> None:
        shown = Ran("create_tenant", "acme", "--dry-run", "--format", "json").json
        assert (shown["slug"], shown["job"], shown["done"], shown["to_do"]) == ("acme", None, [], ALL_STEPS)

    def test_a_failure_of_the_database_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(*_: Any, **__: Any) -> None:
            raise OperationalError("server closed the connection\n\tunexpectedly")

        monkeypatch.setattr("django_tenantkit.management.commands.create_tenant.provision", unreachable)
        ran = Ran("create_tenant", "acme")
        assert (ran.code, ran.complaint) == (1, "OperationalError: server closed the connection unexpectedly")


class TestAnInterruptedJob:
    @pytest.fixture(autouse=True)
    def job(self, settings: Any) -> Job:
        """A job that failed after its first step, whose cause is gone."""
        steps = conf.PROVISIONING
        settings.TENANTKIT_PROVISIONING = [*steps[:2], f"{HELPERS}.failing_step", *steps[2:]]
        with pytest.raises(JobFailed):
            provision("acme", plan="gold")
        settings.TENANTKIT_PROVISIONING = steps
        return Job.objects.get()

    def test_a_failing_step_is_exit_code_1_and_names_the_cure(self, settings: Any) -> None:
        settings.TENANTKIT_PROVISIONING = [*ALL_STEPS[:2], f"{HELPERS}.failing_step"]
        ran = Ran("create_tenant", "globex")
        job = Job.objects.get(slug="globex")
        assert ran.code == 1
        assert f"failing_step of job {job.uid} failed: RuntimeError: no such luck" in ran.complaint
        assert f"create_tenant --resume {job.uid}" in ran.complaint

    def test_it_is_resumed_by_its_uid(self, job: Job) -> None:
        assert Ran("create_tenant", "--resume", str(job.uid)).code == 0
        assert Tenant.objects.get().is_active

    def test_it_is_resumed_by_the_same_arguments(self) -> None:
        assert Ran("create_tenant", "acme", "--plan", "gold").code == 0
        assert Job.objects.get().state == JobState.DONE

    def test_it_is_not_resumed_by_the_slug_alone(self, job: Job) -> None:
        before = rows()
        ran = Ran("create_tenant", "acme")
        assert ran.code == 2
        assert f"create_tenant --resume {job.uid}" in ran.complaint
        assert rows() == before

    def test_a_dry_run_shows_how_far_it_came(self, job: Job) -> None:
        before = rows()
        ran = Ran("create_tenant", "--resume", str(job.uid), "--dry-run")
        assert ran.code == 0
        assert f"acme: job {job.uid}\n" in ran.out
        assert "plan: gold" in ran.out
        assert f"done   {STEPS}.make_tenant\n" in ran.out
        assert f"to do  {STEPS}.make_domain\n" in ran.out
        assert "failed with: RuntimeError: no such luck" in ran.out
        assert rows() == before

    def test_a_dry_run_as_json(self, job: Job) -> None:
        shown = Ran("create_tenant", "--resume", str(job.uid), "--dry-run", "--format", "json").json
        assert shown["job"] == str(job.uid)
        assert shown["done"] == ALL_STEPS[:2]
        assert shown["to_do"] == ALL_STEPS[2:]


class TestList:
    @pytest.fixture(autouse=True)
    def tenants(self) -> None:
        acme = make("acme", plan="gold")
        operated(Domain.objects.create, tenant=acme, domain="b.org")
        operated(Domain.objects.create, tenant=acme, domain="c.org", is_primary=True)
        make("globex", status=TenantStatus.SUSPENDED)
        erased("initech", days_ago=3)

    def slugs(self, *arguments: str) -> list[str]:
        return [row["slug"] for row in Ran("list_tenants", *arguments, "--format", "json").json["tenants"]]

    def test_all_but_the_erased_ones(self) -> None:
        assert self.slugs() == ["acme", "globex"]

    def test_the_erased_ones_too(self) -> None:
        assert self.slugs("--all-tenants") == ["acme", "globex", "initech"]

    def test_those_named(self) -> None:
        assert self.slugs("--tenant", "globex", "--tenant", "acme") == ["globex", "acme"]

    @pytest.mark.parametrize(("status", "slug"), [("suspended", "globex"), ("erased", "initech")])
    def test_those_with_a_status(self, status: str, slug: str) -> None:
        assert self.slugs("--status", status) == [slug]

    def test_the_columns(self) -> None:
        head, acme, globex = Ran("list_tenants").out.splitlines()
        tenant = Tenant.objects.get(slug="acme")
        assert head.split() == ["SLUG", "STATUS", "PLAN", "ISOLATION", "UID", "NAME", "DOMAINS"]
        assert acme.split() == ["acme", "active", "gold", "row", str(tenant.uid), "Acme", "c.org", "b.org"]
        assert globex.startswith("globex  suspended")

    def test_what_json_tells_of_a_tenant(self) -> None:
        row = Ran("list_tenants", "--tenant", "acme", "--format", "json").json["tenants"][0]
        described = {"slug", "uid", "name", "status", "plan", "isolation", "database", "created_at"}
        assert set(row) == described | {"domains"}
        assert row["domains"] == ["c.org", "b.org"]

    def test_unknown_tenants_are_all_named(self) -> None:
        ran = Ran("list_tenants", "--tenant", "acme", "--tenant", "x", "--tenant", "y")
        assert (ran.code, ran.out) == (2, "")
        assert "There is no tenant 'x', 'y'." in ran.complaint

    def test_that_there_are_none_is_said(self) -> None:
        assert "create_tenant SLUG" in Ran("list_tenants", "--status", "maintenance").out


class TestStatus:
    def test_suspend_and_resume(self) -> None:
        make("acme")
        assert Ran("suspend_tenant", "acme", "--reason", "unpaid").out == "acme is suspended.\n"
        assert Tenant.objects.get().status == TenantStatus.SUSPENDED
        assert Ran("resume_tenant", "acme").out == "acme is active.\n"
        assert Tenant.objects.get().status == TenantStatus.ACTIVE

    def test_maintenance(self) -> None:
        make("acme")
        assert Ran("suspend_tenant", "acme", "--maintenance").code == 0
        assert Tenant.objects.get().status == TenantStatus.MAINTENANCE

    @pytest.mark.parametrize(("command", "status"), [("suspend_tenant", "suspended"), ("resume_tenant", "active")])
    def test_the_wrong_status_is_wrong_use(self, command: str, status: str) -> None:
        make("acme", status=status)
        ran = Ran(command, "acme")
        assert (ran.code, ran.out) == (2, "")
        assert f"The tenant 'acme' is {status}; only one that is" in ran.complaint

    @pytest.mark.parametrize("slug", ["nobody", "gone"])
    @pytest.mark.parametrize("command", ["suspend_tenant", "resume_tenant"])
    def test_an_unknown_or_erased_tenant_is_wrong_use(self, command: str, slug: str) -> None:
        erased("gone", days_ago=3)
        ran = Ran(command, slug)
        assert ran.code == 2
        assert ran.complaint == f"There is no tenant '{slug}'. `list_tenants` shows those that exist."

    def test_a_dry_run_changes_nothing(self) -> None:
        make("acme")
        assert Ran("suspend_tenant", "acme", "--dry-run").code == 0
        assert Tenant.objects.get().is_active

    def test_a_dry_run_refuses_what_would_be_refused(self) -> None:
        make("acme")
        assert Ran("resume_tenant", "acme", "--dry-run").code == 2

    def test_as_json(self) -> None:
        make("acme")
        shown = Ran("suspend_tenant", "acme", "--format", "json").json
        assert (shown["tenant"]["status"], shown["dry_run"]) == ("suspended", False)


def test_a_command_works_inside_a_tenant_and_leaves_it_there() -> None:
    acme = make("acme")
    with tenant_context(acme):
        assert Ran("create_tenant", "globex").code == 0


def test_traceback_shows_the_cause() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("create_tenant", "www")
    assert caught.value.__cause__ is not None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_progress_bar() -> None:
    terminal = Terminal()
    progress = Progress(OutputWrapper(terminal))
    progress(1, 2, "make_tenant")
    progress(2, 2, "make_domain")
    assert terminal.getvalue() == "\r\x1b[K[##########..........] 1/2 make_tenant\r\x1b[K"


def test_elsewhere_there_is_no_progress_bar() -> None:
    stream = io.StringIO()
    Progress(OutputWrapper(stream))(1, 2, "make_tenant")
    assert stream.getvalue() == ""
