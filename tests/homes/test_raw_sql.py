"""Raw SQL inside a tenant that has a database, and finds the main one: it is told so, and reads nothing as if the
tenant had no rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, connections, transaction
from django.db.models import Count, QuerySet
from django.db.models.expressions import RawSQL

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import AcrossDatabases
from django_tenantkit.isolation.entries import SHARED
from django_tenantkit.models import Domain, Membership, Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.aio import in_this_thread
from tests.databases import ISOLATION, SHARDED, WITH_DATABASES, WITH_SHARDS
from tests.testapp.models import Customer, Plan, Product, Region

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        ISOLATION not in WITH_DATABASES + WITH_SHARDS, reason="runs with TENANTKIT_TEST_ISOLATION=database and shard"
    ),
]

REFUSED = r"looks for testapp_\w+ in the main database, and tenant acme lives in another one"

COUNTED = "(SELECT count(*) FROM testapp_customer)"


@pytest.fixture
def acme() -> Any:
    """A tenant with a customer, elsewhere."""
    if ISOLATION in WITH_SHARDS:
        found = make_tenant("acme", isolation="schema", database=SHARDED)
    else:
        found = make_tenant("acme", isolation="database")
    plan = Plan.objects.create(name="basic")
    with tenant_context(found):
        Customer.objects.create(name="first", plan=plan)
    return found


def told(query: str, *parameters: Any) -> list[Any]:
    with connections[SHARED].cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def many() -> None:
    with connections[SHARED].cursor() as cursor:
        cursor.executemany("DELETE FROM testapp_customer WHERE name = %s", [("first",), ("second",)])


def streamed() -> list[Any]:
    with transaction.atomic(using=SHARED):
        return list(Plan.objects.annotate(n=RawSQL(COUNTED, [])).iterator())


def copied() -> list[Any]:
    with connections[SHARED].cursor() as cursor, cursor.copy("COPY testapp_customer (name) TO STDOUT") as copy:
        return list(copy)


WAYS: dict[str, Callable[[], Any]] = {
    "raw of a shared model": lambda: list(Plan.objects.raw(f"SELECT p.*, {COUNTED} AS n FROM testapp_plan p")),
    "raw with a join": lambda: list(
        Plan.objects.raw("SELECT p.* FROM testapp_plan p JOIN testapp_customer c ON c.plan_id = p.id")
    ),
    "an annotation": lambda: list(Plan.objects.annotate(n=RawSQL(COUNTED, []))),
    "a filter": lambda: list(Region.objects.filter(pk__in=RawSQL("SELECT region_id FROM testapp_product_regions", []))),
    "extra": lambda: list(Plan.objects.extra(select={"n": f"SELECT {COUNTED}"})),
    "an update": lambda: Plan.objects.update(name=RawSQL("SELECT max(name) FROM testapp_customer", [])),
    "a cursor": lambda: told("SELECT name FROM testapp_customer"),
    "a cursor, quoted": lambda: told('SELECT name FROM "testapp_customer" WHERE name = %s', "first"),
    "an insert": lambda: told("INSERT INTO testapp_tag (label) VALUES ('x') RETURNING id"),
    "a regclass": lambda: told("SELECT 'testapp_customer'::regclass"),
    "many parameters": many,
    "an iterator": streamed,
    "COPY": copied,
}


@pytest.mark.parametrize("name", WAYS)
def test_it_names_the_table_and_the_tenant(acme: Any, name: str) -> None:
    with tenant_context(acme), pytest.raises(AcrossDatabases, match=REFUSED):
        WAYS[name]()


def test_the_cure_works(acme: Any) -> None:
    with tenant_context(acme):
        with pytest.raises(AcrossDatabases, match=r"`Customer\.objects\.raw"):
            told("SELECT name FROM testapp_customer")
        query = "SELECT c.*, p.name AS plan_name FROM testapp_customer c JOIN testapp_plan p ON p.id = c.plan_id"
        assert [customer.plan_name for customer in Customer.objects.raw(query)] == ["basic"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM testapp_customer")
            assert cursor.fetchall() == [("first",)]


@in_this_thread
async def test_in_coroutines_too(acme: Any) -> None:
    with tenant_context(acme), pytest.raises(AcrossDatabases, match="testapp_customer"):
        [plan async for plan in Plan.objects.annotate(n=RawSQL(COUNTED, []))]


def test_a_block_in_which_it_was_refused_is_rolled_back(acme: Any) -> None:
    @transaction.atomic
    def block() -> None:
        Plan.objects.create(name="new")
        Customer.objects.create(name="new")
        told("SELECT name FROM testapp_customer")

    with tenant_context(acme):
        with pytest.raises(AcrossDatabases):
            block()
        assert not Plan.objects.filter(name="new").exists()
        assert not Customer.objects.filter(name="new").exists()


def test_what_is_no_table_of_tenants_is_postgresqls_error(acme: Any) -> None:
    with tenant_context(acme):
        for query in (
            "SELECT * FROM testapp_customers",
            "SELECT * FROM elsewhere.testapp_customer",
            "SELECT testapp_customer.name FROM testapp_plan",
        ):
            with pytest.raises(ProgrammingError), transaction.atomic():
                told(query)


@pytest.mark.django_db(transaction=True)
def test_what_is_found_without_the_path_is_empty(acme: Any) -> None:
    main: Any = connections[SHARED]
    view = "CREATE VIEW public.names WITH (security_invoker) AS SELECT name FROM rows.testapp_customer"
    with main.as_system(), main.cursor() as cursor:
        cursor.execute(view)
    try:
        with tenant_context(acme):
            assert told("SELECT name FROM rows.testapp_customer") == told("SELECT name FROM public.names") == []
    finally:
        with main.as_system(), main.cursor() as cursor:
            cursor.execute("DROP VIEW public.names")


def test_what_row_tenants_have_beside_tables_is_not_there_either(acme: Any) -> None:
    hint = r"HINT:  No function matches.* tenant acme lives in another database: here it finds what is in public"
    with tenant_context(acme), pytest.raises(ProgrammingError, match=hint), transaction.atomic():
        told("SELECT nowhere()")
    with pytest.raises(ProgrammingError) as caught, transaction.atomic():
        told("SELECT nowhere()")
    assert "another database" not in str(caught.value)


def test_in_the_tenants_own_database_it_is_too(acme: Any) -> None:
    """There nothing is elsewhere: a table may not have been migrated, for example."""
    with tenant_context(acme), pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM public.testapp_customer")


def test_shared_rows_are_read_and_written_as_ever(acme: Any) -> None:
    with tenant_context(acme):
        assert told("SELECT name FROM testapp_plan") == [("basic",)]
        assert Plan.objects.annotate(n=Count("pk")).get().n == 1
        assert [domain.tenant for domain in Domain.objects.filter(tenant=acme)] in ([], [acme])
        assert not Membership.objects.filter(tenant=acme).exists()
        assert Tenant.objects.get(pk=acme.pk) == acme
        region = Region.objects.create(name="north")
        Product.objects.create(sku="P").regions.add(region)
        assert ContentType.objects.get_for_model(Customer).model_class() is Customer
        Plan.objects.update(name="other")
        assert Customer.objects.get().plan.name == "other"


def test_row_tenants_and_nobody_find_their_tables(acme: Any) -> None:
    queryset: QuerySet[Plan] = Plan.objects.annotate(n=RawSQL(COUNTED, []))
    with tenant_context(make_tenant("shared")):
        Customer.objects.create(name="second")
        assert [plan.n for plan in queryset] == [1]
    with tenant_context(acme), tenant_context(None):
        assert told("SELECT name FROM testapp_customer") == []
