"""Customers, products and orders for demos and tests. They are made in the current tenant."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import factory
import factory.fuzzy
from django.utils import timezone
from django.utils.text import slugify

from .models import Customer, Order, OrderLine, Product

TOWNS = [
    ("Vienna", "Austria"),
    ("Graz", "Austria"),
    ("Hamburg", "Germany"),
    ("Leipzig", "Germany"),
    ("Rotterdam", "Netherlands"),
    ("Ghent", "Belgium"),
    ("Lyon", "France"),
    ("Nantes", "France"),
    ("Bologna", "Italy"),
    ("Porto", "Portugal"),
    ("Bilbao", "Spain"),
    ("Aarhus", "Denmark"),
    ("Gothenburg", "Sweden"),
    ("Gdansk", "Poland"),
    ("Brno", "Czechia"),
    ("Ljubljana", "Slovenia"),
    ("Cork", "Ireland"),
    ("Leeds", "United Kingdom"),
]


def some_days_ago(least: int, most: int) -> timedelta:
    """A span of whole days and some hours."""
    return timedelta(days=factory.fuzzy.FuzzyInteger(least, most).fuzz(), hours=factory.fuzzy.FuzzyInteger(0, 9).fuzz())


class CustomerFactory(factory.django.DjangoModelFactory):
    """A company in a European town; the same one when the tenant has the address already."""

    class Meta:
        model = Customer
        django_get_or_create = ("email",)
        exclude = ("town",)

    town: Any = factory.fuzzy.FuzzyChoice(TOWNS)
    name: Any = factory.Faker("company")
    email: Any = factory.LazyAttribute(lambda customer: f"office@{slugify(customer.name)}.example")
    city: Any = factory.LazyAttribute(lambda customer: customer.town[0])
    country: Any = factory.LazyAttribute(lambda customer: customer.town[1])
    since: Any = factory.LazyFunction(lambda: timezone.localdate() - some_days_ago(5, 1500))


class ProductFactory(factory.django.DjangoModelFactory):
    """A product; the same one when the tenant has the SKU already."""

    class Meta:
        model = Product
        django_get_or_create = ("sku",)

    sku: Any = factory.Sequence(lambda number: f"SKU-{number}")
    name: Any = factory.Faker("bs")
    price: Any = factory.fuzzy.FuzzyDecimal(5, 400, 2)
    stock: Any = factory.fuzzy.FuzzyInteger(0, 240)


class OrderFactory(factory.django.DjangoModelFactory):
    """An order of the last half year, of a new customer unless one is given."""

    class Meta:
        model = Order
        django_get_or_create = ("number",)

    number: Any = factory.Sequence(lambda number: f"A-{1001 + number}")
    customer: Any = factory.SubFactory(CustomerFactory)
    status: Any = factory.fuzzy.FuzzyChoice(Order.Status.values)
    ordered_at: Any = factory.LazyFunction(lambda: timezone.now() - some_days_ago(0, 170))


class OrderLineFactory(factory.django.DjangoModelFactory):
    """A line, at the product's price."""

    class Meta:
        model = OrderLine

    order: Any = factory.SubFactory(OrderFactory)
    product: Any = factory.SubFactory(ProductFactory)
    quantity: Any = factory.fuzzy.FuzzyInteger(1, 12)
    unit_price: Any = factory.LazyAttribute(lambda line: Decimal(line.product.price))
