"""Other tenants work on while one moves: no statement of theirs waits for a lock of the job, nor the job for one of
theirs."""

from __future__ import annotations

from typing import Any

import pytest

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.move.run import move
from django_tenantkit.lifecycle.move.sides import Spot, opened
from tests.databases import ISOLATION, WITH_DATABASES
from tests.moving.beside import Writer, at_work
from tests.moving.ground import fill, fresh, movers, rows
from tests.testapp.models import Customer, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]


def writer_of(tenant: Any) -> Writer:
    def work(connection: Any, number: int) -> None:
        connection.execute("UPDATE testapp_customer SET name = name")
        label = f"beside {number}"
        connection.execute("INSERT INTO testapp_tag (tenant_id, label) VALUES (%s, %s)", [tenant.pk, label])
        connection.execute("SELECT count(*) FROM testapp_customer").fetchall()

    return Writer(tenant, work)


@pytest.mark.parametrize("online", [False, True])
def test_nobody_else_waits(online: bool) -> None:
    with movers("row", "row") as (tenant, other):
        fill(other, 1)
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=f"{n}") for n in range(20_000))
        writer = writer_of(other)
        with at_work(writer) as sampler:
            for to in ("schema", "row", "database", "row"):
                before = writer.done
                move(fresh(tenant), to, remap=True, online=online)
                assert writer.done > before
        assert writer.error is None
        assert sampler.waits == set()
        assert sampler.samples > 20
        assert len(rows(tenant)["testapp.Customer"]) == 20_000


@pytest.mark.parametrize("online", [False, True])
def test_others_get_keys_behind_those_that_come(online: bool) -> None:
    """A tenant brings keys that shared tables would have given next."""
    with movers("schema", "row") as (tenant, other):
        with opened(Spot.of(tenant), Spot.of(other)) as (_, (own, shared)):
            last = 0
            for side in (shared, own):
                sequence = side.column("testapp_tag", "id").sequence
                last = max(last, side.ask(f"SELECT last_value FROM {sequence}")[0][0])
                side.raw.execute("SELECT setval(%s, %s)", [sequence, last])
        fill(other, 1)
        with tenant_context(tenant):
            Tag.objects.bulk_create(Tag(label=f"{n}") for n in range(5, 5000))
            Tag.objects.filter(label__in=["5", "6", "7", "8", "9"]).delete()  # what the other has got by now
        writer = writer_of(other)
        with at_work(writer) as sampler:
            move(tenant, "row", remap=True, online=online)
        assert writer.error is None
        assert sampler.waits == set()
        assert len(rows(tenant)["testapp.Tag"]) == 4990
