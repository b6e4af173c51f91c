"""Ways across the line that somebody tried, and that were open once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Window
from django.db.models.functions import RowNumber
from django.utils.functional import SimpleLazyObject

from django_tenantkit import carry_tenant, get_current_tenant, tenant_context, unscoped
from django_tenantkit.access import allowed
from django_tenantkit.exceptions import AcrossDatabases, CrossTenantReference, TenantContextError, TenantImmutable
from django_tenantkit.models import Membership
from django_tenantkit.references import tenant_of
from tests.isolation.world import APART, has_database
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Region, Tag, Vip

REFUSALS = (TenantImmutable, CrossTenantReference)


def of(tenant, model, *only, **found):
    """An object of `tenant`, with all its columns or with some."""
    with tenant_context(tenant):
        queryset = model.objects.filter(**found)
        return (queryset.only(*only) if only else queryset).first()


def bulk_update(obj, *fields, **changes):
    for name, value in changes.items():
        setattr(obj, name, value)
    type(obj).objects.bulk_update([obj], fields)


def saved(obj, **changes):
    for name, value in changes.items():
        setattr(obj, name, value)
    obj.save()


def lazy(obj):
    return SimpleLazyObject(lambda: obj)


def line_with_their_product(w):
    return Line(pk=Line.objects.get().pk, product=of(w.globex, Product))


REFUSED = {
    # their object given to a shared one
    "their tag on a shared plan": lambda w: w.plan.featured_tags.add(of(w.globex, Tag, label="blue0")),
    "setting it": lambda w: w.plan.featured_tags.set([of(w.globex, Tag, label="blue0")]),
    "their product in a shared region": lambda w: w.region.products.add(of(w.globex, Product, sku="Q0")),
    "their customer on a shared plan": lambda w: w.plan.customers.add(of(w.globex, Customer)),
    # written through their object's managers
    "a shared row on their m2m": lambda w: of(w.globex, Product).regions.add(Region.objects.create(name="x")),
    "a new shared row on their m2m": lambda w: of(w.globex, Product).regions.create(name="x"),
    "a shared row on their reverse m2m": lambda w: of(w.globex, Tag).plans.set([Plan.objects.create(name="x")]),
    "my key on their m2m": lambda w: of(w.globex, Invoice).tags.add(Tag.objects.get(label="red0").pk),
    "their generic relation, creating": lambda w: of(w.globex, Customer).notes.create(text="x"),
    "their generic relation, adding mine": lambda w: of(w.globex, Customer).notes.add(Note.objects.get()),
    "their generic relation, setting mine": lambda w: of(w.globex, Customer).notes.set([Note.objects.get()]),
    "their generic relation, get_or_create": lambda w: of(w.globex, Customer).notes.get_or_create(text="x"),
    # objects whose tenant was not asked for
    "saving with a deferred object": lambda w: saved(Invoice.objects.get(), customer=of(w.globex, Customer, "name")),
    "creating with it": lambda w: Invoice.objects.create(number="7", customer=of(w.globex, Customer, "name")),
    "adding it to m2m": lambda w: Invoice.objects.get().tags.add(of(w.globex, Tag, "label", label="blue1")),
    "adding to its m2m": lambda w: of(w.globex, Category).related.add(Category.objects.only("name").first()),
    "saving it": lambda w: saved(of(w.globex, Customer, "name"), name="x"),
    "deleting it": lambda w: of(w.globex, Tag, "label").delete(),
    "saving with a lazy one": lambda w: saved(Invoice.objects.get(), customer=lazy(of(w.globex, Customer, "name"))),
    "creating with a lazy one": lambda w: Invoice.objects.create(number="7", customer=lazy(of(w.globex, Customer))),
    # bulk_update hands over keys
    "bulk_update of a bare object": lambda w: bulk_update(line_with_their_product(w), "product"),
    "bulk_update of a generic reference": lambda w: bulk_update(
        Note.objects.get(), "content_type", "object_id", subject=of(w.globex, Customer)
    ),
}


#: What can be tried with a child of another tenant.
WITH_A_CHILD = {
    "saving with it": lambda vip: saved(Invoice.objects.get(), customer=vip),
    "updating to it": lambda vip: Invoice.objects.update(customer=vip),
    "creating with it": lambda vip: Invoice.objects.create(number="7", customer=vip),
    "creating in bulk with it": lambda vip: Invoice.objects.bulk_create([Invoice(number="7", customer=vip)]),
    "updating in bulk to it": lambda vip: bulk_update(Invoice.objects.get(), "customer", customer=vip),
    "naming it": lambda vip: Note.objects.create(subject=vip, text="x"),
    "adding to it": lambda vip: vip.notes.add(Note.objects.get()),
    "saving it": lambda vip: saved(vip, name="x"),
    "deleting it": lambda vip: vip.delete(),
}
#: In which of its tables its tenant stands depends on what was asked for.
COLUMNS = ("name", "discount", "pk", "tenant", "vip_tenant", "customer_ptr")
REFUSED |= {
    f"{name}, a child loaded by its {column}": lambda w, way=way, column=column: way(of(w.globex, Vip, column))
    for name, way in WITH_A_CHILD.items()
    for column in COLUMNS
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_the_other_tenant_stays_as_it_was(two, name):
    before = two.snapshot(two.acme), two.snapshot(two.globex)
    with tenant_context(two.acme), pytest.raises(REFUSALS), transaction.atomic():
        REFUSED[name](two)
    assert (two.snapshot(two.acme), two.snapshot(two.globex)) == before


@pytest.mark.parametrize("table", ['"testapp_tag"', "testapp_tag"])
def test_a_table_of_extra_is_scoped_in_quotes_too(two, table):
    with tenant_context(two.acme):
        rows = Plan.objects.extra(tables=[table], select={"label": "testapp_tag.label"})
        if has_database(two.acme):
            with pytest.raises(AcrossDatabases):
                list(rows)
            return
        assert {row["label"] for row in rows.values("label")} == {"red0", "blue0"}


@pytest.mark.parametrize("queryset", [Customer.objects.only("name"), Customer.objects.defer("tenant")])
def test_objects_know_their_tenant_whatever_was_asked_for(two, queryset, django_assert_num_queries):
    with tenant_context(two.acme), django_assert_num_queries(1):
        assert queryset.first().tenant == two.acme


def test_related_objects_know_it_too(two, django_assert_num_queries):
    with tenant_context(two.acme), django_assert_num_queries(1):
        line = Line.objects.select_related("invoice").only("quantity", "invoice__number").get()
        assert line.invoice.tenant_id == two.acme.pk


@pytest.mark.parametrize("column", COLUMNS)
def test_children_know_it_by_one_of_their_tables(two, column, django_assert_num_queries):
    with tenant_context(two.acme), django_assert_num_queries(1):
        assert tenant_of(Vip.objects.only(column).get()) == two.acme.pk


@pytest.mark.parametrize(
    "columns", [("name", "vip__name"), ("vip__name",), ("vip__discount",), ("vip__customer_ptr", "name")]
)
def test_children_that_come_with_their_parents_know_it_too(two, columns, django_assert_num_queries):
    with tenant_context(two.acme), django_assert_num_queries(1):
        customer = Customer.objects.select_related("vip").only(*columns).get(vip__isnull=False)
        assert tenant_of(customer) == tenant_of(customer.vip) == two.acme.pk


@pytest.mark.parametrize(("column", "value"), [("name", "x"), ("discount", 7)])
def test_saving_a_deferred_child_writes_to_the_table_that_was_asked_for(two, column, value, django_assert_num_queries):
    with tenant_context(two.acme):
        vip = Vip.objects.only(column).get()
        with django_assert_num_queries(1):
            saved(vip, **{column: value})
        assert getattr(Vip.objects.get(), column) == value


def test_a_lazy_object_of_the_own_tenant_is_as_good_as_any(two):
    with tenant_context(two.acme):
        vip = Vip.objects.get()
        saved(Invoice.objects.get(), customer=lazy(vip))
        assert Invoice.objects.get().customer_id == vip.pk


def test_deferring_in_subqueries_windows_and_unions_works_as_before(two):
    with tenant_context(two.acme):
        assert Category.objects.filter(pk__in=Category.objects.only("pk")).count() == 2
        numbered = Customer.objects.only("name").annotate(row=Window(RowNumber(), order_by="pk")).filter(row__lte=2)
        assert [customer.row for customer in numbered] == [1, 2]
        if has_database(two.acme):
            with pytest.raises(AcrossDatabases):
                list(Tag.objects.only("label").union(Plan.objects.only("name")))
        else:
            assert len(Tag.objects.only("label").union(Plan.objects.only("name"))) == 3


@pytest.mark.skipif(APART, reason="unscoped code makes nothing where tenants live apart: tests/homes/test_unscoped.py")
def test_unscoped_code_makes_no_child_of_another_tenants_parent(two):
    with unscoped(reason="test"), pytest.raises(CrossTenantReference), transaction.atomic():
        Vip.objects.create(name="x", tenant=two.acme, vip_tenant=two.globex)


def test_a_tenant_named_by_text_is_the_same_tenant(two):
    with tenant_context(two.acme):
        tag = Tag.objects.create(label="x", tenant_id=str(two.acme.pk))
        Invoice.objects.get().tags.add(tag)
    assert tag.tenant_id == two.acme.pk


def test_a_context_shared_by_threads_leaves_nothing_behind(two):
    context, entered, left = tenant_context(two.acme), threading.Event(), threading.Event()
    seen = []

    def first():
        with context:
            entered.set()
            left.wait(5)
        seen.append(get_current_tenant())

    thread = threading.Thread(target=first)
    with context:
        thread.start()
        entered.wait(5)
    seen.append(get_current_tenant())
    left.set()
    thread.join()
    assert seen == [None, None]


def test_a_context_shared_by_tasks_leaves_nothing_behind(two):
    context = tenant_context(two.acme)

    async def work(turns):
        with context:
            for _ in range(turns):
                await asyncio.sleep(0)
        return get_current_tenant()

    async def both():
        return await asyncio.gather(work(1), work(2))

    assert asyncio.run(both()) == [None, None]


def test_what_was_entered_elsewhere_is_not_left_here(two):
    context = tenant_context(two.acme)
    with context:
        with ThreadPoolExecutor(1) as executor:
            error = executor.submit(context.__exit__, None, None, None).exception()
        assert isinstance(error, TenantContextError)
        assert get_current_tenant() == two.acme
    assert get_current_tenant() is None


class Asynchronous:
    async def __call__(self):
        await asyncio.sleep(0)
        return get_current_tenant()


@pytest.mark.parametrize("func", [Asynchronous(), lambda: Asynchronous()()])
def test_what_returns_a_coroutine_runs_it_in_its_tenant(two, func):
    with tenant_context(two.acme):
        carried = carry_tenant(func)

    async def elsewhere():
        with tenant_context(two.globex):
            return await carried(), get_current_tenant()

    assert asyncio.run(elsewhere()) == (two.acme, two.globex)


def test_a_user_who_is_locked_out_is_forgotten_again_on_commit(two, django_capture_on_commit_callbacks):
    user = get_user_model().objects.create_user("gone")
    Membership.objects.create(user=user, tenant=two.acme)
    old = get_user_model().objects.get(pk=user.pk)
    with django_capture_on_commit_callbacks(execute=True):
        user.is_active = False
        user.save()
        assert allowed(old, two.acme)  # as another thread sees it until the commit
    assert not allowed(user, two.acme)
