"""A connection does not collect the tables of every tenant, nor a database the schemas."""

from __future__ import annotations

import pytest
from django.db import connection

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import TenantkitError
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION
from tests.homes.test_pool import new  # noqa: F401 - a fixture
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.usefixtures("new"),
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]


@pytest.fixture
def tenants(new):  # noqa: F811
    for _ in range(2):
        make_place("schema")
    return [make_tenant(slug, isolation="schema") for slug in ("acme", "globex")]


def visit(tenants):
    for tenant in tenants:
        with tenant_context(tenant):
            Customer.objects.count()
    return connection.connection


def test_after_many_schemas_it_is_closed_at_the_end_of_a_request(tenants, settings, monkeypatch):
    settings.TENANTKIT_SCHEMAS_PER_CONNECTION = 1
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    physical = visit(tenants)
    connection.close_if_unusable_or_obsolete()
    assert physical.closed


def test_after_few_it_stays(tenants, settings, monkeypatch):
    settings.TENANTKIT_SCHEMAS_PER_CONNECTION = 2
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    physical = visit(tenants)
    connection.close_if_unusable_or_obsolete()
    assert not physical.closed


def test_a_database_has_no_more_schemas_than_the_limit(tenants, settings):
    settings.TENANTKIT_SCHEMA_LIMIT = 2
    with pytest.raises(TenantkitError, match=r"2 schemas .* TENANTKIT_SCHEMA_LIMIT"):
        make_place("schema")
