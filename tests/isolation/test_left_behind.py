"""Nothing is left behind: transactions, callbacks, threads, cursors, late evaluation."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, connections, transaction
from django.db.models import Count

from django_tenantkit import carry_tenant, get_current_tenant, tenant_context
from django_tenantkit.exceptions import NoCurrentTenant
from tests.aio import in_this_thread
from tests.isolation.world import World, over_rows
from tests.testapp.models import Customer, Invoice, Tag


def labels() -> set[str]:
    return {name.split()[0] for name in Customer.objects.values_list("name", flat=True)}


def test_a_queryset_belongs_to_whoever_evaluates_it(two):
    with tenant_context(two.acme):
        queryset = Customer.objects.all()
    with tenant_context(two.globex):
        assert {name.split()[0] for name in queryset.values_list("name", flat=True)} == {"globex"}


def test_an_evaluated_queryset_keeps_its_rows_and_a_copy_asks_again(two):
    with tenant_context(two.acme):
        queryset = Customer.objects.all()
        assert len(queryset) == 3
    with tenant_context(two.globex):
        assert len(queryset) == 3
        assert len(queryset.all()) == 6


def test_a_pickled_queryset_holds_no_tenant(two):
    with tenant_context(two.acme):
        pickled = pickle.dumps(Customer.objects.all().query)
    queryset = Customer.objects.all()
    queryset.query = pickle.loads(pickled)
    with pytest.raises(NoCurrentTenant):
        list(queryset)


def test_an_iterator_keeps_the_tenant_in_which_it_was_begun(two):
    with tenant_context(two.acme), transaction.atomic():
        iterator = Customer.objects.order_by("pk").iterator(chunk_size=1)
        first = next(iterator)
        with tenant_context(two.globex):
            rest = list(iterator)
    assert {customer.tenant_id for customer in [first, *rest]} == {two.acme.pk}


def test_the_text_of_a_query_outside_a_tenant_shows_a_marker(two):
    assert "<no current tenant>" in str(Customer.objects.filter(name="x").query)


def test_the_text_of_a_query_cannot_be_executed_outside_a_tenant(two):
    sql, params = Customer.objects.all().query.sql_with_params()
    with pytest.raises(Exception, match=r"adapt|bind"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_a_filter_that_matches_nothing_is_refused_like_any_other(two):
    with pytest.raises(NoCurrentTenant):
        list(Customer.objects.filter(pk__in=[]))


def test_none_asks_nothing(two):
    assert list(Customer.objects.none()) == []


def test_unscoped_sees_all_tenants(together):
    with over_rows():
        assert labels() == {"acme", "globex"}
        assert Customer.objects.filter(tenant=together.acme).count() == 3


def create_and_fail(tenant) -> None:
    with transaction.atomic(), tenant_context(tenant):
        Tag.objects.create(label="gone")
        raise KeyError


def test_a_rolled_back_savepoint_leaves_the_tenant_as_it_was(two):
    with tenant_context(two.acme), transaction.atomic():
        with pytest.raises(KeyError):
            create_and_fail(two.globex)
        assert labels() == {"acme"}
        Tag.objects.create(label="kept")
    with tenant_context(two.globex):
        assert not Tag.objects.filter(label__in=["gone", "kept"]).exists()


def test_one_transaction_holds_work_of_several_tenants(two):
    with transaction.atomic():
        for tenant in (two.acme, two.globex, two.acme):
            with tenant_context(tenant):
                assert labels() == {tenant.slug}


def test_a_dropped_connection_changes_nothing(transactional_db):
    world = World()
    world.add_globex()
    with tenant_context(world.acme):
        assert labels() == {"acme"}
        if connection.vendor != "sqlite":
            connection.close()
        assert labels() == {"acme"}


def test_on_commit_runs_in_the_tenant_in_which_it_was_registered(two, django_capture_on_commit_callbacks):
    seen = []
    with django_capture_on_commit_callbacks(execute=True):
        with tenant_context(two.acme):
            transaction.on_commit(lambda: seen.append(labels()))
        with tenant_context(two.globex):
            transaction.on_commit(lambda: seen.append(labels()))
        transaction.on_commit(lambda: seen.append(get_current_tenant()))
    assert seen == [{"acme"}, {"globex"}, None]
    assert get_current_tenant() is None


def test_on_commit_in_a_real_transaction(transactional_db):
    world = World()
    world.add_globex()
    seen = []
    with transaction.atomic():
        with tenant_context(world.acme):
            transaction.on_commit(lambda: seen.append(get_current_tenant()), robust=True)
        with tenant_context(world.globex):
            transaction.on_commit(partial(seen.append, "partial"))
    assert seen == [world.acme, "partial"]


def test_an_on_commit_callback_is_found_by_those_who_look_for_it(two, django_capture_on_commit_callbacks):
    def callback() -> None:
        pass

    with django_capture_on_commit_callbacks() as callbacks:
        transaction.on_commit(callback)
    assert callbacks == [callback]
    assert callbacks[0].__name__ == "callback"


def test_on_commit_refuses_what_cannot_be_called(two):
    with pytest.raises(TypeError):
        transaction.on_commit(object())


def test_a_failing_callback_leaves_nothing_behind(transactional_db):
    world = World()

    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError), tenant_context(world.acme), transaction.atomic():
        transaction.on_commit(fail)
    assert get_current_tenant() is None


def test_threads_have_no_tenant_until_it_is_carried_to_them(transactional_db):
    if connection.vendor == "sqlite":
        pytest.skip("an SQLite database in memory belongs to one thread")
    world = World()
    world.add_globex()

    def work() -> set[str]:
        try:
            return labels()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as executor, tenant_context(world.acme):
        assert isinstance(executor.submit(work).exception(), NoCurrentTenant)
        assert executor.submit(carry_tenant(work)).result() == {"acme"}


ASYNC = {
    "aget": lambda: Invoice.objects.aget(number="0"),
    "afirst": lambda: Invoice.objects.afirst(),
    "alast": lambda: Invoice.objects.alast(),
    "alatest": lambda: Invoice.objects.alatest("amount"),
}


@pytest.mark.parametrize("name", ASYNC)
@in_this_thread
async def test_async_reading_of_one(two, name):
    with tenant_context(two.acme):
        assert (await ASYNC[name]()).tenant_id == two.acme.pk


@in_this_thread
async def test_async_reading_of_many(two):
    with tenant_context(two.acme):
        assert [customer.tenant_id async for customer in Customer.objects.all()] == [two.acme.pk] * 3
        assert [c.tenant_id async for c in Customer.objects.aiterator(chunk_size=1)] == [two.acme.pk] * 3
        assert await Customer.objects.acount() == 3
        assert not await Customer.objects.filter(name__startswith="globex").aexists()
        assert len(await Tag.objects.ain_bulk()) == 2
        assert await Invoice.objects.aaggregate(n=Count("*")) == {"n": 1}


@in_this_thread
async def test_async_writing(two):
    with tenant_context(two.acme):
        assert await Customer.objects.aupdate(name="changed") == 3
        await (await Invoice.objects.aget()).lines.all().adelete()
        invoice = await Invoice.objects.aget()
        await invoice.tags.aclear()
        await invoice.tags.aadd(await Tag.objects.afirst())
        await invoice.arefresh_from_db()
    with tenant_context(two.globex):
        assert not await Customer.objects.filter(name="changed").aexists()
        assert await Invoice.tags.through.objects.acount() == 2


@in_this_thread
async def test_async_prefetching(two):
    with tenant_context(two.acme):
        customers = [customer async for customer in Customer.objects.prefetch_related("invoices")]
        assert {i.tenant_id for c in customers for i in c.invoices.all()} == {two.acme.pk}


@in_this_thread
async def test_async_with_no_tenant_is_refused(two):
    with pytest.raises(NoCurrentTenant):
        await Customer.objects.acount()
