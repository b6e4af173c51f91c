"""What `transaction.atomic()` and its like mean inside a tenant that has a database: the tenant's database, and the
main one as far as it is used."""

# ruff: noqa: PT012 - what a block did before it failed is what these are about

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import Error, IntegrityError, connection, connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from django_tenantkit import carry_tenant, get_current_tenant, tenant_context, unscoped
from django_tenantkit.isolation.entries import SHARED
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.testapp.models import Customer, Invoice, Plan, Product, Region

pytestmark = pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database")

both = pytest.mark.parametrize(
    "real",
    [
        pytest.param(False, marks=pytest.mark.django_db, id="in a TestCase"),
        pytest.param(True, marks=pytest.mark.django_db(transaction=True), id="committed"),
    ],
)


class Broken(Exception):
    pass


@pytest.fixture
def acme(db: None) -> Any:
    return make_tenant("acme", isolation="database")


def names(model: Any) -> list[str]:
    return list(model.objects.order_by("name").values_list("name", flat=True))


@both
class TestAtomic:
    def test_it_rolls_back_the_tenants_rows(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with pytest.raises(Broken), transaction.atomic():
                Customer.objects.create(name="lost")
                raise Broken
            assert names(Customer) == []

    def test_it_commits_them(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with transaction.atomic():
                Customer.objects.create(name="kept")
            assert names(Customer) == ["kept"]
            assert not connection.in_atomic_block or not real

    def test_shared_rows_are_rolled_back_with_them(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with pytest.raises(Broken), transaction.atomic():
                Customer.objects.create(name="lost")
                Region.objects.create(name="lost")
                raise Broken
            assert names(Customer) == names(Region) == []

    def test_and_committed_with_them(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with transaction.atomic():
                Customer.objects.create(name="kept")
                Region.objects.create(name="kept")
            assert names(Customer) == names(Region) == ["kept"]

    def test_a_savepoint_holds_for_both(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with transaction.atomic():
                Region.objects.create(name="first")
                with pytest.raises(Broken), transaction.atomic():
                    Region.objects.create(name="lost")
                    Customer.objects.create(name="lost")
                    raise Broken
                Customer.objects.create(name="kept")
                with transaction.atomic():
                    Region.objects.create(name="second")
            assert (names(Customer), names(Region)) == (["kept"], ["first", "second"])

    def test_one_by_hand_too(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with transaction.atomic():
                point = transaction.savepoint()
                for _ in range(2):
                    Region.objects.create(name="lost")
                    transaction.savepoint_rollback(point)
                Region.objects.create(name="kept")
                transaction.savepoint_commit(point)
            assert names(Region) == ["kept"]

    def test_a_tenant_entered_inside_is_rolled_back_too(self, acme: Any, real: bool) -> None:
        with pytest.raises(Broken), transaction.atomic():
            with tenant_context(acme):
                Customer.objects.create(name="lost")
                with transaction.atomic():
                    Customer.objects.create(name="lost too")
            raise Broken
        with tenant_context(acme):
            assert names(Customer) == []

    def test_so_are_two_tenants(self, acme: Any, real: bool) -> None:
        globex = make_tenant("globex", isolation="database")
        with pytest.raises(Broken), transaction.atomic():
            for tenant in (acme, globex):
                with tenant_context(tenant):
                    Customer.objects.create(name="lost")
            raise Broken
        for tenant in (acme, globex):
            with tenant_context(tenant):
                assert names(Customer) == []

    def test_what_the_tenants_database_refuses_at_commit_is_written_nowhere(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with pytest.raises(IntegrityError), transaction.atomic():
                Region.objects.create(name="lost")
                product = Product.objects.create(sku="a")
                Product.regions.through.objects.create(product=product, region_id=10**9)
                if not real:  # TestCase checks deferred constraints itself, at the end
                    connection.check_constraints()
            assert names(Region) == []

    def test_an_error_that_was_caught_spoils_both(self, acme: Any, real: bool) -> None:
        with tenant_context(acme):
            with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
                Customer.objects.create(name="lost")
                try:
                    with transaction.atomic(using=SHARED, savepoint=False):
                        raise Broken
                except Broken:
                    pass
                if not real:
                    Region.objects.create(name="lost")
            assert names(Customer) == []

    def test_get_or_create_of_a_shared_row(self, acme: Any, real: bool) -> None:
        with tenant_context(acme), transaction.atomic():
            assert [Region.objects.get_or_create(name="north")[1] for _ in range(2)] == [True, False]


class TestOnCommit:
    @pytest.mark.django_db(transaction=True)
    def test_it_runs_when_both_are_committed_and_in_the_tenant(self) -> None:
        acme, seen = make_tenant("acme", isolation="database"), []

        def callback() -> None:
            seen.append((get_current_tenant(), names(Customer), names(Region), connection.in_atomic_block))

        with tenant_context(acme), transaction.atomic():
            transaction.on_commit(callback)
            Customer.objects.create(name="kept")
            Region.objects.create(name="kept")
            transaction.on_commit(callback, using=SHARED)
        assert seen == [(acme, ["kept"], ["kept"], False)] * 2

    @pytest.mark.django_db(transaction=True)
    def test_it_does_not_run_when_an_outer_block_fails(self) -> None:
        acme, seen = make_tenant("acme", isolation="database"), []
        with pytest.raises(Broken), transaction.atomic():
            with tenant_context(acme), transaction.atomic():
                transaction.on_commit(lambda: seen.append(1))
            raise Broken
        with transaction.atomic():
            with pytest.raises(Broken), tenant_context(acme), transaction.atomic():
                transaction.on_commit(lambda: seen.append(2))
                raise Broken
            with tenant_context(acme):
                transaction.on_commit(lambda: seen.append(3))
            assert seen == []
        assert seen == [3]

    def test_tests_can_capture_it(self, acme: Any, django_capture_on_commit_callbacks: Any) -> None:
        for context in (tenant_context(acme), tenant_context(None)):
            with context, django_capture_on_commit_callbacks() as callbacks, tenant_context(acme):
                transaction.on_commit(print)
            assert callbacks == [print]


class TestLocks:
    def test_rows_of_the_tenant(self, acme: Any) -> None:
        with tenant_context(acme), transaction.atomic(), CaptureQueriesContext(connection) as queries:
            list(Customer.objects.select_for_update())
            assert queries[-1]["sql"].endswith("FOR UPDATE")

    @pytest.mark.django_db(transaction=True)
    def test_shared_rows_are_locked_until_the_tenants_block_ends(self) -> None:
        acme = make_tenant("acme", isolation="database")
        Region.objects.create(name="north")

        def can_lock() -> bool:
            try:
                with transaction.atomic():
                    return bool(Region.objects.select_for_update(skip_locked=True))
            finally:
                connections.close_all()

        def elsewhere() -> bool:
            found: list[bool] = []
            thread = threading.Thread(target=lambda: found.append(can_lock()))
            thread.start()
            thread.join()
            return found[0]

        with tenant_context(acme):
            with transaction.atomic():
                assert Region.objects.select_for_update().get()
                assert not elsewhere()
            assert elsewhere()

    @pytest.mark.django_db(transaction=True)
    def test_outside_of_a_block_they_are_refused_as_always(self) -> None:
        acme = make_tenant("acme", isolation="database")
        with tenant_context(acme), pytest.raises(transaction.TransactionManagementError):
            list(Region.objects.select_for_update())


@pytest.mark.django_db(transaction=True)
class TestRequests:
    def view(self, request: Any) -> Any:
        Customer.objects.create(name="first")
        Region.objects.create(name="north")
        if request.GET.get("break"):
            raise Broken
        return HttpResponse()

    def test_atomic_requests_mean_both_databases(self, settings: Any) -> None:
        from django.core.handlers.base import BaseHandler

        acme = make_tenant("acme", isolation="database")
        entry = connections.settings["default"]
        entry["ATOMIC_REQUESTS"] = True
        try:
            with tenant_context(acme):
                atomic = BaseHandler().make_view_atomic(self.view)
                with pytest.raises(Broken):
                    atomic(RequestFactory().get("/?break=1"))
                assert names(Customer) == names(Region) == []
                atomic(RequestFactory().get("/"))
                assert (names(Customer), names(Region)) == (["first"], ["north"])
        finally:
            entry["ATOMIC_REQUESTS"] = False


@pytest.mark.django_db(transaction=True)
class TestThreads:
    def test_each_has_its_own_connections(self) -> None:
        tenants = [make_tenant("acme", isolation="database"), make_tenant("shared")]
        found: dict[str, list[str]] = {}

        def work(slug: str) -> None:
            try:
                for n in range(5):
                    with transaction.atomic():
                        Customer.objects.create(name=f"{slug} {n}")
                found[slug] = names(Customer)
            finally:
                connections.close_all()

        threads = []
        for tenant in tenants:
            with tenant_context(tenant):
                threads.append(threading.Thread(target=carry_tenant(work), args=[tenant.slug]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {tenant.slug: [f"{tenant.slug} {n}" for n in range(5)] for tenant in tenants}

    def test_closing_the_main_connection_closes_those_of_tenants(self) -> None:
        with tenant_context(acme := make_tenant("acme", isolation="database")):
            Customer.objects.create(name="first")
            home = connections[acme.home.database]
        assert home.connection is not None
        connections.close_all()
        assert home.connection is None
        assert connections[acme.home.database] is not home


def test_rows_of_a_user_that_is_made_in_the_same_block(acme: Any) -> None:
    with tenant_context(acme), transaction.atomic():
        user = get_user_model().objects.create(username="new")
        customer = Customer.objects.create(name="first", plan=Plan.objects.create(name="new"))
        Invoice.objects.create(customer=customer, number="1", owner=user)
        assert Invoice.objects.select_related("owner").get().owner.username == "new"


@pytest.mark.django_db(transaction=True)
def test_the_operators_own_login_ends_a_block_that_a_tenants_database_joined(acme: Any, settings: Any) -> None:
    settings.TENANTKIT_WEB_MAY_OPERATE = False
    with unscoped(reason="test"):
        with transaction.atomic():
            Region.objects.create(name="main")
            with tenant_context(acme):
                Customer.objects.create(name="joined")
        assert names(Region) == ["main"]
    with tenant_context(acme):
        assert names(Customer) == ["joined"]


@pytest.mark.django_db(transaction=True)
def test_and_rolls_it_back(acme: Any, settings: Any) -> None:
    settings.TENANTKIT_WEB_MAY_OPERATE = False
    with unscoped(reason="test"), pytest.raises(Broken), transaction.atomic():
        Region.objects.create(name="main")
        with tenant_context(acme):
            Customer.objects.create(name="joined")
        raise Broken
    assert names(Region) == []
    with tenant_context(acme):
        assert names(Customer) == []
    assert not connection.in_atomic_block


def end_session(alias: str) -> None:
    """The server ends the session of a connection, as it does when it is stopped."""
    pid = connections[alias].connection.info.backend_pid
    with as_admin() as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


LOSSES = {"closed": lambda alias: connections[alias].close(), "ended by the server": end_session}


@pytest.mark.django_db(transaction=True)
class TestLost:
    """A connection that is lost in a block ends that block, and nothing that comes after it."""

    @pytest.mark.parametrize("lose", LOSSES)
    @pytest.mark.parametrize("whose", ["the tenant's", "the main one"])
    @pytest.mark.parametrize("first", [Customer, Region])
    @pytest.mark.parametrize("fails", [True, False])
    def test_what_comes_after_the_block_is_committed(
        self, acme: Any, whose: str, lose: str, first: Any, fails: bool
    ) -> None:
        alias = acme.home.database if whose == "the tenant's" else SHARED
        with tenant_context(acme):
            with pytest.raises((Broken, Error)), transaction.atomic(using=SHARED if first is Region else None):
                for model in (Customer, Region)[:: 1 if first is Customer else -1]:
                    model.objects.create(name="lost")
                LOSSES[lose](alias)
                if fails:
                    raise Broken
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT 1")
            Customer.objects.create(name="kept")
            Region.objects.create(name="kept")
        connections[acme.home.database].close()
        connections[SHARED].close()
        with tenant_context(acme):
            assert (names(Customer), names(Region)) == (["kept"], ["kept"])

    @pytest.mark.parametrize("lose", LOSSES)
    def test_a_lost_part_of_a_block_is_noticed_when_it_ends(self, acme: Any, lose: str) -> None:
        with tenant_context(acme):
            with pytest.raises(Error), transaction.atomic():
                Customer.objects.create(name="lost")
                Region.objects.create(name="lost")
                LOSSES[lose](SHARED)
            assert (names(Customer), names(Region)) == ([], [])


class TestDurable:
    @both
    def test_it_is_refused_inside_a_block_of_the_main_database(self, acme: Any, real: bool) -> None:
        with (
            transaction.atomic(),
            tenant_context(acme),
            pytest.raises(RuntimeError, match="durable"),
            transaction.atomic(durable=True),
        ):
            pytest.fail("an outer block is open")

    @both
    def test_and_the_main_databases_inside_one_of_the_tenant(self, acme: Any, real: bool) -> None:
        with (
            tenant_context(acme),
            transaction.atomic(),
            pytest.raises(RuntimeError, match="durable"),
            transaction.atomic(using=SHARED, durable=True),
        ):
            pytest.fail("an outer block is open")

    @both
    def test_outermost_it_is_an_ordinary_block(self, acme: Any, real: bool) -> None:
        for _ in range(2):
            with tenant_context(acme), transaction.atomic(durable=True):
                Customer.objects.create(name="kept")
                Region.objects.create(name="kept")
                with transaction.atomic(using=SHARED):
                    Region.objects.create(name="inner")
        with tenant_context(acme):
            assert (names(Customer), names(Region)) == (["kept"] * 2, ["inner", "inner", "kept", "kept"])

    @pytest.mark.django_db(transaction=True)
    def test_a_block_that_failed_is_not_open_any_more(self, acme: Any) -> None:
        with tenant_context(acme):
            with pytest.raises(Broken), transaction.atomic():
                connection.close()
                raise Broken
            with transaction.atomic(durable=True):
                Customer.objects.create(name="kept")
            assert names(Customer) == ["kept"]
