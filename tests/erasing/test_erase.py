"""Erasing: everything of one tenant goes, everywhere, nothing of another's, and the certificate says so. With
TENANTKIT_TEST_ISOLATION=schema and database also tenants with homes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.utils import timezone

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.exceptions import EraseRefused, JobFailed, ProvisioningRefused
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.claims import refuse_taken
from django_tenantkit.lifecycle.erase.certificate import is_whole
from django_tenantkit.lifecycle.erase.grace import bring_back
from django_tenantkit.lifecycle.erase.homes import drop_homes
from django_tenantkit.lifecycle.erase.run import erase, prepare, resume_erasing
from django_tenantkit.lifecycle.fence import set_fence, unfence
from django_tenantkit.lifecycle.leaving import leave_place
from django_tenantkit.lifecycle.move.run import move
from django_tenantkit.lifecycle.stores import Store
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Domain, Job, JobState, Membership, Place, PlaceState, TenantStatus
from django_tenantkit.signals import tenant_erased, tenant_erasing
from django_tenantkit.sql.fence import FENCES, OPEN
from tests.databases import ISOLATION, WITH_DATABASES
from tests.erasing.papers.models import Account, Charge, Receipt
from tests.erasing.world import World, cached, database_names, files_with, holding, marker, reread, rows_of
from tests.lifecycle.helpers import Ran
from tests.operating import operated
from tests.testapp.models import Customer, Invoice

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the search reads PostgreSQL's tables"),
]

ROWS = "public" if ISOLATION == "row" else "rows"
KINDS = ["row"] + ["schema"] * (ISOLATION != "row") + ["database"] * (ISOLATION in WITH_DATABASES)


@pytest.fixture(params=KINDS)
def world(request: Any, transactional_db: None) -> Iterator[World]:
    world = World(request.param)
    yield world
    for tenant in (world.acme, world.globex):  # flush leaves what is no row
        with suppress(Exception):
            unfence(tenant)
        set_fence(tenant, OPEN, None)


def erased(world: World, **options: Any) -> dict[str, Any]:
    """The certificate of acme."""
    job = erase(world.acme, now=True, **options)
    assert job.state == JobState.DONE
    certificate: dict[str, Any] = job.result["certificate"]
    return certificate


class TestEverythingGoes:
    def test_no_marker_is_left_in_any_table_file_or_cache(self, world):
        mark = marker("acme")
        assert holding(mark)
        erased(world)
        assert holding(mark) == set()
        assert files_with(mark) == []
        assert [key for key in cached() if world.acme.uid.hex in key] == []

    def test_the_other_tenant_is_as_it_was(self, world):
        before = rows_of(world.globex)
        erased(world)
        assert rows_of(world.globex) == before

    def test_its_uid_is_in_its_own_row_its_place_and_its_jobs_alone(self, world):
        erased(world)
        tables = {table.rpartition(".")[2] for table in holding(str(world.acme.uid))}
        assert tables <= {"django_tenantkit_tenant", "django_tenantkit_place", "django_tenantkit_job"}
        assert {table.rpartition(".")[2] for table in holding(world.acme.uid.hex)} <= {"django_tenantkit_job"}

    def test_homes_are_dropped(self, world):
        erased(world)
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema_name(world.acme.uid)])
            assert cursor.fetchall() == []
        assert database_names(world.acme.uid) == []

    def test_sessions_that_were_begun_there_end(self, world):
        before = Session.objects.count()
        erased(world)
        assert Session.objects.count() == before - 1

    def test_what_the_admins_log_says_of_its_rows(self, world):
        erased(world)
        assert [entry.object_repr for entry in LogEntry.objects.all()] == [marker("globex")] * 3

    def test_shared_rows_about_it_and_what_hangs_on_them(self, world):
        erased(world)
        for model in (Account, Charge, Domain, Membership):
            assert model.objects.count() == 1

    def test_its_other_jobs_say_who_and_when_and_no_more(self, world):
        erased(world)
        jobs = Job.objects.filter(slug="acme").exclude(kind="erase")
        assert {(job.kind, str(job.arguments), job.error, job.domain) for job in jobs} == {("provision", "{}", "", "")}

    def test_a_copy_lives_on_and_does_not_name_it(self, world, settings):
        settings.TENANTKIT_ARCHIVE_KEYS = {"testapp.Plan": ["name"], "testapp.Region": ["name"]}
        job = clone_tenant(world.acme, "sandbox")
        before = rows_of(job.tenant)
        erased(world)
        job.refresh_from_db()
        assert job.arguments["source"] == ""
        assert rows_of(job.tenant) == before

    def test_users_are_kept(self, world):
        erased(world)
        assert get_user_model().objects.filter(username="user of acme").exists()

    def test_users_of_this_tenant_alone_become_nobody_on_request(self, world):
        both = get_user_model().objects.create_user("both", email="both@example.com")
        for tenant in (world.acme, world.globex):
            Membership.objects.create(user=both, tenant=tenant)
        assert erased(world, users_too=True)["users_made_nobody"] == 1
        names = set(get_user_model().objects.values_list("username", flat=True))
        assert names >= {"both", "user of globex"}
        assert "user of acme" not in names
        assert holding("ann@acme.example") == set()


class TestTheTombstone:
    def test_it_is_emptied_and_keeps_its_names(self, world):
        erased(world)
        acme = reread(world.acme)
        assert (acme.slug, acme.uid, acme.status) == ("acme", world.acme.uid, TenantStatus.ERASED)
        assert (acme.name, acme.plan, acme.isolation) == ("", "", "row")
        assert acme.erased_at is not None

    def test_slug_and_domain_are_reserved(self, world):
        erased(world)
        with pytest.raises(ProvisioningRefused, match="The slug 'acme' was an erased tenant's"):
            refuse_taken("acme", "")
        with pytest.raises(ProvisioningRefused, match=r"The domain .* was an erased tenant's"):
            refuse_taken("other", f"{marker('acme')}.org")

    def test_after_the_quarantine_they_are_free(self, world, settings):
        erased(world)
        settings.TENANTKIT_SLUG_QUARANTINE = 0
        refuse_taken("acme", f"{marker('acme')}.org")

    def test_it_is_not_erased_twice(self, world):
        erased(world)
        with pytest.raises(EraseRefused, match="is erased"):
            erase(reread(world.acme), now=True)


class TestTheGrace:
    def test_the_tenant_is_out_of_reach_and_as_it_was(self, world):
        before = rows_of(world.acme)
        job = erase(world.acme, days=3)
        assert (job.state, reread(world.acme).status) == (JobState.WAITING, TenantStatus.ERASING)
        after = rows_of(world.acme)
        assert {table: len(rows) for table, rows in after.items()} == {
            table: len(rows) for table, rows in before.items()
        }

    def test_it_comes_back_as_it_was(self, world):
        suspend(world.acme)
        erase(world.acme)
        assert bring_back(reread(world.acme)).status == TenantStatus.SUSPENDED
        assert Job.objects.filter(state=JobState.WAITING).count() == 0
        assert erase(world.acme).state == JobState.WAITING

    def test_not_once_its_rows_are_being_erased(self, world, settings):
        settings.TENANTKIT_STORES = [f"{__name__}.Broken"]
        with pytest.raises(JobFailed):
            erase(world.acme, now=True)
        with pytest.raises(EraseRefused, match="cannot come back"):
            bring_back(reread(world.acme))

    def test_the_same_call_goes_on_when_it_is_over(self, world):
        erase(world.acme, days=0)
        assert reread(world.acme).status == TenantStatus.ERASED

    def test_until_then_it_waits(self, world):
        erase(world.acme, days=3)
        assert erase(world.acme, days=3).state == JobState.WAITING

    def test_an_operator_can_end_it(self, world):
        erase(world.acme, days=3)
        assert erase(world.acme, now=True).state == JobState.DONE

    def test_those_that_are_due_are_erased_by_one_command(self, world):
        erase(world.acme, days=3)
        erase(world.globex, days=3)
        assert "No tenant's grace is over." in Ran("erase_tenant", "--due").out
        job = operated(Job.objects.get, kind="erase", slug="acme")
        job.result["until"] = (timezone.now() - timedelta(seconds=1)).isoformat()
        operated(job.save)
        assert Ran("erase_tenant", "--due").out == "acme is erased.\n"
        assert reread(world.globex).status == TenantStatus.ERASING

    def test_one_that_was_killed_is_due_too(self, world):
        job = erase(world.acme, days=3)
        job.result["until"] = (timezone.now() - timedelta(seconds=1)).isoformat()
        job.state = JobState.RUNNING
        operated(job.save)
        assert Ran("erase_tenant", "--due").out == "No tenant's grace is over.\n"  # somebody may be at it
        long_ago = timezone.now() - timedelta(hours=2)
        operated(Job.objects.filter(pk=job.pk).update, updated_at=long_ago)
        assert Ran("erase_tenant", "--due").out == "acme is erased.\n"


class Broken(Store):
    """A store that cannot."""

    def erase(self, tenant: Any) -> None:
        raise RuntimeError("no such luck")


class Remembering(Store):
    """A store of the project's: what it has and what it was asked."""

    has: set[str] = set()
    saw: list[tuple[Any, int]] = []

    def erase(self, tenant: Any) -> None:
        self.saw.append((get_current_tenant(), Customer.objects.count()))
        self.has.discard(str(tenant.uid))

    def remains(self, tenant: Any) -> list[str]:
        return ["the account at the bank"] if str(tenant.uid) in self.has else []


