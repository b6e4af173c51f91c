"""The rows of two tenants: few, with the same values in both, so that a row too many is noticed."""

from __future__ import annotations

import itertools
import random
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connections, models, transaction

from django_tenantkit.context import tenant_context, unscoped
from django_tenantkit.models import get_tenant_model
from django_tenantkit.registry import tenant_field
from tests.testapp.models import (
    Category,
    Customer,
    Invoice,
    Line,
    Note,
    Plan,
    Product,
    Profile,
    Region,
    Tag,
    Vip,
)

from .graph import models_in_question

TEXTS = ["", "a", "A", "ab", "b", "ba", "c%"]


class Rows:
    """Makes rows in one database, the same ones each time, with keys that are known beforehand."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.random = random.Random(7)
        self.last_key = 0

    def make(self, model: type[models.Model], **values: Any) -> Any:
        if isinstance(model._meta.get_field("id"), models.UUIDField):
            self.last_key += 1
            values["id"] = UUID(int=self.last_key)
        return model.objects.using(self.using).create(**values)

    def as_text(self, key: Any) -> str:
        """As SQLite stores it, so that the join of a generic relation finds it. PostgreSQL joins no text
        with a UUID, in neither world."""
        as_hex = isinstance(key, UUID) and connections[self.using].vendor == "sqlite"
        return key.hex if as_hex else str(key)

    def some(self, rows: list[Any]) -> list[Any]:
        return self.random.sample(rows, self.random.randint(0, len(rows)))

    def one(self, rows: list[Any]) -> Any:
        return self.random.choice(rows)

    def shared(self) -> None:
        """What no tenant owns."""
        self.users = [
            get_user_model().objects.db_manager(self.using).create(username=name, is_staff=name == "a")
            for name in ("a", "b", "c")
        ]
        self.regions = [self.make(Region, name=name) for name in ("a", "b", "b")]
        self.plans = [self.make(Plan, name=name) for name in ("a", "ab", "c%")]

    def of_tenant(self) -> None:
        """The rows of the current tenant."""
        self._customers()
        self._invoices()
        self._categories()

    def _customers(self) -> None:
        one = self.one
        self.tags = [self.make(Tag, label=text) for text in TEXTS[1:6]]
        for plan in self.plans:
            plan.featured_tags.add(*self.some(self.tags))
        self.products = [self.make(Product, sku=f"{n}", active=n % 3 > 0) for n in range(5)]
        for product in self.products:
            product.regions.set(self.some(self.regions))
        self.customers = [
            self.make(
                Vip if n % 3 == 0 else Customer,
                name=one(TEXTS),
                email=one(["", f"{n}@a.b"]),
                plan=one([None, *self.plans]),
                **({"discount": n} if n % 3 == 0 else {}),
            )
            for n in range(7)
        ]
        for customer in self.customers[:4]:
            self.make(Profile, customer=Customer.objects.using(self.using).get(pk=customer.pk), bio=one(TEXTS))

    def _invoices(self) -> None:
        one = self.one
        customers = list(Customer.objects.using(self.using).order_by("pk"))
        for n in range(9):
            invoice = self.make(
                Invoice,
                customer=one(customers),
                number=f"{n}",
                amount=one([0, 1, "2.50", 3, 3]),
                owner=one([None, *self.users]),
            )
            invoice.tags.set(self.some(self.tags))
            for _ in range(n % 4):
                self.make(Line, invoice=invoice, product=one(self.products), quantity=self.random.randint(0, 3))
            subject = one([invoice, one(customers), one(self.products)])
            kind = ContentType.objects.db_manager(self.using).get_for_model(type(subject))
            self.make(Note, content_type=kind, object_id=self.as_text(subject.pk), text=one(TEXTS))

    def _categories(self) -> None:
        made: list[Category] = []
        for _ in range(7):
            category = self.make(Category, name=self.one(TEXTS), parent=self.one([None, *made[-3:]]))
            category.related.set(self.some(made[-2:]))
            made.append(category)


def fill(using: str) -> list[Any]:
    """Two tenants and their rows."""
    rows = Rows(using)
    tenants = get_tenant_model().objects.using(using)
    both = [tenants.create(slug=slug, name=slug.title()) for slug in ("acme", "globex")]
    rows.shared()
    for tenant in both:
        with tenant_context(tenant):
            rows.of_tenant()
    return both


def tables() -> dict[str, bool]:
    """The tables that can hold rows, and whether they are a tenant's."""
    everything = [get_tenant_model(), *models_in_question().values()]
    return {model._meta.db_table: tenant_field(model) is not None for model in everything}


@unscoped(reason="rows of all tenants, read without any model")
def copy(source: str, target: str, tenant: Any) -> None:
    """Put the shared rows and those of one tenant into another database, without any model."""
    with connections[source].cursor() as read, connections[target].cursor() as write:
        for table, of_tenant in tables().items():
            if table == ContentType._meta.db_table:
                continue  # made by migrate in both
            read.execute(f"SELECT * FROM {table}" + (f" WHERE tenant_id = {tenant.pk}" if of_tenant else ""))
            places = ", ".join(["%s"] * len(read.description))
            names = ", ".join(f'"{column[0]}"' for column in read.description)
            for row in read.fetchall():
                write.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)


@unscoped(reason="rows of all tenants, read without any model")
def crossings(using: str, tenant: Any) -> list[tuple[str, list[Any]]]:
    """Statements that let rows of other tenants refer to rows of this one, as far as the database
    accepts them: no row of the tenant changes, so neither may what it sees."""
    accepted = []
    for model in models_in_question().values():
        for key in model._meta.local_fields:
            target = tenant_field(key.related_model) if key.related_model else None
            if tenant_field(model) is None or target is None or model._meta.proxy:
                continue
            foreign = f"SELECT {model._meta.pk.column} FROM {model._meta.db_table} WHERE tenant_id <> {tenant.pk}"
            own = key.target_field.model._meta
            own_keys = f"SELECT {own.pk.column} FROM {own.db_table} WHERE tenant_id = {tenant.pk}"
            for row, value in itertools.product(_first_column(using, foreign)[:2], _first_column(using, own_keys)):
                change = f"UPDATE {model._meta.db_table} SET {key.column} = %s WHERE {model._meta.pk.column} = %s"
                if _accepts(using, change, [value, row]):
                    accepted.append((change, [value, row]))
                    break
    return accepted


def _first_column(using: str, query: str) -> list[Any]:
    with connections[using].cursor() as cursor:
        cursor.execute(f"{query} ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def _accepts(using: str, change: str, values: list[Any]) -> bool:
    try:
        with transaction.atomic(using), connections[using].cursor() as cursor:
            cursor.execute(change, values)
            connections[using].check_constraints()
    except IntegrityError:
        return False
    return True


@unscoped(reason="rows of all tenants, read without any model")
def state(using: str, tenant: Any = None, *, others: bool = False) -> dict[str, list[str]]:
    """Every row of every table, of one tenant or of all others, read without any model."""
    found = {}
    with connections[using].cursor() as cursor:
        for table, of_tenant in tables().items():
            if of_tenant or not others:
                which = f" WHERE tenant_id {'<>' if others else '='} {tenant.pk}" if of_tenant and tenant else ""
                cursor.execute(f"SELECT * FROM {table}{which}")
                found[table] = sorted(map(repr, cursor.fetchall()))
    return found
