"""What is compared: the same work as plain Django with a hand-written tenant, and with tenant models.

The hand-written side is the cheapest way to write it: one call holds both conditions, and the tenant
is named once, also where tables are joined.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Sum

from django_tenantkit.context import tenant_context
from django_tenantkit.models import Tenant

from .method import Work
from .models import (
    Customer,
    Entry,
    Invoice,
    Line,
    PlainCustomer,
    PlainEntry,
    PlainInvoice,
    PlainLine,
)

#: Targets for what scoping costs this process, in CPU time.
OF_COMPILERS: dict[str, float] = {
    "get": 0.95,
    "list of 50": 0.95,
    "filtered list": 0.95,
    "count": 0.95,
    "join of three": 0.95,
    "update": 1.05,
    "save of a row": 1.15,
    "create": 1.15,
    "Model(...)": 1.05,
    "bulk_create of 50": 1.10,
}

#: Targets for all layers together, in wall time.
OF_ALL_LAYERS: dict[str, float | None] = {
    "get": 1.00,
    "five gets": 1.03,
    "list of 50": 1.00,
    "filtered list": None,
    "count": 0.95,
    "join of three": None,
    "update": None,
    "save of a row": 1.35,
    "create": 1.20,
    "create with a reference": 1.20,
    "bulk_create of 50": 1.05,
    "bulk_create of 50 with references": 1.05,
}


class Case(NamedTuple):
    """Both sides of a comparison."""

    plain: Work
    scoped: Work


def reads(tenant: Tenant, alias: str) -> dict[str, Case]:
    """Queries in the context of `tenant`, by name. `alias` is the connection of the scoped side."""
    hand, lines_by_hand = _rows(PlainCustomer, "plain"), _rows(PlainLine, "plain")
    scoped, lines = _rows(Customer, alias), _rows(Line, alias)
    with tenant_context(tenant):
        keys = [customer.pk for customer in scoped.filter(name__startswith="Customer 1")[:5]]
    key = keys[0]
    some = {"name__startswith": "Customer 1", "active": True}
    far = {"invoice__customer__name": "Customer 7"}
    parents = "invoice__customer"
    return {
        "get": Case(lambda: hand.get(tenant=tenant, pk=key), lambda: scoped.get(pk=key)),
        "five gets": Case(
            lambda: [hand.get(tenant=tenant, pk=key) for key in keys], lambda: [scoped.get(pk=key) for key in keys]
        ),
        "list of 50": Case(lambda: list(hand.filter(tenant=tenant)[:50]), lambda: list(scoped.all()[:50])),
        "filtered list": Case(lambda: list(hand.filter(tenant=tenant, **some)), lambda: list(scoped.filter(**some))),
        "count": Case(lambda: hand.filter(tenant=tenant).count(), lambda: scoped.count()),
        "join of three": Case(
            lambda: list(lines_by_hand.filter(tenant=tenant, **far).select_related(parents)),
            lambda: list(lines.filter(**far).select_related(parents)),
        ),
    }


def aggregate(tenant: Tenant) -> Case:
    """An aggregate over the thousand rows of `tenant` in a million."""
    hand = _rows(PlainEntry, "plain")
    return Case(
        lambda: hand.filter(tenant=tenant).aggregate(total=Sum("amount"))["total"],
        lambda: Entry.objects.aggregate(total=Sum("amount"))["total"],
    )


def writes(tenant: Tenant, alias: str) -> dict[str, Case]:
    """What changes rows, or makes an instance."""
    hand, scoped = _rows(PlainCustomer, "plain"), _rows(Customer, alias)
    bills_by_hand, bills = _rows(PlainInvoice, "plain"), _rows(Invoice, alias)
    with tenant_context(tenant):
        row = scoped.get(name="Customer 7")
    twin, key = hand.get(pk=row.pk), row.pk
    owner = type(tenant)._base_manager.using("plain").get(pk=tenant.pk)
    words = {"name": "New", "email": "new@example.com", "city": "Utrecht"}
    bill = {"number": "1", "amount": 1}
    fifty = range(50)
    return {
        "update": Case(
            lambda: hand.filter(tenant=tenant, pk=key).update(city="Delft"),
            lambda: scoped.filter(pk=key).update(city="Delft"),
        ),
        "save of a row": Case(twin.save, row.save),
        "create": Case(lambda: hand.create(tenant=tenant, **words), lambda: scoped.create(**words)),
        "create with a reference": Case(
            lambda: bills_by_hand.create(tenant=owner, customer=twin, **bill),
            lambda: bills.create(customer=row, **bill),
        ),
        "Model(...)": Case(lambda: PlainCustomer(**words), lambda: Customer(**words)),
        "bulk_create of 50": Case(
            lambda: hand.bulk_create([PlainCustomer(tenant=tenant, **words) for _ in fifty]),
            lambda: scoped.bulk_create([Customer(**words) for _ in fifty]),
        ),
        "bulk_create of 50 with references": Case(
            lambda: bills_by_hand.bulk_create([PlainInvoice(tenant=owner, customer=twin, **bill) for _ in fifty]),
            lambda: bills.bulk_create([Invoice(customer=row, **bill) for _ in fifty]),
        ),
    }


def _rows(model: Any, alias: str) -> Any:
    return model.objects.db_manager(alias)
