"""Every create path fills in the tenant, and none takes another's."""

from __future__ import annotations

import json

import pytest
from django import forms
from django.core import serializers
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.forms import inlineformset_factory, modelformset_factory

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import AcrossDatabases, CrossTenantReference, NoCurrentTenant, TenantImmutable
from tests.aio import in_this_thread
from tests.isolation.world import APART, has_database
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Product, Profile, Tag, Vip


class TagForm(forms.ModelForm):
    class Meta:
        model = Tag
        fields = "__all__"


def by_form(world):
    form = TagForm({"label": "new"})
    assert form.is_valid(), form.errors
    return form.save()


def by_formset(world):
    formset = modelformset_factory(Tag, fields="__all__")(
        {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-label": "new"},
        queryset=Tag.objects.none(),
    )
    assert formset.is_valid(), formset.errors
    return formset.save()[0]


def by_inline_formset(world):
    customer = Customer.objects.get(name="acme 0")
    formset = inlineformset_factory(Customer, Invoice, fields=["number", "amount"])(
        {
            "invoices-TOTAL_FORMS": "1",
            "invoices-INITIAL_FORMS": "0",
            "invoices-0-number": "9",
            "invoices-0-amount": "1",
        },
        instance=customer,
        queryset=Invoice.objects.none(),
    )
    assert formset.is_valid(), formset.errors
    return formset.save()[0]


def by_deserializer(world):
    text = json.dumps([{"model": "testapp.tag", "pk": 999_999, "fields": {"label": "new"}}])
    for item in serializers.deserialize("json", text):
        item.save()
    return Tag.objects.get(pk=999_999)


def by_related_bulk_create(world):
    return Customer.objects.get(name="acme 0").invoices.bulk_create([Invoice(number="8", customer_id=_customer())])[0]


def _customer():
    return Customer.objects.get(name="acme 0").pk


CREATING = {
    "save": lambda w: _saved(Tag(label="new")),
    "create": lambda w: Tag.objects.create(label="new"),
    "create on a queryset": lambda w: Tag.objects.filter(label="x").create(label="new"),
    "get_or_create": lambda w: Tag.objects.get_or_create(label="new")[0],
    "update_or_create": lambda w: Tag.objects.update_or_create(label="new", defaults={"label": "newer"})[0],
    "bulk_create": lambda w: Tag.objects.bulk_create([Tag(label="new"), Tag(label="newer")])[1],
    "bulk_create ignoring": lambda w: _found(Tag.objects.bulk_create([Tag(label="new")], ignore_conflicts=True)),
    "upsert": lambda w: Product.objects.bulk_create(
        [Product(pk=777_777, sku="new")], update_conflicts=True, unique_fields=["id"], update_fields=["sku"]
    )[0],
    "related create": lambda w: Invoice.objects.get().lines.create(product=Product.objects.first()),
    "related add": lambda w: _added(w),
    "related get_or_create": lambda w: Invoice.objects.get().tags.get_or_create(label="new")[0],
    "related bulk_create": by_related_bulk_create,
    "m2m create": lambda w: Invoice.objects.get().tags.create(label="new"),
    "m2m create on a shared row": lambda w: w.plan.featured_tags.create(label="new"),
    "generic relation create": lambda w: Customer.objects.first().notes.create(text="new"),
    "one-to-one": lambda w: Profile.objects.create(customer=Customer.objects.get(name="acme 0 idle")),
    "child": lambda w: Vip.objects.create(name="new"),
    "reverse of a shared row": lambda w: w.plan.customers.create(name="new"),
    "form": by_form,
    "formset": by_formset,
    "inline formset": by_inline_formset,
    "deserializer": by_deserializer,
}


def _saved(obj):
    obj.save()
    return obj


def _found(objs):
    return Tag.objects.get(label=objs[0].label)


def _added(world):
    note = Note(text="new")
    Customer.objects.first().notes.add(note, bulk=False)
    return note


def skip_across(world, name):
    """Django makes the other end of a many-to-many field in the database of the object that it is made from."""
    if name == "m2m create on a shared row" and has_database(world.acme):
        pytest.skip("refused where the tenant has a database, see below")


@pytest.mark.parametrize("name", CREATING)
def test_the_current_tenant_is_filled_in(two, name):
    skip_across(two, name)
    with tenant_context(two.acme):
        created = CREATING[name](two)
        assert created.tenant_id == two.acme.pk
        assert type(created).objects.get(pk=created.pk).tenant == two.acme


@pytest.mark.parametrize("name", CREATING)
def test_the_other_tenant_gets_nothing(two, name):
    skip_across(two, name)
    before = two.snapshot(two.globex)
    with tenant_context(two.acme):
        CREATING[name](two)
    assert two.snapshot(two.globex) == before


@pytest.mark.parametrize(
    "create", [lambda: Tag.objects.create(label="x"), lambda: Tag.objects.bulk_create([Tag(label="x")])]
)
def test_with_no_tenant_nothing_is_created(two, create):
    with pytest.raises(NoCurrentTenant, match=r"testapp\.Tag"):
        create()


def test_through_rows_carry_the_tenant(two):
    with tenant_context(two.acme):
        invoice = Invoice.objects.get()
        invoice.tags.add(Tag.objects.get(label="blue0"))
        assert set(Invoice.tags.through.objects.values_list("tenant", flat=True)) == {two.acme.pk}


def test_through_rows_between_a_shared_and_a_tenant_model_carry_the_tenant(two):
    with tenant_context(two.acme):
        two.plan.featured_tags.add(Tag.objects.get(label="blue0"))
        assert two.plan.featured_tags.count() == 2
    with tenant_context(two.globex):
        assert two.plan.featured_tags.count() == 2


def test_a_child_has_its_parents_tenant(two):
    with tenant_context(two.acme):
        vip = Vip.objects.create(name="new")
    assert (vip.vip_tenant_id, vip.tenant_id) == (two.acme.pk, two.acme.pk)


@in_this_thread
async def test_async_twins_fill_in_the_tenant(two):
    with tenant_context(two.acme):
        tag = await Tag.objects.acreate(label="a")
        found, _ = await Tag.objects.aget_or_create(label="b")
        updated, _ = await Tag.objects.aupdate_or_create(label="c", defaults={"label": "d"})
        (bulk,) = await Tag.objects.abulk_create([Tag(label="e")])
        saved = Tag(label="f")
        await saved.asave()
        for obj in (tag, found, updated, bulk, saved):
            assert obj.tenant_id == two.acme.pk


def test_fixtures_are_loaded_into_the_current_tenant(two, tmp_path):
    file = tmp_path / "tags.json"
    file.write_text('[{"model": "testapp.tag", "pk": 5555, "fields": {"label": "loaded"}}]')
    with tenant_context(two.acme):
        call_command("loaddata", file, verbosity=0)
        assert Tag.objects.get(pk=5555).tenant_id == two.acme.pk


def test_fixtures_of_another_tenant_are_refused(two, tmp_path):
    file = tmp_path / "tags.json"
    fields = {"label": "loaded", "tenant": two.globex.pk}
    file.write_text(json.dumps([{"model": "testapp.tag", "pk": 5555, "fields": fields}]))
    with tenant_context(two.acme), pytest.raises((CrossTenantReference, TenantImmutable)):
        call_command("loaddata", file, verbosity=0)


def test_dumpdata_holds_the_current_tenant_only(two, capsys):
    with tenant_context(two.acme):
        call_command("dumpdata", "testapp.customer")
    out = capsys.readouterr().out
    assert "acme" in out
    assert "globex" not in out


def test_dumpdata_with_no_tenant_is_refused(two, capsys):
    with pytest.raises(Exception, match="no current tenant"):
        call_command("dumpdata", "testapp.customer")
    assert "acme" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "create",
    [
        lambda w: Tag.objects.create(label="x", tenant=w.globex),
        lambda w: Tag(label="x", tenant_id=w.globex.pk).save(),
        lambda w: Tag.objects.bulk_create([Tag(label="x", tenant=w.globex)]),
        lambda w: Vip.objects.create(name="x", tenant=w.globex),
        lambda w: Tag.objects.get_or_create(label="x", defaults={"tenant": w.globex}),
    ],
)
def test_an_explicit_foreign_tenant_is_refused_before_sql(two, create, django_assert_num_queries):
    with tenant_context(two.acme), pytest.raises(CrossTenantReference):
        create(two)


