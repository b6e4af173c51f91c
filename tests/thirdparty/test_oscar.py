"""django-oscar, as it is: a catalogue, baskets, an order and what the shop's people do with it, tenant by tenant.

Its lists of products come from haystack, whose only search in the database itself knows no filters: so products are
looked for by words, and on their own pages.
"""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType
from oscar.apps.address.models import Country
from oscar.apps.basket.models import Basket
from oscar.apps.catalogue.models import Category, Product, ProductClass
from oscar.apps.order.models import Order
from oscar.apps.partner.models import Partner

from django_tenantkit import tenant_context
from tests.thirdparty.pages import Browser

pytestmark = pytest.mark.thirdparty

ACTION = {"order_action": "change_order_status"}
DASHBOARD = "/shop/dashboard/catalogue"


def key_of(client, model, **values):
    with tenant_context(client.tenant):
        return model.objects.values_list("pk", flat=True).get(**values)


@pytest.fixture(scope="module")
def products(clients, django_db_blocker):
    """A book in each shop, made in its dashboard: the keys by slug."""
    with django_db_blocker.unblock():
        for slug, client in clients.items():
            client.fill_in(
                f"{DASHBOARD}/product-type/create/",
                at="name",
                name=f"{slug} books",
                requires_shipping="on",
                track_stock="on",
            )
        for slug, client in clients.items():
            client.fill_in(f"{DASHBOARD}/categories/create/", at="name", name=f"{slug} novels")
            client.fill_in("/shop/dashboard/partners/create/", at="name", name=f"{slug} press")
            with tenant_context(client.tenant):
                Country.objects.create(
                    iso_3166_1_a2="DE", printable_name=f"Land of {slug}", name="Land", is_shipping_country=True
                )
        for slug, client in clients.items():
            client.fill_in(
                f"{DASHBOARD}/products/create/{slug}-books/",
                at="title",
                title=f"{slug} story",
                upc="1",
                **{
                    "productcategory_set-0-category": str(key_of(client, Category, name=f"{slug} novels")),
                    "stockrecords-0-partner": str(key_of(client, Partner, name=f"{slug} press")),
                    "stockrecords-0-partner_sku": "1",
                    "stockrecords-0-price": "9.99",
                    "stockrecords-0-num_in_stock": "5",
                    "action": "save",
                },
            )
        return {slug: key_of(client, Product, upc="1") for slug, client in clients.items()}


def page_of(client, key):
    with tenant_context(client.tenant):
        return Product.objects.get(pk=key).get_absolute_url()


def test_ids_have_drifted(products):
    assert len(set(products.values())) == 3


def test_the_shop_shows_its_own(clients, products):
    for _ in range(2):
        for slug, client in clients.items():
            guest = Browser(client.tenant)
            assert f"{slug} novels" in guest.get("/shop/catalogue/").content.decode()
            assert f"{slug} story" in guest.get(page_of(client, products[slug])).content.decode()


def test_addresses_of_categories_are_the_tenants(clients, products):
    """The path of a category is kept in Django's cache, by its key."""
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            address = Category.objects.get().get_absolute_url()
        assert f"{slug}-novels" in address
        assert f"{slug} novels" in Browser(client.tenant).get(address).content.decode()


def test_products_of_others_are_not_there(clients, products):
    for slug, client in clients.items():
        for other in set(clients) - {slug}:
            if products[other] != products[slug]:
                assert client.get(f"/shop/catalogue/story_{products[other]}/").status_code == 404


def test_a_search_finds_its_own(clients, products):
    for slug, client in clients.items():
        assert f"{slug} story" in client.get("/shop/search/", {"q": "story"}).content.decode()
        assert f"{slug} story" in client.get(f"{DASHBOARD}/", {"title": "story"}).content.decode()
        for other in set(clients) - {slug}:
            assert "story</a>" not in client.get("/shop/search/", {"q": other[1:]}).content.decode()


def test_editing(clients, products):
    for slug, client in clients.items():
        path = f"{DASHBOARD}/products/{products[slug]}/"
        client.fill_in(path, at="title", description=f"told at {slug}", action="save")
    for slug, client in clients.items():
        assert f"told at {slug}" in client.get(page_of(client, products[slug])).content.decode()


def basket_with(client, products):
    """A guest with a book in the basket."""
    guest = Browser(client.tenant)
    key = products[client.tenant.slug]
    assert guest.post(f"/shop/basket/add/{key}/", {"quantity": 1}).status_code == 302
    return guest


def test_baskets_of_guests_are_the_tenants(clients, products):
    guests = {slug: basket_with(client, products) for slug, client in clients.items()}
    for slug, guest in guests.items():
        assert f"{slug} story" in guest.get("/shop/basket/").content.decode()


