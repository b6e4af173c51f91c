"""A tenant goes from each isolation to each other one, and is the same there."""

from __future__ import annotations

import pytest

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.move.run import move
from django_tenantkit.models import JobState, TenantStatus
from tests.databases import ISOLATION, WITH_DATABASES
from tests.moving.ground import PAIRS, fill, fresh, movers, objects, rows
from tests.testapp.models import Customer, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_it_is_the_same_there_and_works(before: str, after: str) -> None:
    with movers(before, "row", "schema") as (tenant, *others):
        for one in (tenant, *others):
            fill(one)
        there = [rows(one) for one in (tenant, *others)]
        seen = objects(tenant)
        job = move(tenant, after, remap=after == "row")
        assert job.state == JobState.DONE
        tenant = fresh(tenant)
        assert (tenant.isolation, tenant.status) == (after, TenantStatus.ACTIVE)
        if after != "row":
            assert rows(tenant) == there[0]
        assert objects(tenant) == seen
        assert [rows(one) for one in others] == there[1:]
        with tenant_context(tenant):
            Customer.objects.create(name="new")
            assert Tag.objects.create(label="new").pk not in {1, 2}
        assert job.result["tables"]["testapp.Customer"]["rows"] == 4
