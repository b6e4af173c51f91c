"""Another tenant's row is the same as no row: the same answer, by the same statements."""

from __future__ import annotations

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_tenantkit import tenant_context, unscoped
from tests.testapp.models import Category, Customer, Invoice, Product, Profile, Tag, Vip

pytestmark = pytest.mark.django_db


#: Another one in each page.
CSRF_TOKEN = re.compile(r'"csrfToken": "\w+"')


class Keys:
    """Keys of rows of one tenant, or of no row at all."""

    def __init__(self, customer, vip, invoice, tag, product, category):
        self.customer, self.vip, self.invoice = customer, vip, invoice
        self.tag, self.product, self.category = tag, product, category


def make_rows(tenant, number):
    """The numbers of the rows that have numbers begin with `number`, so that they are found in a text."""
    with tenant_context(tenant):
        customer = Customer.objects.create(name="customer", email="c@x.org")
        vip = Vip.objects.create(name="vip")
        Profile.objects.create(customer=customer)
        invoice = Invoice.objects.create(customer=customer, number="1")
        tag = Tag.objects.create(pk=number + 1, label=tenant.slug)
        product = Product.objects.create(pk=number + 2, sku="P")
        category = Category.objects.create(name="top")
    return Keys(customer.pk, vip.pk, invoice.pk, tag.pk, product.pk, category.pk)


@pytest.fixture
def mine(acme):
    return make_rows(acme, 5_000_000)


@pytest.fixture
def theirs(globex):
    return make_rows(globex, 6_000_000)


@pytest.fixture
def nobodys():
    return Keys(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), 7_000_001, 7_000_002, uuid.uuid4())


def new_line(api, mine, given):
    return api.post("/lines/", {"invoice": given.invoice, "product": mine.product, "quantity": 1})


def linked_line(api, mine, given):
    address = f"http://testserver/invoices/{given.invoice}/"
    return api.post("/linked/", {"invoice": address, "product": f"/products/{mine.product}/", "quantity": 1})


def nested_line(api, mine, given):
    lines = [{"product": given.product, "quantity": 1}]
    return api.post("/nested/", {"number": "9", "customer": mine.customer, "lines": lines}, format="json")


def tagged(api, mine, given):
    return api.post("/invoices/", {"number": "9", "customer": mine.customer, "tags": [mine.tag, given.tag]})


def moved(api, mine, given):
    return api.patch(f"/invoices/{mine.invoice}/", {"customer": given.customer})


def replaced(api, mine, given):
    return api.put(f"/invoices/{given.invoice}/", {"number": "9", "customer": mine.customer})


def page(api, address):
    return api.get(address, headers={"accept": "text/html"})


#: What a client does with a key, and the status it gets where the key is not that of an own row.
ATTEMPTS = {
    "retrieve": (404, lambda api, mine, given: api.get(f"/invoices/{given.invoice}/")),
    "retrieve by number": (404, lambda api, mine, given: api.get(f"/tags/{given.tag}/")),
    "retrieve a child": (404, lambda api, mine, given: api.get(f"/vips/{given.vip}/")),
    "retrieve nested": (404, lambda api, mine, given: api.get(f"/nested/{given.invoice}/")),
    "page": (404, lambda api, mine, given: page(api, f"/invoices/{given.invoice}/")),
    "head": (404, lambda api, mine, given: api.head(f"/invoices/{given.invoice}/")),
    "replace": (404, replaced),
    "change": (404, lambda api, mine, given: api.patch(f"/tags/{given.tag}/", {"label": "new"})),
    "delete": (404, lambda api, mine, given: api.delete(f"/tags/{given.tag}/")),
    "new row that refers to it": (400, new_line),
    "own row that is to refer to it": (400, moved),
    "one-to-one": (400, lambda api, mine, given: api.post("/profiles/", {"customer": given.customer})),
    "one of several": (400, tagged),
    "link": (400, linked_line),
    "nested row": (400, nested_line),
    "reference to its own kind": (
        400,
        lambda api, mine, given: api.post("/categorys/", {"name": "x", "parent": given.category}),
    ),
    "shared row": (400, lambda api, mine, given: api.post("/plans/", {"name": "x", "featured_tags": [given.tag]})),
    "filter": (400, lambda api, mine, given: api.get(f"/invoices/?customer={given.customer}")),
    "filter by one of several": (400, lambda api, mine, given: api.get(f"/invoices/?tags={given.tag}")),
    "filter by its own key": (200, lambda api, mine, given: api.get(f"/customers/?id={given.customer}")),
    "search": (200, lambda api, mine, given: api.get(f"/invoices/?search={given.customer}")),
    "generic reference": (200, lambda api, mine, given: api.get(f"/notes/?search={given.customer}")),
}

every_attempt = pytest.mark.parametrize(("status", "attempt"), ATTEMPTS.values(), ids=ATTEMPTS)


def told(attempt, api, mine, given):
    """Everything that comes back and everything the database was asked, with a word for each given key."""
    with CaptureQueriesContext(connection) as queries:
        response = attempt(api, mine, given)
    return (
        response.status_code,
        CSRF_TOKEN.sub("", worded(response.content.decode(), given)),
        {name: worded(value, given) for name, value in response.items() if name != "Content-Length"},
        [worded(query["sql"], given) for query in queries],
    )


def worded(text, keys):
    for name, key in vars(keys).items():
        text = text.replace(str(key), f"<{name}>").replace(getattr(key, "hex", str(key)), f"<{name}>")
    return text


def everything():
    with unscoped(reason="test"):
        return [
            list(model.objects.order_by("pk").values())
            for model in (Customer, Invoice, Tag, Product, Category, Profile)
        ]


@every_attempt
def test_another_tenants_row_is_not_there(status, attempt, api, mine, theirs):
    before = everything()
    assert attempt(api, mine, theirs).status_code == status
    assert everything() == before


@every_attempt
def test_another_tenants_row_and_no_row_are_told_apart_by_nothing(status, attempt, api, mine, theirs, nobodys):
    told(attempt, api, mine, nobodys)  # what Django remembers from its first use, such as content types
    assert told(attempt, api, mine, theirs) == told(attempt, api, mine, nobodys)


@every_attempt
def test_the_attempts_work_on_own_rows(status, attempt, api, mine):
    own = attempt(api, mine, mine)
    if attempt is ATTEMPTS["one-to-one"][1]:
        assert own.json() == {"customer": ["profile with this customer already exists."]}
    else:
        assert own.status_code < 300


def test_lists_are_empty_for_keys_of_others(api, mine, theirs):
    assert api.get(f"/customers/?id={theirs.customer}").json() == []