def test_a_basket_of_one_shop_is_none_in_another(clients, products):
    """The cookie names a basket by its key, and is signed."""
    guests = {slug: basket_with(client, products) for slug, client in clients.items()}
    there = guests["acme"].cookies["oscar_open_basket"].value
    key = there.split(":")[0]
    for slug in ("globex", "initech"):
        with tenant_context(clients[slug].tenant):
            basket, _ = Basket.objects.get_or_create(pk=key)
        thief = Browser(clients[slug].tenant)
        thief.cookies["oscar_open_basket"] = there
        assert thief.get("/shop/basket/").context["basket"].pk != basket.pk


@pytest.fixture(scope="module")
def orders(clients, products, django_db_blocker):
    """An order in each shop, placed in the pages of its checkout; their numbers by slug."""
    found = {}
    with django_db_blocker.unblock():
        for slug, client in clients.items():
            client.post(f"/shop/basket/add/{products[slug]}/", {"quantity": 2})
        for slug, client in clients.items():
            client.fill_in(
                "/shop/checkout/shipping-address/",
                at="line1",
                first_name="Ann",
                last_name=f"of {slug}",
                line1=f"{slug} road 1",
                line4="Town",
                postcode="12345",
                country="DE",
            )
        for client in clients.values():
            client.get("/shop/checkout/shipping-method/", follow=True)
        for slug, client in clients.items():
            assert f"{slug} road 1" in client.get("/shop/checkout/preview/", follow=True).content.decode()
            assert client.post("/shop/checkout/preview/", {"action": "place_order"}).status_code == 302
            thanks = client.get("/shop/checkout/thank-you/").content.decode()
            assert f"{slug} story" in thanks
        for slug, client in clients.items():
            found[slug] = key_of_order(client)
    return found


def key_of_order(client):
    with tenant_context(client.tenant):
        return Order.objects.get().number


def test_orders_are_the_tenants(clients, orders):
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            order = Order.objects.get()
            assert order.shipping_address.line1 == f"{slug} road 1"
            assert [line.title for line in order.lines.all()] == [f"{slug} story"]
            assert order.user.email == f"boss@{slug}.org"
            assert order.lines.get().stockrecord.num_allocated == 2


def test_the_dashboard_lists_and_changes_its_own(clients, orders):
    for slug, client in clients.items():
        listed = client.get("/shop/dashboard/orders/").content.decode()
        assert orders[slug] in listed
        client.fill_in(f"/shop/dashboard/orders/{orders[slug]}/", at="new_status", new_status="Shipped", **ACTION)
        for other in set(orders.values()) - {orders[slug]}:
            assert other not in listed
            assert client.get(f"/shop/dashboard/orders/{other}/").status_code == 404
    for client in clients.values():
        with tenant_context(client.tenant):
            assert Order.objects.get().status == "Shipped"


def test_customers_see_their_own_orders(clients, orders):
    for slug, client in clients.items():
        assert orders[slug] in client.get("/shop/accounts/orders/").content.decode()
        assert f"{slug} road 1" in client.get(f"/shop/accounts/orders/{orders[slug]}/").content.decode()


def test_the_rest_of_the_dashboard(clients, orders):
    for slug, client in clients.items():
        assert f"boss@{slug}.org" in client.get("/shop/dashboard/users/").content.decode()
        for path in ("", "orders/statistics/", "partners/", "offers/", "vouchers/", "ranges/", "reviews/", "reports/"):
            assert client.get(f"/shop/dashboard/{path}").status_code == 200


def test_registering_and_logging_in(clients):
    for slug, client in clients.items():
        guest = Browser(client.tenant)
        secret = "a long secret of theirs"
        guest.fill_in(
            "/shop/accounts/register/", at="email", email=f"new@{slug}.org", password1=secret, password2=secret
        )
        assert f"new@{slug}.org" in guest.get("/shop/accounts/profile/").content.decode()


def test_content_types_of_what_was_stored(clients, orders):
    """Whatever refers to a content type refers to one that is there and means a model."""
    for client in clients.values():
        with tenant_context(client.tenant):
            for kind in ContentType.objects.all():
                assert kind.model_class() is not None
                assert ContentType.objects.get_for_model(kind.model_class(), for_concrete_model=False) == kind


def test_deletion(clients, products):
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            product = Product.objects.create(
                title=f"{slug} to go", product_class=ProductClass.objects.get(), structure="standalone", upc="2"
            )
        assert client.post(f"{DASHBOARD}/products/{product.pk}/delete/").status_code == 302
    for client in clients.values():
        with tenant_context(client.tenant):
            assert [product.upc for product in Product.objects.all()] == ["1"]