class Keeping(Remembering):
    """A store that forgets nothing."""

    def erase(self, tenant: Any) -> None: ...


class TestStores:
    def test_they_are_asked_inside_the_tenant_while_its_rows_are_there(self, world, settings):
        settings.TENANTKIT_STORES = [f"{__name__}.Remembering"]
        Remembering.has, Remembering.saw = {str(world.acme.uid), str(world.globex.uid)}, []
        certificate = erased(world)
        assert Remembering.saw == [(world.acme, 2)]
        assert Remembering.has == {str(world.globex.uid)}
        assert f"{__name__}.Remembering" in certificate["stores"]

    def test_what_they_still_have_is_no_certificate(self, world, settings):
        settings.TENANTKIT_STORES = [f"{__name__}.Keeping"]
        Keeping.has = {str(world.acme.uid)}
        with pytest.raises(JobFailed, match="the account at the bank"):
            erase(world.acme, now=True)
        assert reread(world.acme).status == TenantStatus.ERASED  # out of reach all the same
        Keeping.has = set()
        assert resume_erasing(Job.objects.get(kind="erase").uid).state == JobState.DONE

    def test_one_that_cannot_be_searched_is_named(self, world, settings):
        settings.TENANTKIT_STORES = [f"{__name__}.Silent"]
        assert f"store {__name__}.Silent: it has no remains()" in erased(world)["not_searched"]


