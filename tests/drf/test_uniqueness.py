"""A duplicate is a 400 and another tenant's value is free, whichever validator DRF uses, or has not."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, models
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from django_tenantkit import tenant_context
from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.contrib.drf import exception_handler
from tests.testapp.models import Category, Customer, Invoice, Product, Region, Tag

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(acme):
    with tenant_context(acme):
        return Customer.objects.create(name="a", email="a@x.org")


def test_unique_validator(api, acme, customer):
    with tenant_context(acme):
        Tag.objects.create(label="red")
    response = api.post("/tags/", {"label": "red"})
    assert (response.status_code, response.json()) == (400, {"label": ["tag with this label already exists."]})


def test_unique_validator_with_a_condition(api, customer):
    response = api.post("/customers/", {"name": "b", "email": "a@x.org"})
    assert (response.status_code, response.json()) == (400, {"email": ["customer with this email already exists."]})


def test_rows_that_do_not_meet_the_condition_are_free(api, customer):
    assert api.post("/customers/", {"name": "b", "email": ""}).status_code == 201
    assert api.post("/customers/", {"name": "c", "email": ""}).status_code == 201


def test_unique_together_validator_written_in_a_serializer(api, acme):
    with tenant_context(acme):
        top = Category.objects.create(name="top")
        Category.objects.create(name="x", parent=top)
    response = api.post("/pairs/", {"name": "x", "parent": str(top.pk)})
    assert response.status_code == 400
    assert response.json() == {"non_field_errors": ["The fields name, parent must make a unique set."]}


@pytest.mark.parametrize(
    "options",
    [{"fields": ["customer", "number"]}, {"fields": ["number"], "condition": models.Q(amount__gt=0)}],
    ids=["two fields", "a condition on another field"],
)
def test_unique_together_validator_made_of_a_constraint(options, api, customer, acme, globex, monkeypatch):
    monkeypatch.setattr(Invoice._meta, "constraints", [TenantUniqueConstraint(name="pair", **options)])
    with tenant_context(globex):
        Invoice.objects.create(customer=Customer.objects.create(name="b"), number="1", amount=1)
    body = {"customer": str(customer.pk), "number": "1", "amount": "1"}
    assert api.post("/invoices/", body).status_code == 201
    assert api.post("/invoices/", body).status_code == 400


@pytest.mark.parametrize(
    ("path", "model", "values"),
    [("tags", Tag, {"label": "red"}), ("customers", Customer, {"name": "b", "email": "b@x.org"})],
)
def test_another_tenants_value_is_free(path, model, values, api, globex):
    with tenant_context(globex):
        model.objects.create(**values)
    assert api.post(f"/{path}/", values).status_code == 201


def test_a_row_is_no_duplicate_of_itself(api, customer):
    assert api.patch(f"/customers/{customer.pk}/", {"email": "a@x.org"}).status_code == 200


def test_a_change_to_a_duplicate_is_refused(api, acme, customer):
    with tenant_context(acme):
        other = Customer.objects.create(name="b", email="b@x.org")
    assert api.patch(f"/customers/{other.pk}/", {"email": "a@x.org"}).status_code == 400


#: What only the database knows: the path, the row that is there, the one that is sent, and the answer.
UNSEEN = {
    "a constraint on an expression": (
        "/products/",
        (Product, {"sku": "P"}),
        {"sku": "p"},
        {"non_field_errors": ["Constraint “unique_sku” is violated."]},
    ),
    "a race for a field": (
        "/tags/",
        (Tag, {"label": "red"}),
        {"label": "red"},
        {"label": ["Tag with this Label already exists."]},
    ),
    "a race for a field with a condition": (
        "/customers/",
        (Customer, {"name": "a", "email": "a@x.org"}),
        {"name": "b", "email": "a@x.org"},
        {"email": ["Customer with this Email already exists."]},
    ),
}


@pytest.fixture(params=UNSEEN.values(), ids=UNSEEN)
def unseen(request, acme, monkeypatch):
    """Validation finds nothing, as where another request is quicker."""
    path, (model, values), body, error = request.param
    monkeypatch.setattr("rest_framework.validators.qs_exists", lambda queryset: False)
    with tenant_context(acme):
        model.objects.create(**values)
    if model is Product:
        body = body | {"regions": [Region.objects.create(name="north").pk]}
    return path, body, error


class TestTheHandler:
    @pytest.fixture(autouse=True)
    def handler(self, settings):
        settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "django_tenantkit.contrib.drf.exception_handler"}
        assert api_settings.EXCEPTION_HANDLER is exception_handler

    def test_a_duplicate_is_a_400(self, api, unseen):
        path, body, error = unseen
        response = api.post(path, body, format="json")
        assert (response.status_code, response.json()) == (400, error)

    def test_other_errors_of_the_database_stay_what_they_are(self, acme, customer):
        with tenant_context(acme), pytest.raises(IntegrityError) as error:
            Customer.objects.create(pk=customer.pk, name="same key")
        assert exception_handler(error.value, {}) is None

    def test_errors_of_drf_are_answered_as_ever(self, api):
        assert api.get("/customers/nobody/").status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("with_middleware")
class TestTheMiddlewareAlone:
    """Without any setting of DRF."""

    @pytest.fixture(autouse=True)
    def urls(self, settings):
        settings.ROOT_URLCONF = "tests.drf.api"
        assert api_settings.EXCEPTION_HANDLER is not exception_handler

    def post(self, path, body, **headers):
        return APIClient(headers={"host": "acme.example.com", **headers}).post(path, body, format="json")

    @pytest.mark.parametrize("atomic", [False, True], ids=["", "ATOMIC_REQUESTS"])
    def test_a_duplicate_is_a_400(self, unseen, monkeypatch, atomic):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)
        path, body, error = unseen
        response = self.post(path, body)
        assert (response.status_code, response["Content-Type"], response.json()) == (400, "application/json", error)

    def test_who_looks_at_the_browsable_api_gets_a_page(self, unseen):
        path, body, error = unseen
        response = self.post(path, body, accept="text/html")
        assert (response.status_code, response["Content-Type"]) == (400, "text/html; charset=utf-8")
        assert next(iter(error.values()))[0] in response.text

    def test_the_key_of_what_is_no_field_is_that_of_drf(self, acme, settings):
        settings.REST_FRAMEWORK = {"NON_FIELD_ERRORS_KEY": "errors"}
        body = {"sku": "p", "regions": [Region.objects.create(name="north").pk]}
        assert self.post("/products/", body).status_code == 201
        assert self.post("/products/", body).json() == {"errors": ["Constraint “unique_sku” is violated."]}

    def test_other_errors_of_the_database_stay_what_they_are(self, acme):
        with pytest.raises(IntegrityError):
            self.post("/broken/", {})
