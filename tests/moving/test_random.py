"""Random rows in a graph with every kind of relation, and a random journey: in the end each row is what it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.move.run import move
from tests.databases import ISOLATION, WITH_DATABASES
from tests.moving.ground import fill, fresh, movers, objects, rows
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Profile, Region, Tag, Vip

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
#: Which of the rows made so far something refers to, or none.
one = st.integers(0, 7)
kinds = st.sampled_from(
    [
        *("customer", "vip", "profile", "tag", "product", "invoice", "line"),
        *("note", "category", "related", "tags", "regions", "plan"),
    ]
)
steps = st.lists(st.tuples(kinds, texts, one, one), max_size=40)
journeys = st.lists(st.tuples(st.sampled_from(["row", "schema", "database"]), st.booleans()), min_size=1, max_size=4)


class Filled:
    """Rows made by random steps."""

    def __init__(self) -> None:
        self.made: dict[str, list[Any]] = {name: [] for name in ("customer", "tag", "product", "invoice", "category")}
        self.plans = [Plan.objects.create(name=f"plan {n}") for n in range(2)]
        self.regions = [Region.objects.create(name=f"region {n}") for n in range(2)]

    def pick(self, name: str, which: int) -> Any:
        found = self.made[name]
        return found[which % len(found)] if found else None

    def step(self, number: int, kind: str, text: str, first: int, second: int) -> None:
        customer, tag = self.pick("customer", first), self.pick("tag", second)
        product, invoice = self.pick("product", first), self.pick("invoice", second)
        category, other = self.pick("category", first), self.pick("category", second)
        if kind in ("customer", "vip"):
            plan = self.plans[second] if second < 2 else None
            more = {"discount": first} if kind == "vip" else {}
            model = Vip if kind == "vip" else Customer
            self.made["customer"].append(model.objects.create(name=text, email=f"{number}@x.org", plan=plan, **more))
        elif kind == "profile" and customer is not None:
            Profile.objects.update_or_create(customer_id=customer.pk, defaults={"bio": text})
        elif kind == "tag":
            self.made["tag"].append(Tag.objects.create(label=f"{number} {text}"))
        elif kind == "product":
            self.made["product"].append(Product.objects.create(sku=f"{number}", active=bool(first % 2)))
        elif kind == "invoice" and customer is not None:
            self.made["invoice"].append(
                Invoice.objects.create(customer_id=customer.pk, number=str(number), amount=first)
            )
        elif kind == "line" and invoice is not None and product is not None:
            Line.objects.create(invoice=invoice, product=product, quantity=second)
        elif kind == "note":
            subject = [customer, tag, product, invoice, category, self.regions[first % 2]][second % 6]
            if subject is not None:
                Note.objects.create(subject=subject, text=text)
        elif kind == "category":
            self.made["category"].append(Category.objects.create(name=text, parent=category))
        elif kind == "related" and category is not None:
            category.related.add(other)
            Category.objects.filter(pk=category.pk).update(parent=other)
        elif kind == "tags" and invoice is not None and tag is not None:
            invoice.tags.add(tag)
        elif kind == "regions" and product is not None:
            product.regions.add(self.regions[second % 2])
        elif kind == "plan" and tag is not None:
            self.plans[first % 2].featured_tags.add(tag)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps, journey=journeys)
def test_it_arrives_as_it_left(steps: list[Any], journey: list[tuple[str, bool]]) -> None:
    call_command("flush", verbosity=0, interactive=False)
    with movers("row", "row") as (tenant, other):
        fill(other, 1)
        theirs = rows(other)
        with tenant_context(tenant):
            filled = Filled()
            for number, step in enumerate(steps):
                filled.step(number, *step)
        before, seen = rows(tenant), objects(tenant)
        for to, online in [*journey, ("row", True)]:
            if fresh(tenant).isolation != to:
                move(fresh(tenant), to, online=online)
        assert rows(tenant) == before
        assert objects(tenant) == seen
        assert rows(other) == theirs