class Writing(Store):
    """A store behind whose back somebody writes: a process that had the tenant at hand before."""

    refused: list[str] = []

    def erase(self, tenant: Any) -> None:
        self.refused.append(type(stale(tenant)).__name__)


def stale(tenant: Any) -> Exception | None:
    """What a process gets that writes in a tenant which it believes to be at work."""
    try:
        with tenant_context(tenant):
            Customer.objects.create(name=marker("acme"))
    except Exception as error:
        return error
    return None


class TestStaleProcesses:
    def test_what_they_write_is_refused_from_the_beginning(self, world, settings):
        settings.TENANTKIT_STORES = [f"{__name__}.Writing"]
        Writing.refused = []
        erased(world)
        assert Writing.refused == ["TenantUnavailable"]
        assert holding(marker("acme")) == set()

    def test_in_a_home_that_is_gone_to_the_end_of_days(self, world):
        erased(world)
        if world.acme.isolation != "row":
            assert type(stale(world.acme)).__name__ == "HomeMissing"

    def test_fences_are_taken_away_when_all_have_forgotten_the_tenant(self, world, settings, monkeypatch):
        settings.TENANTKIT_LOOKUP_SECONDS = 30
        slept: list[float] = []
        monkeypatch.setattr("django_tenantkit.lifecycle.erase.homes.time.sleep", slept.append)
        erased(world)
        assert [seconds <= 30 for seconds in slept if seconds > 20] == [True] * (world.acme.isolation == "row")
        with connections["default"].as_system(), connection.cursor() as cursor:
            cursor.execute(FENCES)
            assert str(world.acme.pk) not in {key for *_, key in cursor.fetchall()}

    def test_a_home_that_was_put_away_comes_back_to_be_erased(self, world):
        if world.acme.isolation == "row":
            return
        suspend(world.acme)
        leave_place(world.acme)
        erased(world)
        assert files_with(marker("acme")) == []
        assert holding(marker("acme")) == set()


