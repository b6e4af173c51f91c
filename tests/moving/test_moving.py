"""What holds while a tenant moves, and after it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import JobFailed, MoveRefused, TenantUnavailable
from django_tenantkit.fields import uuid7
from django_tenantkit.isolation import copying
from django_tenantkit.isolation.entries import SHARED
from django_tenantkit.lifecycle.erase.homes import drop_homes
from django_tenantkit.lifecycle.fence import unfence
from django_tenantkit.lifecycle.leaving import drop_at_once, drop_left_places
from django_tenantkit.lifecycle.move import run
from django_tenantkit.lifecycle.move.run import give_up, move, prepare, resume, roll_back
from django_tenantkit.lifecycle.move.sides import Spot, opened
from django_tenantkit.lifecycle.suspend import resume as resume_tenant
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.lookup import find_by_slug
from django_tenantkit.models import Job, JobState, Place, PlaceState, Tenant, TenantStatus
from django_tenantkit.signals import tenant_moved, tenant_moving
from tests.databases import ISOLATION, WITH_DATABASES
from tests.moving.ground import ISOLATIONS, PAIRS, audited, fill, fresh, movers, objects, rows
from tests.operating import operated
from tests.presets.models import Rate, Sale
from tests.testapp.models import Category, Customer, Note, Plan, Product, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]

pairs = pytest.mark.parametrize(("before", "after"), PAIRS)


class Between:
    """Calls functions between the steps of a move: `progress` of the job."""

    def __init__(self, **after: Callable[[], None]) -> None:
        self.after = after

    def __call__(self, done: int, of: int, name: str) -> None:
        if name in self.after:
            self.after[name]()


def same_numbers(*tenants: Any) -> None:
    """Let the sequences of their homes go on at the same number."""
    for tenant in tenants:
        with opened(Spot.of(tenant)) as (_, (side,)):
            for columns in side.columns.values():
                for column in columns:
                    if column.sequence is not None:
                        side.raw.execute(f"SELECT setval('{column.sequence}', 100000)")


def executed(spot: Spot, statement: str) -> list[Any]:
    """Run a statement as the owner where a home is."""
    with opened(spot) as (_, (side,)):
        cursor = side.raw.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pairs
def test_a_process_that_knows_nothing_of_it_loses_nothing(before: str, after: str) -> None:
    """It holds the tenant from before. What it is told was written is there; the rest it is refused."""
    with movers(before) as (tenant,):
        fill(tenant, 1)
        written = []

        def write(name: str) -> None:
            with tenant_context(tenant):
                Customer.objects.create(name=name)
                Customer.objects.filter(name=name).update(email=f"{name}@example.com")
            written.append(name)

        def refused(name: str) -> Callable[[], None]:
            def call() -> None:
                with pytest.raises(TenantUnavailable):
                    write(name)
                with tenant_context(tenant), pytest.raises(TenantUnavailable):
                    Customer.objects.filter(name="nobody").update(name="x")

            return call

        between = Between(
            begin=lambda: write("begin"),
            freeze=lambda: write("freeze"),
            fence=refused("fence"),
            move_rows=refused("move_rows"),
            leave=refused("leave"),
            thaw=refused("thaw"),
        )
        move(tenant, after, remap=True, progress=between)
        with tenant_context(fresh(tenant)):
            assert written == ["begin", "freeze"]
            assert Customer.objects.filter(name__in=written).count() == 2
            assert Customer.objects.filter(name__in=["fence", "move_rows", "leave", "thaw"]).count() == 0
        with tenant_context(tenant), pytest.raises(TenantUnavailable):
            list(Customer.objects.all())


@pairs
def test_back_with_what_was_written_since(before: str, after: str) -> None:
    with movers(before, "row") as (tenant, other):
        fill(other, 1)
        theirs = rows(other)
        move(tenant, after)
        fill(fresh(tenant))
        with tenant_context(fresh(tenant)):
            Customer.objects.filter(email="c0@example.com").update(email="changed@example.com")
        seen = objects(tenant)
        roll_back(fresh(tenant), remap=True)
        tenant = fresh(tenant)
        assert tenant.isolation == before
        assert objects(tenant) == seen
        assert rows(other) == theirs


def test_around_and_around() -> None:
    with movers("row", "row") as (tenant, other):
        fill(tenant)
        fill(other)
        theirs, seen = rows(other), objects(tenant)
        for to in ("schema", "database", "row", "database", "schema", "row"):
            move(fresh(tenant), to, remap=True)
            assert objects(tenant) == seen
        assert rows(other) == theirs


def test_keys_that_are_taken_are_found_before_anything_is_written() -> None:
    with movers("schema", "row") as (tenant, other):
        same_numbers(tenant, other)
        fill(tenant)
        fill(other)
        before = rows(tenant), rows(other)
        with pytest.raises(MoveRefused, match=r"primary keys of \d+ of \S+.* Say --remap"):
            move(tenant, "row")
        assert (rows(tenant), rows(other)) == before
        assert not Job.objects.exists()
        assert fresh(tenant).status == TenantStatus.ACTIVE


def test_keys_of_automatic_many_to_many_rows_are_replaced_where_they_are_taken() -> None:
    with movers("schema", "row") as (tenant, other):
        same_numbers(tenant, other)
        for one in (tenant, other):
            with tenant_context(one):
                Category.objects.create(name="one").related.add(Category.objects.create(name="other"))
        job = move(tenant, "row")
        assert job.result["remapped"] == {"testapp.Category_related": 2}
        with tenant_context(fresh(tenant)):
            assert Category.objects.get(name="one").related.get().name == "other"


@pytest.mark.parametrize("before", ["schema", "database"])
def test_new_keys_go_through_every_reference(before: str) -> None:
    with movers(before, "row") as (tenant, other):
        same_numbers(tenant, other)
        fill(tenant)
        fill(other)
        seen, theirs = objects(tenant), rows(other)
        job = move(tenant, "row", remap=True)
        assert objects(tenant) == seen
        assert rows(other) == theirs
        assert job.result["remapped"]["testapp.Tag"] == 2
        with tenant_context(fresh(tenant)):
            tag = Tag.objects.get(label="1")
            assert Note.objects.get(object_id=str(tag.pk), text="of a tag").subject == tag
            taken = {row["id"] for row in Product.objects.values("id")}
        with tenant_context(other):
            assert taken.isdisjoint(row["id"] for row in Product.objects.values("id"))


@pytest.mark.parametrize("before", ISOLATIONS)
def test_it_is_refused_where_it_is(before: str) -> None:
    with movers(before) as (tenant,), pytest.raises(MoveRefused, match="is there already"):
        move(tenant, before)


def test_it_is_refused_where_it_cannot_be(settings: Any) -> None:
    with movers("row") as (tenant,):
        with pytest.raises(MoveRefused, match="no entry 'mars'"):
            move(tenant, "database", "mars")
        with pytest.raises(Exception, match="no isolation 'heap'"):
            move(tenant, "heap")
        settings.TENANTKIT_ISOLATIONS = ["row", "database"]
        with pytest.raises(MoveRefused, match="not among those of this deployment, row, database"):
            move(tenant, "schema")
        operated(Tenant.objects.filter(pk=tenant.pk).update, status="erasing")
        with pytest.raises(MoveRefused, match="is erasing; active, suspended, maintenance ones can move"):
            move(fresh(tenant), "database")


def test_tables_without_a_tenants_column_cannot_become_shared(settings: Any) -> None:
    settings.TENANTKIT_TENANT_APPS = ["sessions"]
    with movers("schema") as (tenant,), pytest.raises(MoveRefused, match="The tables django_session have no"):
        move(tenant, "row")


@pytest.mark.parametrize("before", ["schema", "database"])
def test_a_table_that_no_model_knows_is_not_left_behind(before: str) -> None:
    with movers(before) as (tenant,):
        spot = Spot.of(tenant)
        executed(spot, f'CREATE TABLE "{spot.schema}".legacy (id int)')
        try:
            executed(spot, f'INSERT INTO "{spot.schema}".legacy VALUES (1)')
            with pytest.raises(MoveRefused, match=r"No model knows \S+\.legacy, and there are rows"):
                move(tenant, "row")
            executed(spot, f'DELETE FROM "{spot.schema}".legacy')
            prepare(tenant, "row")
        finally:
            executed(spot, f'DROP TABLE "{spot.schema}".legacy')


def test_a_reference_to_a_shared_row_that_is_gone_is_told() -> None:
    with movers("schema") as (tenant,):
        fill(tenant, 1)
        executed(Spot.of(tenant), f'UPDATE "{Spot.of(tenant).schema}".testapp_customer SET plan_id = 0')
        with pytest.raises(MoveRefused, match=r"shared rows that are not there any more: \d of testapp.Customer.plan"):
            move(tenant, "row")


def test_homes_of_another_state_are_refused() -> None:
    with movers("schema") as (tenant,):
        spot = Spot.of(tenant)
        executed(spot, f'ALTER TABLE "{spot.schema}".testapp_tag ADD COLUMN extra int')
        try:
            with pytest.raises(JobFailed, match=r"not of the same state: testapp_tag \(extra\)"):
                move(tenant, "database")
            give_up(Job.objects.get().uid)
        finally:
            executed(spot, f'ALTER TABLE "{spot.schema}".testapp_tag DROP COLUMN extra')


def test_rows_of_nobody_go_along() -> None:
    with movers("row") as (tenant,):
        given = f"INSERT INTO rows.presets_rate (id, name) VALUES ('{uuid7()}', 'everybody''s')"
        executed(Spot.of(tenant), given)
        with tenant_context(tenant):
            everybodys = Rate.objects.get()
            own = Rate.objects.create(name="own", parent=everybodys)
            sale = Sale.objects.create(rate=everybodys)
            sale.others.add(everybodys, own)
        for to in ("schema", "database", "row"):
            move(fresh(tenant), to)
            with tenant_context(fresh(tenant)):
                assert sorted(Rate.objects.values_list("name", flat=True)) == ["everybody's", "own"]
                assert Sale.objects.get().rate == everybodys
                assert Rate.objects.get(name="own").parent == everybodys


def test_a_suspended_tenant_moves_and_stays_suspended() -> None:
    with movers("row") as (tenant,):
        suspend(tenant)
        for to in ("schema", "database", "row"):
            move(fresh(tenant), to)
            assert fresh(tenant).status == TenantStatus.SUSPENDED
            with tenant_context(fresh(tenant)), pytest.raises(TenantUnavailable):
                Customer.objects.create(name="late")
        tenant = fresh(tenant)
        resume_tenant(tenant)
        with tenant_context(tenant):
            Customer.objects.create(name="in time")


def test_what_it_left_is_hidden_and_then_gone() -> None:
    with movers("row", "row") as (tenant, other):
        fill(tenant)
        fill(other)
        theirs = rows(other)
        move(tenant, "schema")
        with unscoped(reason="test", rows_only=True):
            assert set(Customer.objects.values_list("tenant", flat=True)) == {other.pk}
            assert Customer.objects.filter(tenant=tenant).update(name="x") == 0
        place = Place.objects.get(left_by=tenant.uid, state=PlaceState.LEAVING)
        assert (place.isolation, place.state) == ("row", PlaceState.LEAVING)
        assert left_rows(tenant) > 0
        assert drop_left_places() == []
        operated(Place.objects.filter(pk=place.pk).update, drop_after="2000-01-01T00:00:00Z")
        assert [one.pk for one in drop_left_places()] == [place.pk]
        assert left_rows(tenant) == 0
        assert Place.objects.get(pk=place.pk).state == PlaceState.GONE
        assert rows(other) == theirs


def left_rows(tenant: Any) -> int:
    return executed(
        Spot("row", "", tenant.uid), f"SELECT count(*) FROM rows.testapp_category WHERE tenant_id = {tenant.pk}"
    )[0][0]


@pytest.mark.parametrize("before", ["schema", "database"])
def test_a_home_that_was_left_is_dropped_when_its_grace_is_over(before: str) -> None:
    with movers(before) as (tenant,):
        spot = Spot.of(tenant)
        move(tenant, "row")
        place = Place.objects.get(left_by=tenant.uid, state=PlaceState.LEAVING)
        assert (place.isolation, place.state) == (before, PlaceState.LEAVING)
        operated(Place.objects.filter(pk=place.pk).update, drop_after="2000-01-01T00:00:00Z")
        drop_left_places()
        assert Place.objects.get(pk=place.pk).state == PlaceState.GONE
        uids, main = [spot.uid.hex, place.uid.hex], connections[SHARED].settings_dict["NAME"]
        query = f"SELECT nspname FROM pg_namespace UNION ALL SELECT datname FROM pg_database WHERE datname ~ '^{main}'"
        names = [name for (name,) in executed(Spot("row", "", tenant.uid), query)]
        assert [name for name in names if any(uid in name for uid in uids)] == []


def test_what_it_left_goes_with_it() -> None:
    with movers("row") as (tenant,):
        fill(tenant, 1)
        for to in ("schema", "database"):
            move(fresh(tenant), to)
        operated(drop_at_once, fresh(tenant))
        operated(drop_homes, fresh(tenant))
        assert set(Place.objects.filter(left_by=tenant.uid).values_list("state", flat=True)) == {PlaceState.GONE}
        assert left_rows(tenant) == 0
        operated(Tenant.objects.filter(pk=tenant.pk).update, isolation="row")


@pairs
def test_the_audit_finds_nothing(before: str, after: str) -> None:
    with movers(before) as (tenant,):
        fill(tenant)
        move(tenant, after)
        assert audited() == []


def test_nothing_is_left_to_migrate(capsys: Any) -> None:
    with movers("row", "row") as (one, other):
        move(one, "schema")
        move(other, "database")
        digests = set(Place.objects.filter(state="taken", isolation="schema").values_list("migrations", flat=True))
        assert digests == set(
            Place.objects.filter(state="ready", isolation="schema").values_list("migrations", flat=True)
        )


def test_a_dry_run_changes_nothing() -> None:
    with movers("row") as (tenant,):
        fill(tenant)
        plan = prepare(tenant, "schema")
        assert (plan["from"], plan["to"], plan["job"]) == ("row", "schema", None)
        assert plan["rows"]["testapp.Customer"] == 4
        assert plan["steps"][0] == "begin"
        assert not Job.objects.exists()
        assert fresh(tenant) == tenant


def test_a_job_that_failed_is_resumed(monkeypatch: Any) -> None:
    with movers("row") as (tenant,):
        fill(tenant)
        seen = objects(tenant)
        monkeypatch.setattr(run.Transfer, "_advance", fails)
        with pytest.raises(JobFailed, match="RuntimeError: no such luck"):
            move(tenant, "schema")
        assert (fresh(tenant).isolation, fresh(tenant).status) == ("row", TenantStatus.MAINTENANCE)
        with pytest.raises(MoveRefused, match="unfinished job"):
            move(tenant, "database")
        monkeypatch.undo()
        job = Job.objects.get()
        resume(job.uid)
        assert (fresh(tenant).isolation, fresh(tenant).status) == ("schema", TenantStatus.ACTIVE)
        assert objects(tenant) == seen


@pairs
def test_a_job_that_failed_is_given_up(before: str, after: str, monkeypatch: Any) -> None:
    with movers(before) as (tenant,):
        fill(tenant)
        seen = rows(tenant)
        monkeypatch.setattr(run.Transfer, "_advance", fails)
        with pytest.raises(JobFailed):
            move(tenant, after)
        monkeypatch.undo()
        assert give_up(Job.objects.get().uid).state == JobState.GIVEN_UP
        tenant = fresh(tenant)
        assert (tenant.isolation, tenant.status) == (before, TenantStatus.ACTIVE)
        assert rows(tenant) == seen
        with tenant_context(tenant):
            Customer.objects.create(name="works")
        assert audited() == []


def test_a_tenant_that_has_moved_is_not_given_up(monkeypatch: Any) -> None:
    with movers("row") as (tenant,):
        monkeypatch.setattr(run, "put_away", fails)
        with pytest.raises(JobFailed):
            move(tenant, "schema")
        with pytest.raises(MoveRefused, match="has moved: only cleaning up is left"):
            give_up(Job.objects.get().uid)
        monkeypatch.undo()
        assert resume(Job.objects.get().uid).state == JobState.DONE


def test_rows_that_a_trigger_changes_on_the_way_are_noticed() -> None:
    with movers("schema") as (tenant,):
        fill(tenant)
        before = rows(tenant)
        spot = Spot("row", "", tenant.uid)
        executed(
            spot,
            "CREATE FUNCTION rows.spoil() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.text := 'spoilt'; RETURN NEW; END $$; CREATE TRIGGER spoil BEFORE INSERT ON "
            "rows.testapp_note FOR EACH ROW EXECUTE FUNCTION rows.spoil()",
        )
        try:
            with pytest.raises(JobFailed, match=r"testapp.Note is not the same on both sides: 6 rows with"):
                move(tenant, "row")
            give_up(Job.objects.get().uid)
            assert rows(tenant) == before
        finally:
            executed(spot, "DROP FUNCTION rows.spoil() CASCADE")


def test_signals_and_the_ledger_say_what_happened() -> None:
    heard: list[Any] = []

    def moving(tenant: Any, job: Any, **kwargs: Any) -> None:
        heard.append(("moving", tenant.slug, job.arguments["to"]))

    def moved(tenant: Any, job: Any, **kwargs: Any) -> None:
        heard.append(("moved", tenant.isolation, job.result["tables"]["testapp.Tag"]["rows"]))

    with movers("row") as (tenant,):
        fill(tenant)
        tenant_moving.connect(moving)
        tenant_moved.connect(moved)
        try:
            move(tenant, "schema")
        finally:
            tenant_moving.disconnect(moving)
            tenant_moved.disconnect(moved)
        assert heard == [("moving", "mover0", "schema"), ("moved", "schema", 2)]
        job = Job.objects.get()
        assert (job.kind, job.slug, job.state) == ("move", "mover0", JobState.DONE)
        assert job.result["from"] == {"isolation": "row", "database": ""}
        assert set(job.result["tables"]["testapp.Tag"]) == {"rows", "checksum"}


def test_this_process_finds_it_at_once() -> None:
    with movers("row") as (tenant,):
        assert find_by_slug("mover0").isolation == "row"
        move(tenant, "schema")
        assert find_by_slug("mover0").isolation == "schema"


def test_copies_in_a_new_database_of_a_tenant_that_had_one() -> None:
    """What another process knows to be copied is of the database that it asked, not of the next one of that name."""
    with movers("database") as (tenant,):
        fill(tenant, 1)
        plan = Plan.objects.get()
        alias = Spot.of(tenant).alias
        move(tenant, "row")
        with tenant_context(fresh(tenant)):
            Customer.objects.update(plan=None)
        move(fresh(tenant), "database")
        known = copying._known
        known.put((alias, Plan._meta.db_table, str(plan.pk)), True, copying.SIZE, known.generation)
        with tenant_context(fresh(tenant)):
            Customer.objects.filter(email="c0@example.com").update(plan=plan)
            assert Customer.objects.get(email="c0@example.com").plan == plan


def test_the_command(capsys: Any) -> None:
    with movers("row") as (tenant,):
        fill(tenant)
        call_command("move_tenant", "mover0", "--to", "schema", "--dry-run")
        assert "from row to schema, 36 rows" in capsys.readouterr().out
        call_command("move_tenant", "mover0", "--to", "schema")
        assert "mover0 lives in schema" in capsys.readouterr().out
        call_command("move_tenant", "mover0", "--rollback", "--format", "json")
        assert '"state": "done"' in capsys.readouterr().out
        assert fresh(tenant).isolation == "row"
        unfence(fresh(tenant))


def fails(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("no such luck")
