"""Tenants that move, and what is compared before and after."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.audit.run import audit_database
from django_tenantkit.lifecycle.contents import contents
from django_tenantkit.lifecycle.fence import connection_of, schema_of, set_fence
from django_tenantkit.lifecycle.leaving import drop_left_places
from django_tenantkit.lifecycle.move.sides import Spot, opened
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.models import Place, PlaceState, Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ROLES, parameters
from tests.operating import operated
from tests.presets.models import Sale
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Profile, Region, Tag, Vip

ISOLATIONS = ("row", "schema", "database")
PAIRS = [(one, other) for one in ISOLATIONS for other in ISOLATIONS if one != other]


def fill(tenant: Any, times: int = 2) -> None:
    """Rows of every kind of relation."""
    plan, _ = Plan.objects.get_or_create(name="basic")
    region, _ = Region.objects.get_or_create(name="north")
    user, _ = get_user_model().objects.get_or_create(username="user")
    with tenant_context(tenant):
        for n in range(times):
            name = f"{tenant.slug} {n} \\ 'ä'\t\n"
            customer = Customer.objects.create(name=name, email=f"c{n}@example.com", plan=plan)
            Vip.objects.create(name=name, discount=n)
            Profile.objects.create(customer=customer, bio=name)
            tag = Tag.objects.create(label=f"{n}")
            plan.featured_tags.add(tag)
            product = Product.objects.create(sku=f"P{n}")
            product.regions.add(region)
            invoice = Invoice.objects.create(customer=customer, number=f"{n}", amount="1.50", owner=user)
            invoice.tags.add(tag)
            Line.objects.create(invoice=invoice, product=product, quantity=n)
            Note.objects.create(subject=customer, text=name)
            Note.objects.create(subject=tag, text="of a tag")
            Note.objects.create(subject=region, text="of a shared row")
            parent = Category.objects.create(name=name)
            child = Category.objects.create(name=name, parent=parent)
            parent.related.add(child)
            parent.parent = child
            parent.save()


def rows(tenant: Any) -> dict[str, list[Any]]:
    """Every row of a tenant where it lives now, as text, by table. From the database itself."""
    spot = Spot.of(Tenant.objects.get(pk=tenant.pk))
    found = {}
    with opened(spot) as (_, (side,)):
        for content in contents():
            where = f"WHERE t.{content.tenant.column} = {tenant.pk}" if content.tenant else ""
            query = f"SELECT to_jsonb(t)::text FROM {side.path(content.table)} AS t {where}"
            found[content.label] = sorted(row for (row,) in side.ask(query))
    return found


def objects(tenant: Any) -> str:
    """What the application sees, with its relations."""
    tenant = Tenant.objects.get(pk=tenant.pk)
    with tenant_context(tenant):
        found = [
            [
                invoice.number,
                invoice.customer.name,
                invoice.customer.plan and invoice.customer.plan.name,
                invoice.owner and invoice.owner.username,
                sorted(tag.label for tag in invoice.tags.all()),
                [(line.product.sku, line.quantity) for line in invoice.lines.order_by("pk")],
                [region.name for line in invoice.lines.all() for region in line.product.regions.all()],
            ]
            for invoice in Invoice.objects.order_by("number")
        ]
        notes = sorted(
            (note.text, *(getattr(note.subject, name, "") for name in ("name", "label"))) for note in Note.objects.all()
        )
        rest = [
            sorted(Vip.objects.values_list("name", "discount")),
            sorted(Profile.objects.values_list("customer__name", "bio")),
            sorted(Category.objects.values_list("name", "parent__name", "related__name"), key=str),
            Sale.objects.count(),
        ]
    return json.dumps([found, notes, rest], cls=DjangoJSONEncoder)


def application(tenant: Any) -> psycopg.Connection[Any]:
    """Another process, as the application's role, inside the tenant, at its home."""
    given = connection_of(tenant.home).settings_dict
    found = psycopg.connect(dbname=given["NAME"], **parameters(given))
    found.execute("SELECT set_config('tenantkit.tenant', %s, false)", [str(tenant.pk)])
    found.execute("SELECT set_config('search_path', %s, false)", [schema_of(tenant.home)])
    found.execute("SELECT set_config('role', %s, false)", [ROLES.application])
    found.commit()
    return found


def collide(*tenants: Any) -> None:
    """From now on rows of these tenants get the same keys."""
    for spot in {Spot.of(tenant) for tenant in tenants}:
        with opened(spot) as (_, (side,)):
            for columns in side.columns.values():
                for column in columns:
                    if column.sequence is not None:
                        side.raw.execute("SELECT setval(%s, 1000000)", [column.sequence])


def elsewhere(function: Callable[[], Any]) -> None:
    """Call it in a thread, which has connections of its own."""

    def work() -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def fresh(tenant: Any) -> Any:
    """The tenant as the database has it."""
    return Tenant.objects.get(pk=tenant.pk)


def make_ready(*isolations: str) -> None:
    """See to it that tenants of these isolations find places: whoever moved away has left one that is gone."""
    for isolation in {*isolations} - {"row"}:
        while Place.objects.filter(isolation=isolation, state=PlaceState.READY).count() < isolations.count(isolation):
            operated(make_place, isolation)


@contextmanager
def movers(*isolations: str) -> Iterator[list[Any]]:
    """Tenants whose homes are free for others afterwards, and what they left is gone."""
    make_ready(*isolations)
    made = [make_tenant(f"mover{n}", isolation=isolation) for n, isolation in enumerate(isolations)]
    try:
        yield made
    finally:
        for tenant in map(fresh, made):
            connections[Spot("database", "", tenant.uid).alias].close()
            operated(set_fence, tenant, "open", tenant.home)
        drop_left()


def drop_left() -> None:
    """Remove what tenants left that moved, as if its grace were over."""
    left = Place.objects.filter(state=PlaceState.LEAVING)
    operated(left.update, drop_after=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
    operated(drop_left_places)


def audited() -> list[str]:
    """What the audit finds, but for a template of databases that was killed in the making: the next one that is made
    takes its place."""
    findings = audit_database("default").findings
    return [str(finding) for finding in findings if finding.id != "database.left-over"]