@pytest.mark.skipif(ISOLATION == "row", reason="there is nowhere to move to")
@pytest.mark.parametrize(("first", "then"), [("row", "schema"), ("schema", "row")])
class TestAfterAMove:
    @pytest.fixture
    def moved(self, first: str, then: str, transactional_db: None) -> World:
        world = World(first)
        move(world.acme, then)
        world.acme = reread(world.acme)
        assert world.acme.isolation == then
        return world

    def test_what_was_left_goes_too(self, moved, first):
        certificate = erased(moved)
        assert holding(marker("acme")) == set()
        assert certificate["rows"]["testapp.Customer"] == 2
        assert set(Place.objects.filter(left_by=moved.acme.uid).values_list("state", flat=True)) == {PlaceState.GONE}
        with connection.cursor() as cursor:
            cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^left_'")
            assert cursor.fetchall() == []

    def test_and_what_the_law_keeps_stays_where_the_tenant_lives(self, moved, settings):
        settings.TENANTKIT_ERASE_KEEP = {"papers.Receipt": "tax law"}
        assert erased(moved)["kept"]["papers.Receipt"]["rows"] == 1
        [table] = holding(marker("acme"))
        assert table.startswith("default: t_" if moved.acme.isolation == "schema" else "default: rows.")


class Silent(Store):
    """A store that cannot be searched."""

    def erase(self, tenant: Any) -> None: ...


class TestTheSearch:
    def test_rows_that_came_meanwhile_are_found_and_erased_by_the_next_call(self, world, monkeypatch):
        def write(tenant: Any) -> None:
            drop_homes(tenant)
            with connections["default"].as_system(), connection.cursor() as cursor:
                into = f"INSERT INTO {ROWS}.papers_receipt (id, text, tenant_id)"
                cursor.execute(f"{into} VALUES (gen_random_uuid(), 'late', %s)", [tenant.pk])

        monkeypatch.setattr("django_tenantkit.lifecycle.erase.steps.drop_homes", write)
        with pytest.raises(JobFailed, match=r"rows of papers\.Receipt"):
            erase(world.acme, now=True)
        monkeypatch.undo()
        job = resume_erasing(Job.objects.get(kind="erase").uid)
        assert job.result["certificate"]["rows"]["papers.Receipt"] == 2
        assert holding(marker("acme")) == set()

    def test_the_uid_in_any_text_is_left(self, world):
        with tenant_context(world.globex):
            Customer.objects.create(name=f"from {world.acme.uid}")
        with pytest.raises(JobFailed, match=r"testapp_customer.* that contain its uid"):
            erase(world.acme, now=True)

    def test_the_slug_and_the_domain_as_words_are_for_a_person_to_judge(self, world):
        with tenant_context(world.globex):
            Customer.objects.create(name="Met ACME, Tuesday")
            Customer.objects.create(name="acmeology")
            Customer.objects.create(name=f"see https://{marker('acme')}.org/")
        found = {where.partition(": ")[0]: n for where, n in erased(world)["mentions"].items() if "customer" in where}
        assert found == {"slug": 1, "domains": 1}

    def test_tables_that_are_nobodys_model_are_searched(self, world):
        with connections["default"].as_system(), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE forgotten (what jsonb)")
            cursor.execute("INSERT INTO forgotten VALUES (jsonb_build_object('who', %s::text))", [world.acme.uid.hex])
        try:
            with pytest.raises(JobFailed, match="forgotten"):
                erase(world.acme, now=True)
        finally:
            with connections["default"].as_system(), connection.cursor() as cursor:
                cursor.execute("DROP TABLE forgotten")

    def test_it_can_be_spared(self, world):
        assert "texts of tables: it was not asked for" in erased(world, in_texts=False)["not_searched"]


