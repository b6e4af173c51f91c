"""A tenant moves while it works: what it is told was written is there."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
import pytest

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import JobFailed, MoveRefused
from django_tenantkit.lifecycle.move import online
from django_tenantkit.lifecycle.move.run import give_up, move
from django_tenantkit.lifecycle.move.sides import Spot, opened
from django_tenantkit.lifecycle.move.transfer import Pace
from django_tenantkit.models import Job, JobState, TenantStatus
from django_tenantkit.sql.remapping import FIND_KEPT
from tests.databases import ISOLATION, ROLES, WITH_DATABASES
from tests.moving.ground import PAIRS, application, audited, collide, elsewhere, fill, fresh, movers, objects, rows
from tests.presets.models import Rate, Sale
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]

pairs = pytest.mark.parametrize(("before", "after"), PAIRS)


class AtWork(threading.Thread):
    """Another process of the tenant: it writes until it is refused, and knows what it was told was committed."""

    def __init__(self, tenant: Any, plan: Any) -> None:
        super().__init__()
        self.connection = application(tenant)
        self.tenant, self.plan = tenant, plan
        self.there: dict[int, str] = {}
        self.working = threading.Event()
        self.refusal: psycopg.Error | None = None

    def run(self) -> None:
        chosen, number = random.Random(1), 0
        with self.connection as connection:
            try:
                while True:
                    number += 1
                    there = dict(self.there)
                    self.write(connection, chosen, number, there)
                    connection.commit()
                    self.there = there
                    if number > 20:
                        self.working.set()
            except psycopg.Error as error:
                self.refusal = error
                connection.rollback()
            finally:
                self.working.set()

    def write(self, connection: Any, chosen: random.Random, number: int, there: dict[int, str]) -> None:
        """A tag and what refers to it; some are changed, and some go."""
        insert = "INSERT INTO testapp_tag (tenant_id, label) VALUES (%s, %s) RETURNING id"
        (key,) = connection.execute(insert, [self.tenant.pk, f"new {number}"]).fetchone()
        there[key] = f"new {number}"
        plan = "INSERT INTO testapp_plan_featured_tags (tenant_id, plan_id, tag_id) VALUES (%s, %s, %s)"
        connection.execute(plan, [self.tenant.pk, self.plan.pk, key])
        other = chosen.choice(list(there))
        connection.execute("UPDATE testapp_tag SET label = %s WHERE id = %s", [f"changed {number}", other])
        there[other] = f"changed {number}"
        if number % 3 == 0:
            other = chosen.choice(list(there))
            connection.execute("DELETE FROM testapp_plan_featured_tags WHERE tag_id = %s", [other])
            connection.execute("DELETE FROM testapp_tag WHERE id = %s", [other])
            del there[other]


@pairs
def test_what_was_written_is_there(before: str, after: str) -> None:
    with movers(before, "row") as (tenant, other):
        fill(tenant)
        fill(other)
        theirs = rows(other)
        with tenant_context(tenant):
            Category.objects.bulk_create(Category(name=str(n)) for n in range(3000))
            plan = Plan.objects.get()
        writer = AtWork(tenant, plan)
        writer.start()
        writer.working.wait()
        job = move(tenant, after, remap=after == "row", online=True)
        writer.join()
        assert writer.refusal is not None
        assert writer.refusal.sqlstate in ("TK503", "3F000", "57P01"), writer.refusal
        tenant = fresh(tenant)
        assert (tenant.isolation, tenant.status, job.state) == (after, TenantStatus.ACTIVE, JobState.DONE)
        with opened(Spot.of(tenant)) as (_, (side,)):
            tags = f"""
                SELECT tag.id, label FROM {side.path("testapp_tag")} AS tag
                JOIN {side.path("testapp_plan_featured_tags")} AS plan ON plan.tag_id = tag.id
                WHERE tag.tenant_id = {tenant.pk} AND plan.tenant_id = {tenant.pk} AND label ~ '^[nc]'
            """
            if after == "row":  # some of the keys were taken
                assert sorted(label for _, label in side.ask(tags)) == sorted(writer.there.values())
            else:
                assert dict(side.ask(tags)) == writer.there
        assert len(writer.there) > 10
        assert job.result["online"]["rows"] >= 3000
        assert rows(other) == theirs
        assert audited() == []


def test_the_same_as_offline() -> None:
    with movers("row") as (tenant,):
        fill(tenant)
        there, seen = rows(tenant), objects(tenant)
        for to in ("schema", "row", "database", "row", "schema", "database", "schema", "row"):
            move(fresh(tenant), to, online=True)
            assert rows(tenant) == there
            assert objects(tenant) == seen


def test_nearly_nothing_is_left_at_the_freeze(monkeypatch: Any) -> None:
    """What changes while all is copied is copied again before."""
    with movers("row") as (tenant,):
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=str(n)) for n in range(2000))
        real = online.Beside.copy_all

        def copy_all(*args: Any) -> int:
            rows = real(*args)
            with tenant_context(tenant):
                Customer.objects.filter(name__startswith="1").update(email="")
            return rows

        monkeypatch.setattr(online.Beside, "copy_all", copy_all)
        job = move(tenant, "schema", online=True)
        assert job.result["online"] == {"rows": 2000, "rounds": 1, "left": 0}
        assert len(rows(tenant)["testapp.Customer"]) == 2000


def test_it_gives_up_where_rows_change_faster(monkeypatch: Any) -> None:
    with movers("row") as (tenant,):
        fill(tenant)
        seen = rows(tenant)
        monkeypatch.setattr(online, "FEW", -1)
        monkeypatch.setattr(online, "PART", -1)
        with pytest.raises(JobFailed, match="Rows change faster than they are copied"):
            move(tenant, "schema", online=True)
        assert fresh(tenant).status == TenantStatus.ACTIVE
        give_up(Job.objects.get().uid)
        assert rows(tenant) == seen
        assert audited() == []


def seen_by_operators(tenant: Any) -> set[int]:
    """Whose rows they see in shared tables, in another process."""
    with application(tenant) as connection:
        connection.execute("SELECT set_config('role', %s, true)", [ROLES.operator])
        return {key for (key,) in connection.execute("SELECT tenant_id FROM testapp_customer")}


def test_nobody_sees_half_a_tenant_in_shared_tables(monkeypatch: Any) -> None:
    seen: list[set[int]] = []
    real = online.Beside.catch_up
    with movers("schema", "row") as (tenant, other):
        fill(tenant)
        fill(other)

        def catch_up(self: Any, rows: int) -> int:
            seen.append(seen_by_operators(other))
            return real(self, rows)

        monkeypatch.setattr(online.Beside, "catch_up", catch_up)
        move(tenant, "row", remap=True, online=True)
        assert seen == [{other.pk}]
        assert seen_by_operators(other) == {other.pk, tenant.pk}


def test_what_changes_meanwhile_keeps_its_new_key(monkeypatch: Any) -> None:
    """Rows whose keys are taken are changed, removed and made beside the copying, and what refers to them."""
    with movers("schema", "row") as (tenant, other):
        collide(tenant, other)
        fill(tenant)
        fill(other)
        mine, theirs = objects(tenant), rows(other)
        real = online.Beside.copy_all

        def copy_all(*args: Any) -> int:
            copied = real(*args)
            elsewhere(change)
            return copied

        def change() -> None:
            with tenant_context(tenant):
                first, second = Invoice.objects.order_by("number")
                second.customer, first.customer = first.customer, second.customer
                first.save()
                second.save()
                Line.objects.all().delete()
                tag = Tag.objects.create(label="meanwhile")
                first.tags.add(tag)
                Tag.objects.filter(label="0").update(label="changed")
                Note.objects.create(subject=tag, text="of a new one")

        monkeypatch.setattr(online.Beside, "copy_all", copy_all)
        monkeypatch.setattr(online, "FEW", 0)
        job = move(tenant, "row", remap=True, online=True)
        now = objects(tenant)
        assert job.result["online"]["rounds"] == 1
        assert job.result["remapped"]["testapp.Tag"] == 2
        assert now != mine
        assert all(word in now for word in ('"changed"', '"meanwhile"', '"of a new one"'))
        assert rows(other) == theirs
        move(fresh(tenant), "schema")
        assert objects(tenant) == now


def test_new_keys_of_both_do_not_meet(monkeypatch: Any) -> None:
    """Whoever writes into shared tables and whoever still writes into a schema get other keys."""
    with movers("schema", "row") as (tenant, other):
        collide(tenant, other)
        real = online.Beside.copy_all

        def write() -> None:
            for one in (tenant, other):
                with tenant_context(one):
                    Customer.objects.bulk_create(Customer(name=str(n)) for n in range(200))

        def copy_all(*args: Any) -> int:
            copied = real(*args)
            elsewhere(write)
            return copied

        monkeypatch.setattr(online.Beside, "copy_all", copy_all)
        monkeypatch.setattr(online, "FEW", 0)
        job = move(tenant, "row", online=True)
        assert job.result["online"]["rounds"] == 1
        assert job.result["remapped"] == {}
        assert (len(rows(tenant)["testapp.Customer"]), len(rows(other)["testapp.Customer"])) == (200, 200)


def test_taken_keys_are_refused_before() -> None:
    with movers("schema", "row") as (tenant, other):
        collide(tenant, other)
        fill(tenant)
        fill(other)
        with pytest.raises(MoveRefused, match="Say --remap"):
            move(tenant, "row", online=True)
        assert not Job.objects.filter(kind="move").exists()


def test_given_up_nothing_stays_in_shared_tables(monkeypatch: Any) -> None:
    with movers("schema", "row") as (tenant, other):
        collide(tenant, other)
        fill(tenant)
        fill(other)
        mine, theirs = rows(tenant), rows(other)
        monkeypatch.setattr(online, "FEW", -1)
        monkeypatch.setattr(online, "PART", -1)
        with pytest.raises(JobFailed, match="Rows change faster than they are copied"):
            move(tenant, "row", remap=True, online=True)
        assert audited() == []
        give_up(Job.objects.get().uid)
        assert (rows(tenant), rows(other)) == (mine, theirs)
        with opened(Spot("row", "", tenant.uid)) as (main, (side,)):
            left = "SELECT count(*) FROM {} WHERE tenant_id = %s"
            assert side.ask(left.format(side.path("testapp_customer")), [tenant.pk]) == [(0,)]
            assert main.execute(FIND_KEPT, ["keys_"]).fetchall() == []
        assert audited() == []


@pytest.mark.parametrize("after", ["schema", "database"])
def test_rows_of_nobody_that_are_new_meanwhile(after: str, monkeypatch: Any) -> None:
    """One that has not come to the new home yet, and a row refers to it."""
    with movers("row") as (tenant,):
        real = online.Beside.copy_all

        def copy_all(self: Any, *args: Any) -> int:
            copied = real(self, *args)
            with unscoped(reason="test"):  # by the system, whose changes are pushed later
                rate = Rate.objects.create(name="new", tenant=None)
            with tenant_context(tenant):
                Sale.objects.create(rate=rate)
            return copied

        monkeypatch.setattr(online.Beside, "copy_all", copy_all)
        monkeypatch.setattr(online, "FEW", 0)
        job = move(tenant, after, online=True)
        assert job.attempts == 1
        assert job.result["online"]["rounds"] == 1
        with tenant_context(fresh(tenant)):
            assert Sale.objects.get().rate.name == "new"


@pytest.mark.parametrize("after", ["schema", "database", "row"])
def test_not_faster_than_the_setting_says(after: str, settings: Any, monkeypatch: Any) -> None:
    slept: list[float] = []
    monkeypatch.setattr("django_tenantkit.lifecycle.move.transfer.time.sleep", slept.append)
    settings.TENANTKIT_MOVE_RATE = 1000
    with movers("schema" if after == "row" else "row") as (tenant,):
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=str(n) * 20) for n in range(5000))
        with opened(Spot.of(tenant)) as (_, (side,)):
            side.raw.execute(f"ANALYZE {side.path('testapp_customer')}")
        move(tenant, after, online=True)
        assert len(rows(tenant)["testapp.Customer"]) == 5000
        assert max(slept) > 1


def test_a_pace() -> None:
    pace = Pace(None)
    pace.after(10**9)
    assert pace.done == 10**9
