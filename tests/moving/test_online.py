"""A tenant moves while it works: what it is told was written is there."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
import pytest

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import JobFailed, MoveRefused
from django_tenantkit.lifecycle.audit.run import audit_database
from django_tenantkit.lifecycle.move import online, run
from django_tenantkit.lifecycle.move.run import give_up, move
from django_tenantkit.lifecycle.move.sides import Spot, opened
from django_tenantkit.lifecycle.move.transfer import Pace
from django_tenantkit.models import Job, JobState, TenantStatus
from tests.databases import ISOLATION, WITH_DATABASES
from tests.moving.ground import PAIRS, fill, fresh, movers, objects, rows
from tests.moving.test_fence import application
from tests.testapp.models import Category, Customer, Plan

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]

pairs = pytest.mark.parametrize(("before", "after"), [pair for pair in PAIRS if pair[1] != "row"])


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
        job = move(tenant, after, online=True)
        writer.join()
        assert writer.refusal is not None
        assert writer.refusal.sqlstate in ("TK503", "3F000", "57P01"), writer.refusal
        tenant = fresh(tenant)
        assert (tenant.isolation, tenant.status, job.state) == (after, TenantStatus.ACTIVE, JobState.DONE)
        with opened(Spot.of(tenant)) as (_, (side,)):
            tags = f"SELECT id, label FROM {side.path('testapp_tag')} WHERE tenant_id = {tenant.pk} AND label ~ '^[nc]'"
            assert dict(side.ask(tags)) == writer.there
        assert len(writer.there) > 10
        assert job.result["online"]["rows"] >= 3000
        assert rows(other) == theirs
        assert [str(finding) for finding in audit_database("default").findings] == []


def test_the_same_as_offline() -> None:
    with movers("row") as (tenant,):
        fill(tenant)
        there, seen = rows(tenant), objects(tenant)
        for to in ("schema", "database", "schema"):
            move(fresh(tenant), to, online=True)
            assert rows(tenant) == there
            assert objects(tenant) == seen


def test_nearly_nothing_is_left_at_the_freeze(monkeypatch: Any) -> None:
    """What changes while all is copied is copied again before."""
    with movers("row") as (tenant,):
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=str(n)) for n in range(2000))
        real = online.copy_all

        def copy_all(*args: Any) -> int:
            rows = real(*args)
            with tenant_context(tenant):
                Customer.objects.filter(name__startswith="1").update(email="")
            return rows

        monkeypatch.setattr(run, "copy_all", copy_all)
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
        assert [str(finding) for finding in audit_database("default").findings] == []


def test_shared_tables_are_no_place_for_half_a_tenant() -> None:
    with movers("schema") as (tenant,), pytest.raises(MoveRefused, match="--online is for moves into a schema or a"):
        move(tenant, "row", online=True)


@pytest.mark.parametrize("after", ["schema", "database"])
def test_not_faster_than_the_setting_says(after: str, settings: Any, monkeypatch: Any) -> None:
    slept: list[float] = []
    monkeypatch.setattr("django_tenantkit.lifecycle.move.transfer.time.sleep", slept.append)
    settings.TENANTKIT_MOVE_RATE = 1000
    with movers("row") as (tenant,):
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