def test_naming_the_current_tenant_is_fine(two):
    with tenant_context(two.acme):
        assert Tag.objects.create(label="x", tenant=two.acme).tenant == two.acme
        assert Tag.objects.create(label="y", tenant_id=str(two.acme.pk)).pk


@pytest.mark.skipif(APART, reason="unscoped code makes nothing where tenants live apart: tests/homes/test_unscoped.py")
def test_unscoped_code_must_name_the_tenant(two):
    with unscoped(reason="test"), pytest.raises(NoCurrentTenant, match="must name its tenant"):
        Tag.objects.create(label="x")


@pytest.mark.skipif(APART, reason="unscoped code makes nothing where tenants live apart: tests/homes/test_unscoped.py")
def test_unscoped_code_creates_where_it_says(two):
    with unscoped(reason="test"):
        tag = Tag.objects.create(label="x", tenant=two.globex)
        vip = Vip.objects.create(name="v", tenant=two.globex)
    with tenant_context(two.globex):
        assert Tag.objects.get(pk=tag.pk) == tag
        assert Vip.objects.get(pk=vip.pk).vip_tenant_id == two.globex.pk


def test_an_upsert_onto_another_tenants_key_changes_nothing(together):
    with tenant_context(together.globex):
        theirs = Product.objects.first()
    with tenant_context(together.acme), pytest.raises(CrossTenantReference), transaction.atomic():
        Product.objects.bulk_create(
            [Product(pk=theirs.pk, sku="stolen"), Product(sku="fine")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["sku"],
        )
    with tenant_context(together.globex):
        theirs.refresh_from_db()
        assert theirs.sku.startswith("P")
    with tenant_context(together.acme):
        assert not Product.objects.filter(sku__in=["stolen", "fine"]).exists()


def test_an_upsert_by_what_is_unique_within_the_tenant(two):
    with tenant_context(two.acme):
        mine = Tag.objects.get(label="red0")
        Tag.objects.bulk_create(
            [Tag(label="red0"), Tag(label="new")],
            update_conflicts=True,
            unique_fields=["label"],
            update_fields=["label"],
        )
        assert Tag.objects.filter(label="red0").get() == mine
        assert Tag.objects.count() == 3
    with tenant_context(two.globex):
        assert Tag.objects.count() == 4


def test_an_upsert_onto_an_own_row_updates_it(two):
    with tenant_context(two.acme):
        mine = Product.objects.first()
        Product.objects.bulk_create(
            [Product(pk=mine.pk, sku="new")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["sku"],
        )
        mine.refresh_from_db()
        assert mine.sku == "new"


def test_a_taken_key_of_another_tenant_is_not_updated_by_save(together):
    with tenant_context(together.globex):
        theirs = Category.objects.first()
    with tenant_context(together.acme), pytest.raises(IntegrityError), transaction.atomic():
        Category(pk=theirs.pk, name="stolen").save()
    with tenant_context(together.globex):
        assert Category.objects.get(pk=theirs.pk).name == theirs.name


def test_a_line_can_be_created_with_ids(two):
    with tenant_context(two.acme):
        line = Line.objects.create(invoice_id=Invoice.objects.get().pk, product_id=Product.objects.first().pk)
        assert line.tenant_id == two.acme.pk


def test_a_shared_row_makes_none_of_a_tenant_that_has_a_database(two):
    if not has_database(two.acme):
        pytest.skip("all rows are in one database")
    with tenant_context(two.acme):
        with pytest.raises(AcrossDatabases), transaction.atomic():
            two.plan.featured_tags.create(label="new")
        two.plan.featured_tags.add(Tag.objects.create(label="new"))
        assert two.plan.featured_tags.filter(label="new").exists()
