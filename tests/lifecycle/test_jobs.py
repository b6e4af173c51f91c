"""Who may go on with a job, and who wins when two claim a name."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections

from django_tenantkit.conf import conf
from django_tenantkit.context import tenant_context, unscoped
from django_tenantkit.exceptions import JobFailed, ProvisioningRefused
from django_tenantkit.lifecycle import jobs
from django_tenantkit.lifecycle.provision import PROVISION, provision, resume
from django_tenantkit.models import Domain, Job, JobState, Tenant
from tests.lifecycle.helpers import STEPS

HELPERS = "tests.lifecycle.helpers"

two_connections = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


class Claimant(threading.Thread):
    """A call of `provision` in a thread; `result` is the tenant or the error."""

    def __init__(self, *arguments: Any, start_together: threading.Barrier | None = None, **wanted: Any) -> None:
        super().__init__()
        self.call = arguments, wanted
        self.barrier = start_together
        self.result: Any = None
        self.start()

    def run(self) -> None:
        arguments, wanted = self.call
        try:
            if self.barrier is not None:
                self.barrier.wait(10)
            self.result = provision(*arguments, **wanted)
        except Exception as error:
            self.result = error
        finally:
            connections.close_all()

    def ended(self) -> Any:
        self.join(30)
        return self.result


@pytest.fixture
def unfinished(db: None, settings: Any) -> Job:
    """A job that failed after `make_tenant`."""
    steps = conf.PROVISIONING
    settings.TENANTKIT_PROVISIONING = [*steps[:2], f"{HELPERS}.failing_step", *steps[2:]]
    with pytest.raises(JobFailed):
        provision("acme", "Acme", domain="acme.org")
    settings.TENANTKIT_PROVISIONING = steps
    return Job.objects.get()


@pytest.mark.parametrize("wanted", [{}, {"name": "Acme"}, {"name": "Acme", "domain": "acme.net"}], ids=str)
def test_other_arguments_do_not_take_up_an_unfinished_slug(unfinished: Job, wanted: dict[str, Any]) -> None:
    with pytest.raises(ProvisioningRefused) as caught:
        provision("acme", **wanted)
    assert f"create_tenant --resume {unfinished.uid}`" in str(caught.value)
    assert f"create_tenant --resume {unfinished.uid} --dry-run`" in str(caught.value)
    assert Job.objects.get().steps == unfinished.steps


def test_the_domain_of_an_unfinished_job_cannot_be_claimed(unfinished: Job) -> None:
    with pytest.raises(ProvisioningRefused, match=f"{unfinished.uid}, holds the domain acme.org"):
        provision("globex", domain="acme.org")
    assert Job.objects.get() == unfinished


def test_a_finished_job_holds_nothing(unfinished: Job) -> None:
    resume(unfinished.uid)
    with pytest.raises(ProvisioningRefused, match="taken by the tenant 'acme'"):
        provision("acme", "Acme", domain="acme.org")
    assert Job.objects.count() == 1


def test_resuming_a_finished_job_does_nothing(unfinished: Job) -> None:
    first = resume(unfinished.uid)
    assert resume(unfinished.uid) == first
    assert Job.objects.get().attempts == 2


@pytest.mark.parametrize("uid", ["8fc4d625-55e7-44a5-bbdd-360b80704147", "nonsense", ""])
@pytest.mark.django_db
def test_an_unknown_job_is_refused(uid: Any) -> None:
    with pytest.raises(ProvisioningRefused, match="There is no provision job"):
        resume(uid)


@pytest.mark.django_db
def test_a_job_of_another_kind_is_refused() -> None:
    other = Job.objects.create(kind="erase", slug="acme")
    with pytest.raises(ProvisioningRefused, match="There is no provision job"):
        resume(other.uid)


@pytest.mark.django_db
def test_a_process_whose_job_was_taken_up_stops_before_its_next_step() -> None:
    def take_it_up(done: int, total: int, name: str) -> None:
        if done == 2:
            jobs.take_up(PROVISION, Job.objects.get())

    with pytest.raises(ProvisioningRefused, match="was taken up by another process"):
        provision("acme", progress=take_it_up)
    job = Job.objects.get()
    assert job.steps_done == [f"{STEPS}.make_place", f"{STEPS}.make_tenant"]
    assert job.state == JobState.RUNNING


class TestTwoAtOnce:
    pytestmark = two_connections

    @pytest.mark.parametrize("second", [("Acme",), ("Other",)], ids=["identical", "different"])
    def test_while_one_is_in_a_step_the_other_is_refused(self, second: tuple[str]) -> None:
        inside, go_on = threading.Event(), threading.Event()

        def slow(job: Job) -> None:
            inside.set()
            assert go_on.wait(30)

        with patch(f"{STEPS}.make_domain", slow):
            first = Claimant("acme", "Acme")
            try:
                assert inside.wait(30)
                with pytest.raises(ProvisioningRefused, match=r"another process|with other arguments"):
                    provision("acme", *second)
            finally:
                go_on.set()
            assert first.ended() == Tenant.objects.get()
        assert Job.objects.get().attempts == 1

    @pytest.mark.parametrize("names", [("Acme", "Acme", "Acme"), ("One", "Two", "Three")])
    def test_of_those_that_claim_a_slug_at_once_one_gets_it(self, names: tuple[str, ...]) -> None:
        barrier = threading.Barrier(len(names))
        claimants = [Claimant("acme", name, start_together=barrier) for name in names]
        results = [claimant.ended() for claimant in claimants]
        assert [result for result in results if isinstance(result, Tenant)] == [Tenant.objects.get()]
        assert sum(isinstance(result, ProvisioningRefused) for result in results) == len(names) - 1
        job = Job.objects.get()
        assert (job.state, len(job.steps)) == (JobState.DONE, len(conf.PROVISIONING) + 1)

    def test_of_two_that_claim_a_domain_at_once_one_gets_it(self) -> None:
        barrier = threading.Barrier(2)
        slugs = ("acme", "globex")
        claimants = [Claimant(slug, domain="shop.org", start_together=barrier) for slug in slugs]
        results = [claimant.ended() for claimant in claimants]
        assert [result for result in results if isinstance(result, Tenant)] == [Domain.objects.get().tenant]
        assert sum(isinstance(result, ProvisioningRefused) for result in results) == 1
        assert Tenant.objects.count() == Job.objects.count() == 1

    def test_of_two_who_resume_a_job_at_once_one_finishes_it(self) -> None:
        job = Job.objects.create(kind="provision", slug="acme", arguments=_arguments("acme"))
        barrier = threading.Barrier(2)
        claimants = [Claimant("acme", start_together=barrier) for _ in range(2)]
        results = [claimant.ended() for claimant in claimants]
        assert Tenant.objects.get() in results
        job.refresh_from_db()
        assert (job.state, len(job.steps)) == (JobState.DONE, len(conf.PROVISIONING) + 1)


def _arguments(slug: str) -> dict[str, Any]:
    empty = {"plan": "", "settings": {}, "domain": "", "domain_verified": False, "admin_email": ""}
    return {"name": slug, "isolation": "row", "database": "", **empty}


class Refused(ProvisioningRefused):
    pass


MOVE = jobs.Kind("test_move", "test_move", Refused)
READ = jobs.Kind("test_read", "test_read", Refused, only_reads=True)


def begin_on(tenant: Tenant, kind: jobs.Kind, **arguments: Any) -> Job:
    with unscoped(reason="test"):
        return jobs.begin(kind, tenant.slug, arguments, lambda: None, tenant=tenant)


def test_one_job_at_a_time_on_a_tenant(tenant: Tenant) -> None:
    first = begin_on(tenant, MOVE)
    with pytest.raises(Refused, match=f"unfinished job, test_move {first.uid}.*`test_move --resume {first.uid}`"):
        begin_on(tenant, READ)


def test_a_job_says_who_began_it(tenant: Tenant) -> None:
    with tenant_context(tenant, user=7):
        job = jobs.begin(MOVE, tenant.slug, {}, lambda: None, tenant=tenant)
    assert job.by == "user 7"


def test_what_a_step_found_out_is_kept_with_it(tenant: Tenant) -> None:
    def count(job: Job) -> None:
        job.result["rows"] = 3

    with unscoped(reason="test"):
        jobs.run(MOVE, begin_on(tenant, MOVE), {"count": count})
        assert Job.objects.get().result == {"rows": 3}


def test_what_a_step_outside_of_transactions_found_out_is_kept_too(tenant: Tenant) -> None:
    @jobs.outside_transactions
    def count(job: Job) -> None:
        job.result["rows"] = 3

    with unscoped(reason="test"):
        jobs.run(MOVE, begin_on(tenant, MOVE), {"count": count})
        assert Job.objects.get().result == {"rows": 3}


def test_a_job_that_only_reads_is_given_up_where_it_fails(tenant: Tenant) -> None:
    def fail(job: Job) -> None:
        raise ZeroDivisionError

    job = begin_on(tenant, READ)
    with unscoped(reason="test"), pytest.raises(ZeroDivisionError):
        jobs.run(READ, job, {"fail": fail})
    with unscoped(reason="test"):
        assert Job.objects.get().state == JobState.GIVEN_UP


def test_a_job_that_was_given_up_holds_nothing(tenant: Tenant) -> None:
    with unscoped(reason="test"):
        Job.objects.filter(pk=begin_on(tenant, READ).pk).update(state=JobState.GIVEN_UP)
    assert begin_on(tenant, READ).state == JobState.RUNNING
