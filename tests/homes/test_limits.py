"""Connections to tenants' databases, limited by plan."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.db import connections

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import TenantUnavailable
from django_tenantkit.lifecycle.limits import apply_limits
from django_tenantkit.lifecycle.pool import fill_pool
from django_tenantkit.models import Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.operating import operated
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def tenants(settings: Any) -> Any:
    settings.TENANTKIT_DATABASE_LIMITS = {"small": 2, "large": 50}
    made = [make_tenant(plan, isolation="database", plan=plan) for plan in ("small", "large", "other")]
    yield made
    settings.TENANTKIT_DATABASE_LIMITS = {"": 1}
    apply_limits(Tenant(uid=tenant.uid, isolation="database", plan="none") for tenant in made)


def limits(tenants: Any) -> list[int]:
    names = [connections[tenant.home.database].settings_dict["NAME"] for tenant in tenants]
    with as_admin() as admin:
        found = dict(admin.execute("SELECT datname, datconnlimit FROM pg_database").fetchall())
    return [found[name] for name in names]


def test_each_gets_that_of_its_plan(tenants: Any) -> None:
    assert fill_pool().limited == ["large", "small"]
    assert limits(tenants) == [2, 50, -1]
    assert fill_pool().limited == []


def test_another_plan_is_another_limit(tenants: Any) -> None:
    apply_limits()
    operated(Tenant.objects.filter(slug="small").update, plan="large")
    assert fill_pool().limited == ["small"]
    assert limits(tenants) == [50, 50, -1]


def test_without_the_setting_nothing_is_touched(tenants: Any, settings: Any) -> None:
    apply_limits()
    settings.TENANTKIT_DATABASE_LIMITS = {}
    assert apply_limits() == []
    assert limits(tenants) == [2, 50, -1]


def test_beyond_it_the_tenant_is_unavailable_and_named(tenants: Any) -> None:
    apply_limits()
    small = tenants[0]
    entry = connections[small.home.database].settings_dict
    connections[small.home.database].close()
    with ExitStack() as open_ones:
        for _ in range(2):
            open_ones.enter_context(
                psycopg.connect(dbname=entry["NAME"], host=entry["HOST"], port=entry["PORT"], user=entry["USER"])
            )
        with tenant_context(small), pytest.raises(TenantUnavailable, match=r"'small' cannot be reached: .*too many"):
            Customer.objects.count()
    with tenant_context(tenants[1]):
        assert Customer.objects.count() == 0
