"""Places that wait for tenants: made by the system, taken with the tenant's row, never by two, never again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import HomeMissing, JobFailed, ProvisioningRefused, TenantkitError
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle import finished, placement
from django_tenantkit.lifecycle.leaving import drop_left_places, leave_place, return_place
from django_tenantkit.lifecycle.places import (
    has_ready_place,
    make_place,
    take_place,
)
from django_tenantkit.lifecycle.pool import fill_pool
from django_tenantkit.lifecycle.provision import provision, sign_up
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Job, JobState, MigrationState, Place, PlaceState, Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION
from tests.lifecycle.helpers import Ran
from tests.operating import operated
from tests.testapp.models import Customer

pytestmark = pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema")


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(t|left)_[0-9a-f]{32}$'")
        return {name for (name,) in cursor.fetchall()}


class TestTaking:
    pytestmark = pytest.mark.django_db

    def test_a_tenant_takes_one_update_and_one_insert(self):
        with CaptureQueriesContext(connection) as captured:
            make_tenant("acme", isolation="schema")
        assert [query["sql"].split()[0] for query in captured] == ["UPDATE", "INSERT"]

    def test_the_tenant_has_the_uid_of_its_place(self):
        acme = make_tenant("acme", isolation="schema")
        assert Place.objects.get(pk=acme.uid).state == PlaceState.TAKEN
        assert schema_name(acme.uid) in schemas()

    def test_a_place_is_taken_once(self):
        number = Place.objects.filter(isolation="schema", database="").count()
        places = {take_place("schema") for _ in range(number + 1)}
        assert None in places
        assert len(places) == number + 1

    def test_a_place_that_is_half_made_is_not_taken(self):
        Place.objects.update(state=PlaceState.MAKING, migrations="")
        assert take_place("schema") is None
        assert take_place("schema", uid=Place.objects.first().pk) is None

    def test_whoever_gives_the_tenant_up_gives_its_place_back(self):
        before = Place.objects.filter(state=PlaceState.READY).count()
        with transaction.atomic():
            make_tenant("acme", isolation="schema")
            transaction.set_rollback(True)
        assert Place.objects.filter(state=PlaceState.READY).count() == before

    def test_where_none_is_ready_it_says_so(self):
        Place.objects.update(state=PlaceState.TAKEN)
        with pytest.raises(TenantkitError, match="No place is ready for a schema tenant"):
            make_tenant("acme", isolation="schema")


class TestSigningUp:
    pytestmark = pytest.mark.django_db

    def test_with_a_place_the_tenant_is_there_at_once(self):
        job = sign_up("acme", isolation="schema")
        assert job.state == JobState.DONE
        assert job.tenant.is_active
        assert job.tenant.home.schema in schemas()

    @pytest.mark.django_db(transaction=True)
    def test_it_takes_so_many_statements(self):
        """The job, the place and the tenant; its status; the end: each with its entry in the ledger, and locked."""
        with CaptureQueriesContext(connection) as captured:
            sign_up("acme", isolation="schema")
        sent = [" ".join(query["sql"].split()) for query in captured]
        kinds = [re.sub(r'^(\w+).*?"django_tenantkit_(\w+)".*$', r"\1 \2", text) for text in sent]
        assert [kind for kind in kinds if "pending_changes" not in kind and "SAVEPOINT" not in kind] == [
            *("BEGIN", "INSERT job", "SELECT tenant", "COMMIT"),
            *("SELECT place", "SELECT place"),
            *("BEGIN", "SELECT job", "SELECT tenant", "UPDATE place", "INSERT tenant", "UPDATE job", "COMMIT"),
            *("BEGIN", "SELECT job", "SELECT tenant", "UPDATE tenant", "UPDATE job", "COMMIT"),
            *("BEGIN", "SELECT job", "UPDATE job", "COMMIT"),
        ]

    @pytest.mark.django_db(transaction=True)
    def test_whoever_takes_the_last_place_meanwhile_leaves_it_to_the_pool(self):
        """No place was to be made, and now one is: nothing on record says that this was done."""
        nothing = patch("django_tenantkit.lifecycle.places.take_place", return_value=None)
        with nothing, pytest.raises(JobFailed, match="No place with the isolation"):
            sign_up("acme", isolation="schema")
        assert Job.objects.get().steps == []

    def test_without_one_the_job_waits(self):
        Place.objects.update(state=PlaceState.TAKEN)
        job = sign_up("acme", isolation="schema")
        assert (job.state, job.tenant) == (JobState.WAITING, None)
        assert not Tenant.objects.filter(slug="acme").exists()

    def test_a_row_tenant_needs_no_place(self):
        Place.objects.update(state=PlaceState.TAKEN)
        assert sign_up("acme", isolation="row").tenant.is_active

    def test_its_name_is_held_meanwhile(self):
        Place.objects.update(state=PlaceState.TAKEN)
        sign_up("acme", isolation="schema")
        with pytest.raises(ProvisioningRefused, match="An unfinished job"):
            provision("acme", "Other", isolation="row")

    def test_an_isolation_that_is_not_allowed_is_refused(self, settings):
        settings.TENANTKIT_ISOLATIONS = ["row"]
        with pytest.raises(ProvisioningRefused, match="TENANTKIT_ISOLATIONS"):
            sign_up("acme", isolation="schema")

    def test_an_unknown_server_is_refused(self):
        with pytest.raises(ProvisioningRefused, match="TENANTKIT_SERVERS has no entry 'mars'"):
            provision("acme", isolation="schema", database="mars")

    def test_on_another_server_there_are_no_row_tenants(self, settings):
        settings.TENANTKIT_SERVERS = {"eu": {}}
        settings.TENANTKIT_ISOLATIONS = ["row", "schema", "database"]
        with pytest.raises(ProvisioningRefused, match="row tenants share the tables of the main database"):
            provision("acme", isolation="row", database="eu")


class TestPlacement:
    pytestmark = pytest.mark.django_db

    def test_the_fewest_tenants(self, settings):
        settings.TENANTKIT_SERVERS = {"eu": {}, "us": {}}
        for slug, server in (("one", ""), ("two", "eu")):
            operated(Tenant.objects.create, slug=slug, isolation="database", database=server)
        assert [placement.fewest_tenants(isolation, "") for isolation in ("database", "row")] == ["us", ""]

    def test_a_server_without_room_for_a_schema_is_passed_over(self, settings):
        settings.TENANTKIT_SERVERS = {"eu": {}, "us": {}}
        settings.TENANTKIT_SCHEMA_LIMIT = 1
        operated(Tenant.objects.create, slug="one", isolation="schema", database="us")
        with patch.object(placement, "number_of_schemas", {"": 1, "eu": 1, "us": 0}.get):
            with patch.object(placement, "has_ready_place", lambda isolation, server: False):
                assert placement.fewest_tenants("schema", "") == "us"
            with patch.object(placement, "has_ready_place", lambda isolation, server: server == "eu"):
                assert placement.fewest_tenants("schema", "") == "eu"

    def test_by_plan(self, settings):
        settings.TENANTKIT_PLACEMENT_PLANS = {"gold": "eu"}
        assert [placement.by_plan("database", plan) for plan in ("gold", "free")] == ["eu", ""]
        assert placement.by_plan("schema", "gold") == "eu"
        assert placement.by_plan("row", "gold") == ""

    def test_the_policy_of_the_settings_is_asked(self, settings):
        settings.TENANTKIT_SERVERS = {"eu": {}}
        settings.TENANTKIT_PLACEMENT = "django_tenantkit.lifecycle.placement.by_plan"
        settings.TENANTKIT_PLACEMENT_PLANS = {"gold": "eu"}
        settings.TENANTKIT_ISOLATIONS = ["row", "database"]
        gold = ("--plan", "gold", "--isolation", "database")
        ran = Ran("create_tenant", "acme", *gold, "--dry-run", "--format", "json")
        assert ran.json["arguments"]["database"] == "eu"


@pytest.fixture
def new(transactional_db: None) -> Iterator[None]:
    """The test begins without places. Schemas that it makes are dropped after it, with their places."""
    before, found = schemas(), []
    with connection.as_system():
        found = list(Place.objects.all())
        Place.objects.all().delete()
    yield
    with connection.as_system(), connection.cursor() as cursor:
        for name in schemas() - before:
            cursor.execute(f"DROP SCHEMA {name} CASCADE")
        Place.objects.all().delete()
        Place.objects.bulk_create(found)


class TestMaking:
    pytestmark = pytest.mark.usefixtures("new")

    def test_a_new_place_is_whole_and_ready(self):
        place = make_place("schema")
        assert (place.state, place.attempts, place.error) == (PlaceState.READY, 1, "")
        assert place.migrations
        assert has_ready_place("schema")

    def test_what_fails_is_kept_and_made_by_the_next_call(self, monkeypatch):
        def fail(*args: Any) -> None:
            raise RuntimeError("disk full")

        MigrationState.objects.all().delete()  # there is no finished schema to make it of
        finished.forget()
        monkeypatch.setattr("django_tenantkit.lifecycle.homes.guard_home", fail)
        with pytest.raises(RuntimeError):
            make_place("schema")
        place = Place.objects.get()
        assert (place.state, place.error) == (PlaceState.MAKING, "RuntimeError: disk full")
        monkeypatch.undo()
        made = make_place("schema", uid=place.uid)
        assert (made.state, made.attempts, made.error) == (PlaceState.READY, 2, "")

    def test_two_processes_make_it_once(self):
        place = make_place("schema", ready=False)
        results: list[Place] = []

        def work() -> None:
            try:
                results.append(make_place("schema", uid=place.uid))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [made.state for made in results] == [PlaceState.READY] * 2
        assert Place.objects.get().state == PlaceState.READY

    def test_provisioning_makes_a_place_where_none_is_ready(self):
        tenant = provision("acme", isolation="schema")
        assert tenant.is_active
        with tenant_context(tenant):
            Customer.objects.create(name="first")
            assert Customer.objects.count() == 1
        assert Place.objects.get().state == PlaceState.TAKEN

    def test_provisioning_that_failed_goes_on_with_its_place(self, settings):
        steps = [*settings_steps(), "tests.lifecycle.helpers.failing_step"]
        settings.TENANTKIT_PROVISIONING = steps
        with pytest.raises(JobFailed):
            provision("acme", isolation="schema")
        settings.TENANTKIT_PROVISIONING = steps[:-1]
        assert provision("acme", isolation="schema").is_active
        assert Place.objects.count() == 1

    def test_the_pool_is_filled_and_those_who_wait_are_served(self, settings):
        settings.TENANTKIT_WARM_POOL = {"schema": 1}
        sign_up("acme", isolation="schema")
        done = fill_pool()
        assert (done.tenants, len(done.places), done.failed) == (["acme"], 1, {})
        assert Tenant.objects.get().is_active
        assert fill_pool().places == []

    def test_the_command_says_what_it_would_do(self, settings):
        settings.TENANTKIT_WARM_POOL = {"schema": 2}
        ran = Ran("fill_pool", "--dry-run")
        assert "0 tenants wait for a place, 2 places are missing" in ran.out
        assert not Place.objects.exists()


def settings_steps() -> list[str]:
    from django_tenantkit.conf import conf

    return list(conf.PROVISIONING)


class TestLeaving:
    pytestmark = pytest.mark.usefixtures("new")

    @pytest.fixture
    def acme(self, new: None) -> Any:
        tenant = provision("acme", isolation="schema")
        with tenant_context(tenant):
            Customer.objects.create(name="kept")
        return tenant

    def test_one_in_use_is_not_left(self, acme):
        with pytest.raises(TenantkitError, match="`suspend_tenant acme`"):
            leave_place(acme)

    def test_it_is_out_of_reach_and_comes_back_whole(self, acme):
        suspend(acme)
        leave_place(acme)
        with tenant_context(acme), pytest.raises(HomeMissing):
            Customer.objects.count()
        return_place(acme)
        with tenant_context(acme):
            assert Customer.objects.get().name == "kept"

    def test_it_is_dropped_when_its_grace_is_over(self, acme):
        suspend(acme)
        leave_place(acme)
        assert drop_left_places() == []
        Place.objects.update(drop_after=timezone.now() - timedelta(seconds=1))
        assert [place.uid for place in drop_left_places()] == [acme.uid]
        assert schemas() & {schema_name(acme.uid), f"left_{acme.uid.hex}"} == set()
        assert Place.objects.get().state == PlaceState.GONE

    def test_a_place_that_is_gone_is_never_taken(self, acme):
        suspend(acme)
        leave_place(acme, days=0)
        drop_left_places()
        assert take_place("schema", uid=acme.uid) is None

    def test_the_command_asks_for_the_slug_again(self, acme):
        ran = Ran("retire_home", "acme")
        assert (ran.code, "--yes-retire acme" in ran.complaint) == (2, True)
        assert Place.objects.get().state == PlaceState.TAKEN

    def test_the_command_takes_it_away_and_brings_it_back(self, acme):
        suspend(acme)
        assert "is leaving; it is dropped after" in Ran("retire_home", "acme", "--yes-retire", "acme").out
        assert "is taken." in Ran("retire_home", "acme", "--undo").out
        with tenant_context(acme):
            assert Customer.objects.count() == 1

    def test_the_command_refuses_one_in_use(self, acme):
        ran = Ran("retire_home", "acme", "--yes-retire", "acme")
        assert (ran.code, "suspend_tenant acme" in ran.complaint) == (2, True)
