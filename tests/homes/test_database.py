"""A database of a tenant's own: reached by an alias that nobody wrote, and never replaced by another home."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, connections, transaction

from django_tenantkit import tenant_context
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES
from tests.testapp.models import Customer, Plan, Region

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def acme() -> Any:
    return make_tenant("acme", isolation="database")


@pytest.fixture
def shared() -> Any:
    return make_tenant("shared")


def raw(using: str, query: str, *parameters: Any) -> list[Any]:
    with connections[using].cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def test_its_rows_are_in_its_database(acme):
    with tenant_context(acme):
        Customer.objects.create(name="first")
        assert raw(acme.home.database, "SELECT name FROM rows.testapp_customer") == [("first",)]
        assert raw("tenantkit_shared", "SELECT count(*) FROM rows.testapp_customer") == [(0,)]
