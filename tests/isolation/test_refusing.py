"""What belongs to another tenant can be neither changed, referenced, saved nor deleted."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import (
    CrossTenantReference,
    TenantImmutable,
)
from tests.aio import in_this_thread
from tests.isolation.world import APART, over_rows
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Product, Profile, Tag, Vip

REFUSALS = (TenantImmutable, CrossTenantReference)


@contextmanager
def refused(*errors):
    """The block is refused; the transaction of the test goes on."""
    with pytest.raises(errors or REFUSALS) as refusal, transaction.atomic():
        yield refusal


@pytest.fixture
def theirs(two):
    """Objects of globex, held while acme is current."""
    with tenant_context(two.globex):
        objects = {
            "customer": Customer.objects.get(name="globex 0"),
            "vip": Vip.objects.first(),
            "tag": Tag.objects.get(label="red0"),
            "invoice": Invoice.objects.select_related("customer").first(),
            "product": Product.objects.first(),
            "category": Category.objects.first(),
        }
    return objects


@pytest.fixture
def mine(two):
    """Objects of acme."""
    with tenant_context(two.acme):
        return {
            "customer": Customer.objects.get(name="acme 0"),
            "tag": Tag.objects.get(label="red0"),
            "invoice": Invoice.objects.get(),
            "product": Product.objects.first(),
            "category": Category.objects.first(),
            "line": Line.objects.get(),
        }


def _save(obj, **changes):
    for name, value in changes.items():
        setattr(obj, name, value)
    obj.save()


REFUSED = {
    "saving their object": lambda w, mine, theirs: theirs["customer"].save(),
    "saving one field of it": lambda w, mine, theirs: theirs["customer"].save(update_fields=["name"]),
    "saving their child": lambda w, mine, theirs: theirs["vip"].save(),
    "deleting their object": lambda w, mine, theirs: theirs["tag"].delete(),
    "deleting their child": lambda w, mine, theirs: theirs["vip"].delete(),
    "changing the tenant": lambda w, mine, theirs: _save(mine["tag"], tenant=w.globex),
    "changing the tenant's id": lambda w, mine, theirs: _save(mine["tag"], tenant_id=w.globex.pk),
    "updating the tenant": lambda w, mine, theirs: Tag.objects.update(tenant=w.globex),
    "updating the tenant's id": lambda w, mine, theirs: Tag.objects.update(tenant_id=w.globex.pk),
    "updating by an expression": lambda w, mine, theirs: Tag.objects.update(tenant=F("id")),
    "updating a child's tenant": lambda w, mine, theirs: Vip.objects.update(vip_tenant=w.globex),
    "bulk updating the tenant": lambda w, mine, theirs: Tag.objects.bulk_update([mine["tag"]], ["tenant"]),
    "creating with their object": lambda w, mine, theirs: Invoice.objects.create(
        number="7", customer=theirs["customer"]
    ),
    "saving with their object": lambda w, mine, theirs: _save(mine["invoice"], customer=theirs["customer"]),
    "updating to their object": lambda w, mine, theirs: Invoice.objects.update(customer=theirs["customer"]),
    "adding theirs to m2m": lambda w, mine, theirs: mine["invoice"].tags.add(theirs["tag"]),
    "setting theirs on m2m": lambda w, mine, theirs: mine["invoice"].tags.set([theirs["tag"]]),
    "adding mine to their m2m": lambda w, mine, theirs: theirs["invoice"].tags.add(mine["tag"]),
    "adding to a reverse manager": lambda w, mine, theirs: mine["customer"].invoices.add(theirs["invoice"], bulk=False),
    "creating from their manager": lambda w, mine, theirs: theirs["customer"].invoices.create(number="7"),
    "generic reference": lambda w, mine, theirs: Note.objects.create(subject=theirs["customer"], text="x"),
    "one-to-one": lambda w, mine, theirs: Profile.objects.create(customer=theirs["customer"]),
    "a tree": lambda w, mine, theirs: _save(mine["category"], parent=theirs["category"]),
    "bulk creating": lambda w, mine, theirs: Line.objects.bulk_create(
        [Line(invoice=mine["invoice"], product=theirs["product"])]
    ),
}


#: Django removes what is not in the new set before it adds, in one transaction, which is rolled back.
REMOVES_FIRST = {"setting theirs on m2m"}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_any_sql(two, mine, theirs, name):
    before = two.snapshot(two.acme), two.snapshot(two.globex)
    with tenant_context(two.acme), CaptureQueriesContext(connection) as queries, refused():
        REFUSED[name](two, mine, theirs)
    harmless = ("SAVEPOINT", "ROLLBACK", "RELEASE", *(["SELECT", "DELETE"] if name in REMOVES_FIRST else []))
    assert [query["sql"] for query in queries if not query["sql"].startswith(harmless)] == []
    assert (two.snapshot(two.acme), two.snapshot(two.globex)) == before


@in_this_thread
async def test_async_saving_and_deleting_is_refused(two):
    with tenant_context(two.globex):
        tag = await Tag.objects.afirst()
    with tenant_context(two.acme):
        with pytest.raises(REFUSALS):
            await tag.asave()
        with pytest.raises(REFUSALS):
            await tag.adelete()


def test_naming_the_own_tenant_in_an_update_is_fine(two):
    with tenant_context(two.acme):
        assert Tag.objects.update(tenant=two.acme) == 2


def test_unscoped_saving_keeps_the_tenant(together):
    with tenant_context(together.globex):
        theirs = Customer.objects.first()
    with over_rows():
        theirs.name = "renamed"
        theirs.save()
        assert Customer.objects.get(name="renamed").tenant_id == together.globex.pk


def test_unscoped_code_cannot_change_a_tenant_either(together):
    before = together.snapshot(together.globex)
    with tenant_context(together.globex):
        theirs = Tag.objects.first()
    theirs.tenant = together.acme
    with over_rows(), pytest.raises(TenantImmutable), transaction.atomic():
        theirs.save()
    assert together.snapshot(together.globex) == before


def test_unscoped_update_of_the_tenant_changes_no_row(together):
    before = together.snapshot(together.globex)
    with over_rows():
        Tag.objects.update(tenant=together.acme)
    assert together.snapshot(together.globex) == before


def test_unscoped_code_cannot_empty_the_tenant(together):
    before = together.snapshot(together.acme)
    with over_rows(), refused(TenantImmutable):
        Tag.objects.update(tenant=None)
    assert together.snapshot(together.acme) == before


def test_unscoped_references_across_tenants_are_refused(two, mine, theirs):
    with unscoped(reason="test"), pytest.raises(CrossTenantReference):
        Invoice.objects.create(number="7", customer=theirs["customer"], tenant=two.acme)


@pytest.mark.skipif(APART, reason="unscoped code makes nothing where tenants live apart: tests/homes/test_unscoped.py")
def test_unscoped_saving_of_a_new_row_with_a_key_of_its_own(two):
    with unscoped(reason="test"):
        Tag(pk=987_654, label="new", tenant=two.acme).save()
        assert Tag.objects.get(pk=987_654).tenant_id == two.acme.pk


def test_select_for_update_locks_no_other_table(two):
    if not connection.features.has_select_for_update:
        pytest.skip("this database has no row locks")
    with tenant_context(two.acme), transaction.atomic(), CaptureQueriesContext(connection) as queries:
        list(Invoice.objects.select_for_update())
        assert queries[-1]["sql"].count("FROM") == 1
        assert "JOIN" not in queries[-1]["sql"]