class TestWhatTheLawKeeps:
    def test_its_rows_stay_and_are_named_with_the_reason(self, world, settings):
        settings.TENANTKIT_ERASE_KEEP = {"papers.Receipt": "tax law, ten years"}
        certificate = erased(world)
        assert certificate["kept"] == {"papers.Receipt": {"reason": "tax law, ten years", "rows": 1}}
        with tenant_context(reread(world.acme)):
            assert [receipt.text for receipt in Receipt.objects.all()] == [marker("acme")]
            assert Customer.objects.count() == Invoice.objects.count() == 0

    def test_nothing_else_stays(self, world, settings):
        settings.TENANTKIT_ERASE_KEEP = {"papers.Receipt": "tax law"}
        erased(world)
        assert {table.rpartition(".")[2] for table in holding(marker("acme"))} == {"papers_receipt"}

    def test_a_shared_model_can_be_kept(self, world, settings):
        settings.TENANTKIT_ERASE_KEEP = {"papers.Account": "contract"}
        erased(world)
        assert Account.objects.count() == Charge.objects.count() == 2
        assert [path.parent.name for path in files_with(marker("acme"))] == ["contracts"]

    def test_what_it_refers_to_has_to_be_kept_too(self, world, settings):
        settings.TENANTKIT_ERASE_KEEP = {"testapp.Invoice": "tax law"}
        with pytest.raises(EraseRefused, match=r"Name testapp.Customer in TENANTKIT_ERASE_KEEP too"):
            erase(world.acme)
        assert reread(world.acme).is_active
        settings.TENANTKIT_ERASE_KEEP = {"testapp.Invoice": "tax law", "testapp.Customer": "who it is for"}
        assert {label: one["rows"] for label, one in erased(world)["kept"].items()} == {
            "testapp.Customer": 2,
            "testapp.Invoice": 1,
        }

    def test_a_model_that_is_none_is_refused(self, world, settings):
        settings.TENANTKIT_ERASE_KEEP = {"testapp.Invoise": "tax law"}
        with pytest.raises(EraseRefused, match=r"testapp\.Invoise"):
            erase(world.acme)


class TestTheCertificate:
    def test_it_counts_what_there_was(self, world):
        plan = prepare(world.acme)
        certificate = erased(world)
        assert certificate["rows"] == plan.rows
        assert certificate["rows"]["testapp.Customer"] == 2
        assert certificate["shared_rows"] == plan.shared_rows
        assert certificate["shared_rows"]["django_tenantkit.Membership"] == 1

    def test_it_says_who_when_and_where(self, world):
        certificate = erased(world)
        job = Job.objects.get(kind="erase")
        assert certificate["tenant"] == {"uid": str(world.acme.uid), "slug": "acme"}
        assert (certificate["job"], certificate["by"]) == (str(job.uid), job.by)
        assert certificate["isolation"] == world.acme.isolation
        assert bool(certificate["homes"]) == (world.acme.isolation != "row")
        assert certificate["searched"]["tables"] > 20

    def test_its_hash_is_over_all_of_it(self, world):
        certificate = erased(world)
        assert is_whole(certificate)
        assert not is_whole({**certificate, "by": "somebody else"})
        assert is_whole(json.loads(json.dumps(certificate, indent=2)))

    def test_it_names_no_domain(self, world):
        assert marker("acme") not in json.dumps(erased(world))

    def test_receivers_hear_before_and_after(self, world):
        heard: list[Any] = []

        def before(tenant: Any, **kwargs: Any) -> None:
            heard.append(("erasing", tenant.slug, get_current_tenant()))

        def after(tenant: Any, certificate: Any, **kwargs: Any) -> None:
            heard.append(("erased", tenant.slug, is_whole(certificate)))

        tenant_erasing.connect(before)
        tenant_erased.connect(after)
        try:
            erase(world.acme, days=3)
            assert heard == []
            erase(world.acme, now=True)
        finally:
            tenant_erasing.disconnect(before)
            tenant_erased.disconnect(after)
        assert heard == [("erasing", "acme", None), ("erased", "acme", True)]


