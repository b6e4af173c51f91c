"""What is compared: the same work as plain Django with a hand-written tenant, and with tenant models.

The hand-written side is the cheapest way to write it: one call holds both conditions, and the tenant
is named once, also where tables are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django_tenantkit.context import tenant_context
from django_tenantkit.models import Tenant

from .method import Work
from .models import Customer, Line, PlainCustomer, PlainLine


@dataclass(frozen=True)
class Case:
    """One comparison. `at_most` is the target for the ratio of `scoped` by `plain`."""

    name: str
    at_most: float
    plain: Work
    scoped: Work


def cases(tenant: Tenant) -> Sequence[Case]:
    """The comparisons, to run in the context of `tenant`."""
    with tenant_context(tenant):
        return [*_reads(tenant), *_writes(tenant)]


def _reads(tenant: Tenant) -> Sequence[Case]:
    hand, lines_by_hand = PlainCustomer.objects.db_manager("plain"), PlainLine.objects.db_manager("plain")
    scoped, lines = Customer.objects, Line.objects
    key = scoped.get(name="Customer 7").pk
    some = {"name__startswith": "Customer 1", "active": True}
    far = {"invoice__customer__name": "Customer 7"}
    parents = "invoice__customer"
    return [
        Case("get", 0.95, lambda: hand.get(tenant=tenant, pk=key), lambda: scoped.get(pk=key)),
        Case(
            "list of 50",
            0.95,
            lambda: list(hand.filter(tenant=tenant)[:50]),
            lambda: list(scoped.all()[:50]),
        ),
        Case(
            "filtered list",
            0.95,
            lambda: list(hand.filter(tenant=tenant, **some)),
            lambda: list(scoped.filter(**some)),
        ),
        Case("count", 0.95, lambda: hand.filter(tenant=tenant).count(), lambda: scoped.count()),
        Case(
            "join of three",
            0.95,
            lambda: list(lines_by_hand.filter(tenant=tenant, **far).select_related(parents)),
            lambda: list(lines.filter(**far).select_related(parents)),
        ),
    ]


def _writes(tenant: Tenant) -> Sequence[Case]:
    hand, scoped = PlainCustomer.objects.db_manager("plain"), Customer.objects
    row = scoped.get(name="Customer 7")
    twin, key = hand.get(pk=row.pk), row.pk
    words = {"name": "New", "email": "new@example.com", "city": "Utrecht"}
    fifty = range(50)
    return [
        Case(
            "update",
            1.05,
            lambda: hand.filter(tenant=tenant, pk=key).update(city="Delft"),
            lambda: scoped.filter(pk=key).update(city="Delft"),
        ),
        Case("save of a row", 1.15, lambda: twin.save(), lambda: row.save()),
        Case(
            "save of a new row",
            1.15,
            lambda: hand.create(tenant=tenant, **words),
            lambda: scoped.create(**words),
        ),
        Case("Model(...)", 1.05, lambda: PlainCustomer(**words), lambda: Customer(**words)),
        Case(
            "bulk_create of 50",
            1.10,
            lambda: hand.bulk_create([PlainCustomer(tenant=tenant, **words) for _ in fifty]),
            lambda: scoped.bulk_create([Customer(**words) for _ in fifty]),
        ),
    ]
