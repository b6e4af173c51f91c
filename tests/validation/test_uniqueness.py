"""What is unique is checked within the tenant, whoever asks, and never by an IntegrityError."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.forms import inlineformset_factory, modelformset_factory

from django_tenantkit import tenant_context, unscoped
from tests.testapp.models import Category, Customer, Invoice, Product, Profile, Tag, Vip
from tests.validation.ways import WAYS

pytestmark = pytest.mark.django_db

#: A kind of constraint: the model, values that are taken, and values that collide with them.
KINDS = {
    "field": (Tag, {"label": "red"}, {"label": "red"}),
    "condition": (Customer, {"name": "a", "email": "a@x.org"}, {"name": "b", "email": "a@x.org"}),
    "expression": (Product, {"sku": "P-1"}, {"sku": "p-1"}),
}

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
every_kind = pytest.mark.parametrize(("model", "taken", "colliding"), KINDS.values(), ids=KINDS)


@pytest.fixture(autouse=True)
def urls_of_the_ways(settings):
    settings.ROOT_URLCONF = "tests.validation.ways"
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "tenantkit" not in path and "csrf" not in path]


@every_way
@every_kind
def test_a_duplicate_is_an_error_of_the_form(way, model, taken, colliding, in_acme):
    model.objects.create(**taken)
    assert way(model, colliding)
    assert model.objects.count() == 1


@every_way
@every_kind
def test_a_change_to_a_duplicate_is_an_error_of_the_form(way, model, taken, colliding, in_acme):
    model.objects.create(**taken)
    other = model.objects.create(**dict.fromkeys(taken, "other@x.org"))
    assert way(model, colliding, other)
    assert model.objects.filter(**taken).count() == 1


@every_way
@every_kind
def test_a_row_is_no_duplicate_of_itself(way, model, taken, colliding, in_acme):
    row = model.objects.create(**taken)
    assert way(model, colliding, row) is None
    row.refresh_from_db()
    assert {name: getattr(row, name) for name in colliding} == colliding


@every_way
@every_kind
def test_another_tenants_value_is_free(way, model, taken, colliding, in_acme, globex):
    with tenant_context(globex):
        model.objects.create(**taken)
    assert way(model, colliding) is None
    assert model.objects.get(**colliding).tenant == in_acme


@every_way
def test_rows_that_do_not_meet_the_condition_are_free(way, in_acme):
    Customer.objects.create(name="a", email="")
    assert way(Customer, {"name": "b", "email": ""}) is None


@pytest.mark.parametrize("way", ["full_clean", "form", "form of all fields"])
def test_the_parents_constraint_counts_for_a_child(way, in_acme):
    Customer.objects.create(name="a", email="a@x.org")
    assert WAYS[way](Vip, {"name": "b", "email": "a@x.org", "discount": 1})
    assert Vip.objects.count() == 0


def test_a_reference_that_is_one_to_one_is_checked(in_acme):
    customer = Customer.objects.create(name="a")
    Profile.objects.create(customer=customer)
    assert WAYS["form"](Profile, {"customer": customer, "bio": ""})


@every_way
def test_another_tenants_row_is_no_choice(way, in_acme, globex):
    with tenant_context(globex):
        theirs = Customer.objects.create(name="theirs")
    if way is WAYS["full_clean"]:
        with pytest.raises(ValidationError, match="is not a valid choice"):
            Invoice(number="1", customer_id=theirs.pk).full_clean()
    else:
        assert way(Invoice, {"number": "1", "customer": theirs, "amount": 1})
    assert Invoice.objects.count() == 0


def inlines(customer, *numbers):
    made = inlineformset_factory(Customer, Invoice, fields=["number", "amount"], extra=len(numbers))
    data = {"invoices-TOTAL_FORMS": len(numbers), "invoices-INITIAL_FORMS": 0}
    for n, number in enumerate(numbers):
        data |= {f"invoices-{n}-number": number, f"invoices-{n}-amount": "1"}
    return made(data, instance=customer)


def test_inline_formset_refuses_a_duplicate(in_acme):
    customer = Customer.objects.create(name="a")
    Invoice.objects.create(customer=customer, number="7")
    assert inlines(customer, "7").errors == [{"number": ["Invoice with this Number already exists."]}]


def test_inline_formset_refuses_two_alike_in_one_go(in_acme):
    bound = inlines(Customer.objects.create(name="a"), "7", "7")
    assert bound.non_form_errors() == ["Please correct the duplicate data for number."]


def test_inline_formset_takes_another_tenants_value(in_acme, globex):
    with tenant_context(globex):
        Invoice.objects.create(customer=Customer.objects.create(name="b"), number="7")
    bound = inlines(Customer.objects.create(name="a"), "7")
    assert bound.is_valid()
    assert [invoice.tenant for invoice in bound.save()] == [in_acme]


def test_formset_refuses_two_alike_in_one_go(in_acme):
    made = modelformset_factory(Tag, fields=["label"], extra=2)
    bound = made({"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 0, "form-0-label": "red", "form-1-label": "red"})
    assert bound.non_form_errors() == ["Please correct the duplicate data for label."]


def test_the_message_is_djangos(in_acme):
    Tag.objects.create(label="red")
    assert WAYS["full_clean"](Tag, {"label": "red"}) == {"label": ["Tag with this Label already exists."]}


def test_unscoped_code_compares_within_the_tenant_of_the_row(acme, globex):
    with tenant_context(acme):
        Tag.objects.create(label="red")
    with unscoped(reason="test"):
        assert WAYS["full_clean"](Tag, {"label": "red", "tenant": globex}) is None
        assert WAYS["full_clean"](Tag, {"label": "red", "tenant": acme})


@every_kind
def test_the_database_refuses_a_duplicate_within_a_tenant_too(model, taken, colliding, in_acme):
    model.objects.create(**taken)
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.create(**colliding)


def test_a_form_shows_no_tenant(in_acme):
    for model in (Invoice, Vip, Category):
        made = modelformset_factory(model, fields="__all__")
        assert not {name for name in made().empty_form.fields if "tenant" in name}


def test_validating_a_row_asks_for_no_tenant(in_acme, django_assert_num_queries):
    tag = Tag.objects.create(label="red")
    tag.refresh_from_db()
    with django_assert_num_queries(1) as sent:
        tag.full_clean()
    assert "label" in sent[0]["sql"]  # whether it is taken