@pytest.mark.parametrize("slug", ["a'; DROP TABLE x; --", "100%_(.*)\\", 'Ünï"cøde', "a", "{slug}"])
def test_hostile_slugs_are_names_like_any_other(slug, transactional_db):
    world = World("row", slug)
    before = rows_of(world.globex)
    erased(world)
    assert rows_of(world.globex) == before
    assert holding(marker(slug)) == set()


class TestTheCommand:
    def test_it_asks_for_the_slug_again(self, world):
        for arguments in ([], ["--yes-erase", "globex"]):
            ran = Ran("erase_tenant", "acme", *arguments)
            assert (ran.code, "--yes-erase acme" in ran.complaint) == (2, True)
        assert reread(world.acme).is_active

    def test_it_says_until_when_the_tenant_can_come_back(self, world):
        ran = Ran("erase_tenant", "acme", "--yes-erase", "acme")
        assert "`resume_tenant acme` brings it back" in ran.out
        assert Ran("resume_tenant", "acme").out == "acme is active.\n"

    def test_it_writes_the_certificate_which_can_be_verified(self, world, tmp_path):
        file = tmp_path / "acme.json"
        ran = Ran("erase_tenant", "acme", "--yes-erase", "acme", "--now", "--certificate", str(file))
        assert "acme is erased: " in ran.out
        assert "is as it was written" in Ran("erase_tenant", "--verify", str(file)).out
        file.write_text(file.read_text().replace('"acme"', '"acne"'))
        assert Ran("erase_tenant", "--verify", str(file)).code == 1

    def test_what_is_left_is_exit_code_1(self, world, settings):
        settings.TENANTKIT_STORES = [f"{__name__}.Keeping"]
        Keeping.has = {str(world.acme.uid)}
        ran = Ran("erase_tenant", "acme", "--yes-erase", "acme", "--now")
        assert (ran.code, "the account at the bank" in ran.complaint) == (1, True)
        assert "erase_tenant --resume" in ran.complaint

    def test_a_dry_run_counts_and_changes_nothing(self, world):
        before = rows_of(world.acme)
        ran = Ran("erase_tenant", "acme", "--dry-run", "--format", "json")
        assert (ran.json["rows"]["testapp.Customer"], ran.json["seconds"] < 1) == (2, True)
        assert "erased: 2 rows of testapp.Customer" in Ran("erase_tenant", "acme", "--dry-run").out
        assert rows_of(world.acme) == before
        assert not Job.objects.filter(kind="erase").exists()

    @pytest.mark.parametrize(
        "arguments", [[], ["acme", "--due"], ["nosuch"], ["--resume", "nosuch"], ["--resume", "nosuch", "--dry-run"]]
    )
    def test_wrong_use_is_exit_code_2(self, arguments, db):
        assert Ran("erase_tenant", *arguments).code == 2

    def test_another_job_on_the_tenant_goes_first(self, world):
        operated(Job.objects.create, kind="provision", slug="x", tenant=world.acme, state=JobState.FAILED)
        ran = Ran("erase_tenant", "acme", "--yes-erase", "acme")
        assert (ran.code, "unfinished job, provision" in ran.complaint) == (2, True)
