"""An ordinary API serves one tenant, and nothing in it tells that there are others."""

from __future__ import annotations

import json

import django_filters
import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType

from django_tenantkit import tenant_context
from tests.drf.api import InvoiceViewSet, serializer_for
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Profile, Region, Tag, Vip

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rows(acme, globex):
    """The same rows in both tenants, but for the names."""
    region = Region.objects.create(name="north")
    user = get_user_model().objects.create(username="user")
    plan = Plan.objects.create(name="basic")
    for tenant in (acme, globex):
        with tenant_context(tenant):
            customer = Customer.objects.create(name=f"{tenant.slug} customer", email="c@x.org", plan=plan)
            Vip.objects.create(name=f"{tenant.slug} vip", discount=1)
            Profile.objects.create(customer=customer, bio=tenant.slug)
            tag = Tag.objects.create(label="red")
            plan.featured_tags.add(tag)
            product = Product.objects.create(sku="P")
            product.regions.add(region)
            for number in ("1", "2", "3"):
                invoice = Invoice.objects.create(customer=customer, number=number, amount=10, owner=user)
                invoice.tags.add(tag)
            Line.objects.create(invoice=invoice, product=product)
            kind = ContentType.objects.get_for_model(Customer)
            Note.objects.create(content_type=kind, object_id=str(customer.pk), text=tenant.slug)
            Category.objects.create(name="top")


@pytest.fixture
def mine(acme):
    """Rows of acme, found without the client."""
    with tenant_context(acme):
        return {model: model.objects.order_by("pk").first() for model in (Customer, Invoice, Product, Tag, Vip)}


PATHS = [
    "invoices",
    "cursors",
    "nested",
    "deep",
    "by-slug",
    "pairs",
    "linked",
    "customers",
    "vips",
    "profiles",
    "tags",
    "products",
    "lines",
    "notes",
    "categorys",
    "plans",
]

every_path = pytest.mark.parametrize("path", PATHS)


def results(response):
    """The rows of a list, paginated or not."""
    data = response.json()
    return data["results"] if isinstance(data, dict) else data


def first(api, path):
    """The address of the first row."""
    row = results(api.get(f"/{path}/"))[0]
    return row.get("url") or f"/{path}/{row['id']}/"


def keys(data):
    """Every key in a document, at any depth."""
    if isinstance(data, dict):
        return set(data).union(*map(keys, data.values()))
    return set().union(*map(keys, data)) if isinstance(data, list) else set()


@every_path
def test_a_list_has_rows_of_the_tenant_only(api, path):
    response = api.get(f"/{path}/")
    assert response.status_code == 200
    assert results(response)
    assert "globex" not in response.content.decode()


@every_path
def test_no_output_has_the_tenant(api, path):
    for response in (api.get(f"/{path}/"), api.get(first(api, path)), api.options(f"/{path}/")):
        assert response.status_code == 200
        assert not {key for key in keys(response.json()) if "tenant" in key}


# The form of notes is left out: it offers every content type, the tenant model's too.
@pytest.mark.parametrize("path", [path for path in PATHS if path != "notes"])
def test_the_browsable_api_shows_no_tenant(api, path):
    for address in (f"/{path}/", first(api, path)):
        page = api.get(address, headers={"accept": "text/html"}).content.decode().lower()
        assert "<form" in page
        assert "tenant" not in page
        assert "globex" not in page


def test_pages_count_rows_of_the_tenant_only(api):
    first_page = api.get("/invoices/").json()
    assert first_page["count"] == 3
    assert len(results(api.get("/invoices/?page=2"))) == 1
    assert api.get("/invoices/?page=3").status_code == 404


def test_cursors_go_through_rows_of_the_tenant_only(api):
    first_page = api.get("/cursors/").json()
    second = results(api.get(first_page["next"]))
    assert [row["number"] for row in results(api.get("/cursors/")) + second] == ["1", "2", "3"]


def test_a_new_row_belongs_to_the_tenant(api, acme, mine):
    response = api.post("/invoices/", {"number": "9", "customer": mine[Customer].pk, "amount": "1"})
    assert response.status_code == 201
    with tenant_context(acme):
        assert Invoice.objects.get(number="9").tenant == acme


def test_new_rows_at_once_belong_to_the_tenant(api, acme):
    with tenant_context(acme):
        several = serializer_for(Tag)(data=[{"label": "a"}, {"label": "b"}], many=True)
        several.is_valid(raise_exception=True)
        assert {tag.tenant for tag in several.save()} == {acme}


