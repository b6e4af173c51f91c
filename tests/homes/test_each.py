"""All tenants, one after the other, wherever their rows live."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync

from django_tenantkit import afor_each_tenant, for_each_tenant, get_current_tenant, tenant_context
from django_tenantkit.exceptions import TenantsFailed
from django_tenantkit.models import TenantStatus
from tests.isolation.world import World
from tests.operating import operated
from tests.testapp.models import Customer


@pytest.fixture
def world(db):
    world = World()
    world.add_globex()
    return world


def count(tenant):
    return Customer.objects.count()


async def acount(tenant):
    return await Customer.objects.acount()


def test_each_tenants_rows_are_counted(world):
    assert for_each_tenant(count, reason="test") == {world.acme: 3, world.globex: 6}


def test_coroutines_too(world):
    assert async_to_sync(afor_each_tenant)(acount, reason="test") == {world.acme: 3, world.globex: 6}


def test_inside_a_tenant_it_means_all_of_them(world):
    with tenant_context(world.globex):
        assert for_each_tenant(count, reason="test") == {world.acme: 3, world.globex: 6}
        assert get_current_tenant() == world.globex


def test_one_that_fails_stops_no_other(world):
    def fail(tenant):
        if tenant == world.acme:
            raise ValueError("no luck")
        return count(tenant)

    with pytest.raises(TenantsFailed, match=r"failed in 1 of 2 tenants: acme \(ValueError: no luck\)") as caught:
        for_each_tenant(fail, reason="test")
    assert caught.value.results == {world.globex: 6}
    assert list(caught.value.errors) == [world.acme]


def test_some_can_be_named(world):
    assert for_each_tenant(count, reason="test", tenants=[world.globex]) == {world.globex: 6}


@pytest.mark.parametrize("status", [TenantStatus.PROVISIONING, TenantStatus.ERASING, TenantStatus.ERASED])
def test_half_made_and_erased_ones_are_left_out(world, status):
    world.acme.status = status
    operated(world.acme.save)
    assert for_each_tenant(count, reason="test") == {world.globex: 6}


def test_suspended_ones_are_not(world):
    world.acme.status = TenantStatus.SUSPENDED
    operated(world.acme.save)
    assert world.acme in for_each_tenant(count, reason="test")


def test_the_reason_is_logged(world, caplog):
    caplog.set_level("INFO", "django_tenantkit.security")
    for_each_tenant(count, reason="monthly report")
    assert "unscoped: monthly report" in caplog.messages


def test_a_reason_must_be_given(world):
    with pytest.raises(TypeError, match="needs a reason"):
        for_each_tenant(count, reason="")
