"""Two tenants whose rows look alike where a query could confuse them and differ where a leak shows."""

from __future__ import annotations

import datetime
import os
import uuid
import zlib
from collections.abc import Iterable
from itertools import permutations
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.models import Tenant, TenantModel
from django_tenantkit.testing import tenants
from tests.databases import ISOLATION
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

TENANT_MODELS: list[type[models.Model]] = [
    Customer,
    Vip,
    Profile,
    Tag,
    Product,
    Invoice,
    Line,
    Note,
    Category,
    Invoice.tags.through,
    Product.regions.through,
    Plan.featured_tags.through,
    Category.related.through,
]


#: The isolations of the two tenants, by that of the run: in a mixed one acme is in the tables that row tenants share.
#: In the last two they differ from test to test, so that one process has all of these by turns.
KINDS = {
    "row": [("row", "row")],
    "schema": [("schema", "schema")],
    "database": [("database", "database")],
    "mixed": [("row", "schema")],
    "mixed-database": [("row", "database")],
    "shard": [("schema@two", "schema@two"), ("schema", "schema@two"), ("schema@two", "row")],
    "all": list(permutations(("row", "schema", "database"), 2)),
}


def kinds_of_test() -> tuple[str, str]:
    """Those for the test that is running, if one is: the same whenever it runs."""
    name = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    found = KINDS[ISOLATION]
    return found[zlib.crc32(name.encode()) % len(found)]


#: Whether tenants of this run live apart, so that unscoped code does not reach all of them.
APART = ISOLATION != "row"


class World:
    """The shared rows and the tenants. `acme` has rows; `add_globex()` gives the other one its own."""

    def __init__(self, kinds: tuple[str, str] | None = None) -> None:
        self.acme, self.globex = (
            tenants.make_tenant(slug, isolation=kind.partition("@")[0], database=kind.partition("@")[2])
            for slug, kind in zip(("acme", "globex"), kinds or kinds_of_test(), strict=True)
        )
        self.plan = Plan.objects.create(name="basic")
        self.region = Region.objects.create(name="north")
        self.user = get_user_model().objects.create(username="user")
        self.fill(self.acme)

    def add_globex(self) -> None:
        self.fill(self.globex, times=2)

    def fill(self, tenant: Tenant, times: int = 1) -> None:
        """Rows of every model. The texts of `name`, `bio` and `text` name the tenant."""
        with tenant_context(tenant):
            for n in range(times):
                self._fill_once(tenant.slug, n)

    def _fill_once(self, slug: str, n: int) -> None:
        name = f"{slug} {n}"
        customer = Customer.objects.create(name=name, email=f"c{n}@example.com", plan=self.plan)
        Customer.objects.create(name=f"{name} idle")
        Vip.objects.create(name=f"{name} vip", discount=10, plan=self.plan)
        Profile.objects.create(customer=customer, bio=name)
        tag = Tag.objects.create(label=f"red{n}")
        Tag.objects.create(label=f"blue{n}")
        self.plan.featured_tags.add(tag)
        product = Product.objects.create(sku=f"P{n}")
        Product.objects.create(sku=f"Q{n}", active=False)
        product.regions.add(self.region)
        invoice = Invoice.objects.create(customer=customer, number=f"{n}", amount=100, owner=self.user)
        invoice.tags.add(tag)
        Line.objects.create(invoice=invoice, product=product, quantity=3)
        Note.objects.create(subject=customer, text=name)
        parent = Category.objects.create(name=name)
        child = Category.objects.create(name=f"{name} child", parent=parent)
        parent.related.add(child)

    def snapshot(self, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
        """Every row of a tenant, as the database has it."""
        with at_home(tenant):
            return {
                model._meta.label: list(_own_rows(model, tenant).order_by("pk").values()) for model in TENANT_MODELS
            }

    def keys(self, tenant: Tenant) -> set[Any]:
        """Every primary key that `tenant` has and nobody else has."""
        mine: set[Any] = set()
        others: set[Any] = set()
        for one in Tenant.objects.all():
            with at_home(one):
                for model in TENANT_MODELS:
                    keys = _own_rows(model, one).values_list("pk", flat=True)
                    (mine if one == tenant else others).update(keys)
        return {key for key in mine - others if isinstance(key, uuid.UUID)}


def at_home(tenant: Tenant) -> Any:
    """Where a tenant's rows are, without the ORM's scoping if they are in shared tables."""
    return unscoped(reason="seen by a test", rows_only=True) if tenant.home is None else tenant_context(tenant)


def has_database(tenant: Tenant) -> bool:
    """Whether a tenant lives in another database than shared rows do."""
    return tenant.home is not None and bool(tenant.home.database)


def over_rows(reason: str = "test") -> unscoped:
    """Unscoped, over the tenants that share tables: where others live apart, that has to be said."""
    return unscoped(reason=reason, rows_only=APART)


def _own_rows(model: type[models.Model], tenant: Tenant) -> models.QuerySet:
    return model._base_manager.filter(tenant=tenant)


def plain(value: Any) -> Any:
    """A result as comparable data: objects become their class and fields, recursively."""
    if isinstance(value, models.Model):
        return type(value).__name__, {f.attname: plain(getattr(value, f.attname)) for f in value._meta.concrete_fields}
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, str | bytes | int | float | None | bool | uuid.UUID | datetime.date | type):
        return value
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return value


def atoms(value: Any) -> Iterable[Any]:
    """Every single value in a `plain` result."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from atoms(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from atoms(item)
    else:
        yield value


__all__ = ["TENANT_MODELS", "ContentType", "TenantModel", "World", "atoms", "plain"]