def test_a_new_child_belongs_to_the_tenant(api, acme):
    created = api.post("/vips/", {"name": "new", "discount": 3}).json()
    with tenant_context(acme):
        vip = Vip.objects.get(pk=created["id"])
    assert {vip.tenant_id, vip.vip_tenant_id} == {acme.pk}


def test_nested_rows_belong_to_the_tenant(api, acme, mine):
    body = {
        "number": "9",
        "customer": str(mine[Customer].pk),
        "tags": [mine[Tag].pk],
        "lines": [{"product": mine[Product].pk, "quantity": 2}],
    }
    response = api.post("/nested/", body, format="json")
    assert response.status_code == 201
    with tenant_context(acme):
        invoice = Invoice.objects.get(number="9")
        assert [line.tenant for line in invoice.lines.all()] == [acme]
        assert list(invoice.tags.all()) == [mine[Tag]]


@pytest.mark.parametrize("name", ["tenant", "tenant_id"])
def test_a_tenant_in_the_input_is_not_read(api, name, acme, globex):
    response = api.post("/tags/", {"label": "new", name: globex.pk})
    assert response.status_code == 201
    with tenant_context(acme):
        assert Tag.objects.get(label="new").tenant == acme


def test_a_tenant_in_a_change_is_not_read(api, mine, acme, globex):
    body = {"label": "blue", "tenant": globex.pk}
    assert api.patch(f"/tags/{mine[Tag].pk}/", body).status_code == 200
    with tenant_context(acme):
        assert Tag.objects.get(label="blue").tenant == acme


def test_a_tenant_in_a_childs_input_is_not_read(api, globex, acme):
    created = api.post("/vips/", {"name": "new", "vip_tenant": globex.pk, "tenant": globex.pk}).json()
    with tenant_context(acme):
        assert Vip.objects.get(pk=created["id"]).vip_tenant == acme


def test_an_update_and_a_deletion_reach_the_own_row(api, acme, mine):
    assert api.patch(f"/customers/{mine[Customer].pk}/", {"name": "changed"}).json()["name"] == "changed"
    line = api.get("/lines/").json()[0]["id"]
    assert api.delete(f"/lines/{line}/").status_code == 204
    with tenant_context(acme):
        assert Line.objects.count() == 0


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("number=2", ["2"]),
        ("number__in=1,3", ["1", "3"]),
        ("customer__name=globex customer", []),
        ("search=globex", []),
        ("search=acme", ["1", "2"]),
        ("ordering=-number", ["3", "2"]),
        ("ordering=tenant", ["1", "2"]),
        ("ordering=-customer__tenant", ["1", "2"]),
        ("tenant=2", ["1", "2"]),
        ("tenant__slug=globex", ["1", "2"]),
    ],
)
def test_filters_find_rows_of_the_tenant_only_and_know_no_tenant(api, query, numbers):
    assert [row["number"] for row in results(api.get(f"/invoices/?{query}"))] == numbers


def test_choices_of_related_fields_are_rows_of_the_tenant(api, mine):
    page = api.get("/invoices/", headers={"accept": "text/html"}).content.decode()
    assert f'value="{mine[Customer].pk}"' in page


def test_a_hyperlink_leads_to_the_own_row(api, mine):
    (line,) = api.get("/linked/").json()
    assert api.get(line["invoice"]).json()["number"] == "3"
    body = {"invoice": line["invoice"], "product": line["product"], "quantity": 5}
    assert api.post("/linked/", body).status_code == 201


def test_a_label_names_the_own_tag(api, acme, mine):
    body = {"number": "9", "customer": str(mine[Customer].pk), "tags": ["red"]}
    assert api.post("/by-slug/", body, format="json").status_code == 201
    with tenant_context(acme):
        assert list(Invoice.objects.get(number="9").tags.all()) == [mine[Tag]]


def test_the_fields_of_a_list_are_what_the_model_has_but_the_tenant(api):
    assert set(json.loads(api.get("/vips/").content)[0]) == {"id", "name", "email", "discount", "plan"}


@pytest.mark.usefixtures("forgotten")
def test_a_filter_by_the_tenant_lists_none_and_finds_none(api, acme, globex, monkeypatch):
    """The check `tenantkit.E503` refuses such a filter set; this is what stands behind it."""
    made = django_filters.filterset.filterset_factory(Invoice, fields="__all__")
    monkeypatch.setattr(InvoiceViewSet, "filterset_class", made)
    page = api.get("/invoices/", headers={"accept": "text/html"}).content.decode()
    assert "Acme" not in page
    assert "Globex" not in page
    assert [api.get(f"/invoices/?tenant={tenant.pk}").status_code for tenant in (acme, globex)] == [400, 400]
    assert api.get("/invoices/?tenant=999").status_code == 400
