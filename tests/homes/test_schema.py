"""A schema of a tenant's own: made by the migrations of the project, found by the path of its statements, and
never replaced by another home."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.exceptions import HomeMissing, TenantsElsewhere
from django_tenantkit.isolation.schema import schema_name
from tests.databases import ISOLATION
from tests.operating import operated
from tests.testapp.models import Customer, Plan, Region

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]


def raw(query: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def test_its_rows_are_in_its_schema(acme):
    with tenant_context(acme):
        Customer.objects.create(name="first")
        assert raw(f"SELECT name FROM {schema_name(acme.uid)}.testapp_customer") == [("first",)]


def test_a_table_without_a_tenants_column_is_guarded_once_per_statement_and_not_per_row(acme):
    with tenant_context(acme):
        plan = raw(f"EXPLAIN SELECT count(*) FROM {schema_name(acme.uid)}.django_migrations")
        found = raw(f"SELECT count(*) > 0 FROM {schema_name(acme.uid)}.django_migrations")
    filters = [line.strip() for (line,) in plan if "Filter" in line]
    assert filters
    assert all("InitPlan" in line and "current_setting" not in line for line in filters)
    assert found == [(True,)]


def test_a_row_tenant_has_none_there(acme, shared):
    with tenant_context(shared):
        Customer.objects.create(name="of all")
        assert raw("SELECT count(*) FROM rows.testapp_customer") == [(1,)]
        assert raw(f"SELECT count(*) FROM {schema_name(acme.uid)}.testapp_customer") == [(0,)]


def test_shared_tables_are_the_same(acme, shared):
    Region.objects.create(name="north")
    for tenant in (acme, shared):
        with tenant_context(tenant):
            assert Region.objects.get().name == "north"


def test_joins_to_and_from_shared_tables(acme):
    plan = Plan.objects.create(name="gold")
    with tenant_context(acme):
        Customer.objects.create(name="first", plan=plan)
        assert Customer.objects.select_related("plan").get().plan == plan
        assert Plan.objects.filter(customers__name="first").get() == plan


def test_a_missing_schema_is_an_error_that_names_the_tenant(acme, shared):
    acme.uid = shared.uid  # whose schema was never made
    with (
        tenant_context(acme),
        pytest.raises(HomeMissing, match=r"of the tenant 'acme' is not there"),
        transaction.atomic(),
    ):
        Customer.objects.count()


def test_a_missing_table_is_not_looked_for_in_another_home(acme):
    with tenant_context(acme):
        assert raw("SHOW search_path") == [(f'"{schema_name(acme.uid)}", public, pg_temp',)]
        assert raw("SELECT to_regclass('testapp_customer')::text") == [("testapp_customer",)]
        assert raw("SELECT to_regclass('public.testapp_customer')::text") == [(None,)]


def test_nothing_stays_on_the_connection(acme):
    with tenant_context(acme):
        Customer.objects.count()
    assert raw("SHOW search_path") == [('"rows", public, pg_temp',)]
    assert get_current_tenant() is None


def test_unscoped_code_is_told_of_tenants_elsewhere(acme):
    with pytest.raises(TenantsElsewhere, match="for_each_tenant"):
        operated(Customer.objects.count)


@pytest.mark.django_db(transaction=True)
def test_an_extension_goes_where_every_home_finds_it():
    """A database has it once, and row tenants' tables are in no other home's path."""
    with connection.as_system(), connection.schema_editor(collect_sql=True) as editor:
        editor.execute("CREATE EXTENSION IF NOT EXISTS citext")
    assert editor.collected_sql == [
        'SET search_path TO "public", "rows";',
        "CREATE EXTENSION IF NOT EXISTS citext;",
        'SET search_path TO "rows", "public";',
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [True, False])
def test_one_that_is_not_to_be_had_is_named_and_the_next_table_is_made_where_it_belongs(atomic):
    with connection.as_system():
        with pytest.raises(DatabaseError, match="nowhere"), connection.schema_editor(atomic=atomic) as editor:
            editor.execute("CREATE EXTENSION nowhere")
        assert raw("SHOW search_path") == [("rows, public",)]
        assert connection.path == ("rows", "public")
