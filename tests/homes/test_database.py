"""A database of a tenant's own: reached by an alias that nobody wrote, and never replaced by another home."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, connections, transaction

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import AcrossDatabases, CrossTenantReference, HomeMissing, TenantUnavailable
from django_tenantkit.isolation.copying import push_changes
from django_tenantkit.isolation.entries import SHARED, database_name
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES
from tests.testapp.models import Customer, Invoice, Note, Plan, Product, Region, Vip

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]

User = get_user_model()


@pytest.fixture
def acme() -> Any:
    return make_tenant("acme", isolation="database")


@pytest.fixture
def globex() -> Any:
    return make_tenant("globex", isolation="database")


@pytest.fixture
def shared() -> Any:
    return make_tenant("shared")


def raw(using: str, query: str, *parameters: Any) -> list[Any]:
    with connections[using].cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


class TestWhere:
    def test_its_rows_are_in_its_database(self, acme: Any) -> None:
        with tenant_context(acme):
            Customer.objects.create(name="first")
            assert raw(acme.home.database, "SELECT name FROM rows.testapp_customer") == [("first",)]
            assert raw(SHARED, "SELECT count(*) FROM rows.testapp_customer") == [(0,)]

    def test_django_db_connection_is_the_tenants(self, acme: Any) -> None:
        main = connection.settings_dict["NAME"]
        with tenant_context(acme), connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == (database_name(main, acme.uid),)
        assert raw("default", "SELECT current_database()") == [(main,)]

    def test_row_schema_and_database_tenants_take_turns(self, acme: Any, globex: Any, shared: Any) -> None:
        own = make_tenant("own", isolation="schema")
        tenants = (acme, own, shared, globex)
        for tenant in tenants:
            with tenant_context(tenant):
                Customer.objects.create(name=tenant.slug)
        for tenant in (*tenants, *reversed(tenants)):
            with tenant_context(tenant):
                assert [customer.name for customer in Customer.objects.all()] == [tenant.slug]

    @pytest.mark.parametrize("kind", ["row", "schema", "database"])
    def test_another_tenants_database_is_not_asked(self, acme: Any, kind: str) -> None:
        """By name, or through an object from there."""
        with tenant_context(acme):
            vip = Vip.objects.create(name="first", discount=10)
        with tenant_context(make_tenant("other", isolation=kind)):
            for ask in (lambda: raw(acme.home.database, "SELECT 1"), lambda: Note(subject=vip, text="x")):
                ContentType.objects.clear_cache()
                with pytest.raises(CrossTenantReference, match="the database of another tenant than the current one"):
                    ask()

    def test_generators_of_three_isolations_take_turns(self, acme: Any, shared: Any) -> None:
        own = make_tenant("own", isolation="schema")
        made = []
        for tenant in (acme, own, shared):
            with tenant_context(tenant):
                Customer.objects.bulk_create(Customer(name=f"{tenant.slug} {n}") for n in range(3))

            @tenant_context(tenant)
            def names() -> Any:
                for customer in Customer.objects.order_by("name").iterator(chunk_size=1):
                    yield customer.name

            made.append(names())
        assert [*zip(*made, strict=True)] == [(f"acme {n}", f"own {n}", f"shared {n}") for n in range(3)]

    def test_asynchronous_code(self, acme: Any, shared: Any) -> None:
        async def names(tenant: Any) -> list[str]:
            with tenant_context(tenant):
                await Customer.objects.acreate(name=tenant.slug)
                await asyncio.sleep(0)
                return [customer.name async for customer in Customer.objects.all()]

        async def both() -> Any:
            return await asyncio.gather(names(acme), names(shared), names(acme))

        first, second, third = async_to_sync(both)()
        assert second == ["shared"]
        assert set(first + third) == {"acme"}

    def test_shared_rows_are_the_same(self, acme: Any, shared: Any) -> None:
        Region.objects.create(name="north")
        for tenant in (acme, shared):
            with tenant_context(tenant):
                assert Region.objects.get().name == "north"

    def test_a_shared_row_is_written_in_the_main_database(self, acme: Any) -> None:
        with tenant_context(acme):
            Region.objects.create(name="south")
        assert Region.objects.get().name == "south"

    def test_an_object_of_another_home_is_not_saved(self, acme: Any, shared: Any) -> None:
        with tenant_context(acme):
            customer = Customer.objects.create(name="first")
        with tenant_context(shared), pytest.raises(Exception, match="belongs to another tenant"):
            customer.save()


class TestNotThere:
    def test_a_missing_database_is_an_error_that_names_the_tenant(self, acme: Any, shared: Any) -> None:
        acme.uid = shared.uid  # whose database was never made
        with tenant_context(acme), pytest.raises(HomeMissing, match="of the tenant 'acme' is not there"):
            Customer.objects.count()

    def test_another_tenants_database_in_its_place_is_refused(self, acme: Any, globex: Any) -> None:
        with tenant_context(acme):
            home = connections[acme.home.database]
            home.close()
            home.settings_dict["NAME"] = database_name(connections[SHARED].settings_dict["NAME"], globex.uid)
            try:
                with pytest.raises(HomeMissing, match=f"is not that of the tenant 'acme': .* place {globex.uid.hex}"):
                    Customer.objects.count()
            finally:
                home.close()
                del connections[acme.home.database]

    def test_an_unknown_server_is_named(self, acme: Any) -> None:
        acme.database = "gone"
        with tenant_context(acme), pytest.raises(Exception, match="TENANTKIT_SERVERS does not name"):
            Customer.objects.count()

    def test_all_connections_in_use_is_unavailable(self, acme: Any, settings: Any) -> None:
        settings.TENANTKIT_DATABASE_CONNECTIONS = 0
        settings.TENANTKIT_DATABASE_WAIT = 0
        with tenant_context(acme), pytest.raises(TenantUnavailable, match="TENANTKIT_DATABASE_CONNECTIONS"):
            Customer.objects.count()


class TestCopies:
    def test_a_row_that_is_referred_to_is_there(self, acme: Any) -> None:
        plan = Plan.objects.create(name="gold")
        with tenant_context(acme):
            Customer.objects.create(name="first", plan=plan)
            assert raw(acme.home.database, "SELECT id, name FROM testapp_plan") == [(plan.pk, "gold")]
            assert Customer.objects.select_related("plan").get().plan == plan
            assert Customer.objects.get(plan__name="gold").plan.name == "gold"

    def test_rows_that_nobody_refers_to_are_not(self, acme: Any) -> None:
        User.objects.create(username="somebody else's")
        with tenant_context(acme):
            Customer.objects.create(name="first")
            assert raw(acme.home.database, "SELECT count(*) FROM auth_user") == [(0,)]

    def test_only_the_tenants_own_row_is_copied(self, acme: Any, globex: Any) -> None:
        with tenant_context(acme):
            Customer.objects.create(name="first")
            with connections[acme.home.database].cursor() as c:
                c.execute("SELECT slug FROM django_tenantkit_tenant")
                assert c.fetchall() == [("acme",)]

    @pytest.mark.parametrize(
        "write",
        [
            lambda customer, plan: Customer.objects.update(plan=plan),
            lambda customer, plan: Customer.objects.update(plan_id=plan.pk),
            lambda customer, plan: (setattr(customer, "plan", plan), customer.save()),
            lambda customer, plan: (
                setattr(customer, "plan", plan),
                Customer.objects.bulk_update([customer], ["plan"]),
            ),
            lambda customer, plan: Customer.objects.bulk_create([Customer(name="b", plan=plan)]),
        ],
    )
    def test_every_way_to_refer_to_a_row_brings_it(self, acme: Any, write: Any) -> None:
        plan = Plan.objects.create(name="gold")
        with tenant_context(acme):
            customer = Customer.objects.create(name="first")
            write(customer, plan)
            assert Customer.objects.filter(plan__name="gold").count() == 1

    def test_many_to_many_and_generic_references(self, acme: Any) -> None:
        north, user = Region.objects.create(name="north"), User.objects.create(username="u")
        with tenant_context(acme):
            product = Product.objects.create(sku="a")
            product.regions.add(north)
            assert list(product.regions.all()) == [north]
            assert [*Product.objects.prefetch_related("regions")[0].regions.all()] == [north]
            note = Note.objects.create(subject=user, text="t")
            assert Note.objects.get(pk=note.pk).subject == user

    def test_what_a_primary_key_asks_for_is_brought_too(self, acme: Any) -> None:
        user = User.objects.create(username="u")
        kind = ContentType.objects.get_for_model(User)
        with tenant_context(acme):
            assert kind.get_object_for_this_type(using=acme.home.database, pk=user.pk) == user

    def test_the_application_writes_no_copy(self, acme: Any) -> None:
        plan = Plan.objects.create(name="gold")
        with tenant_context(acme):
            Customer.objects.create(name="first", plan=plan)
            with pytest.raises(AcrossDatabases, match="copies, which nobody writes"), transaction.atomic():
                Plan.objects.using(acme.home.database).create(name="x")
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                raw(acme.home.database, "UPDATE testapp_plan SET name = 'x' RETURNING 1")

    def test_a_change_by_somebody_else_is_pushed(self, acme: Any) -> None:
        plan = Plan.objects.create(name="gold")
        with tenant_context(acme):
            Customer.objects.create(name="first", plan=plan)
        raw("default", "UPDATE testapp_plan SET name = 'platinum' RETURNING 1")
        assert push_changes() == 0
        with tenant_context(acme):
            assert Customer.objects.get().plan.name == "platinum"

    def test_a_change_is_pushed_by_who_commits_it(self, acme: Any, django_capture_on_commit_callbacks: Any) -> None:
        plan = Plan.objects.create(name="gold")
        with tenant_context(acme):
            Customer.objects.create(name="first", plan=plan)
        with django_capture_on_commit_callbacks(execute=True):
            plan.name = "platinum"
            plan.save()
        assert raw("default", "SELECT count(*) FROM tenantkit.pending_changes(9)") == [(0,)]
        assert raw(acme.home.database, "SELECT name FROM testapp_plan") == [("platinum",)]

    def test_a_transaction_sees_what_it_has_changed(self, acme: Any) -> None:
        plan = Plan.objects.create(name="gold")
        with tenant_context(acme), transaction.atomic():
            Customer.objects.create(name="first", plan=plan)
            Plan.objects.update(name="platinum")
            assert Customer.objects.get(plan__name="platinum").plan.name == "platinum"

    def test_what_is_deleted_goes_there_too(self, acme: Any) -> None:
        north = Region.objects.create(name="north")
        with tenant_context(acme):
            product = Product.objects.create(sku="a")
            product.regions.add(north)
            product.regions.clear()
        raw("default", "DELETE FROM testapp_region WHERE id = %s RETURNING 1", north.pk)
        assert push_changes() == 0
        with tenant_context(acme):
            assert raw(acme.home.database, "SELECT count(*) FROM testapp_region") == [(0,)]


class TestAcross:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda: Plan.objects.filter(customers__name="first").exists(),
            lambda: list(Plan.objects.exclude(customers__name="first")),
            lambda: list(Plan.objects.filter(pk__in=Customer.objects.values("plan"))),
            lambda: list(Plan.objects.extra(tables=["testapp_tag"])),
            lambda: list(Customer.objects.using(SHARED)),
            lambda: Customer.objects.using(SHARED).update(name="x"),
            lambda: Customer.objects.using(SHARED).delete(),
            lambda: Customer.objects.using(SHARED).create(name="x"),
            lambda: list(Customer.objects.filter(plan__in=Plan.objects.filter(name="x"))),
            lambda: list(Plan.objects.using("default")),
            lambda: list(Invoice.objects.filter(owner__groups__name="x")),
        ],
    )
    def test_what_would_need_both_databases_raises(self, acme: Any, ask: Any) -> None:
        with tenant_context(acme), pytest.raises(AcrossDatabases):
            ask()

    def test_a_tenants_database_is_nobody_elses(self, acme: Any, shared: Any, globex: Any) -> None:
        for tenant in (shared, globex):
            with tenant_context(tenant), pytest.raises(AcrossDatabases, match="lives in another one"):
                Customer.objects.using(acme.home.database).count()
