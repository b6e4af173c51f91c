"""Two tenants with something in every place, and each text of theirs a marker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.isolation.entries import database_name
from django_tenantkit.lifecycle.places import has_ready_place, make_place
from django_tenantkit.lifecycle.reach import Tables, own_tables, shared_tables
from django_tenantkit.models import Domain, Job, JobState, Membership, Place, PlaceState, Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.erasing.papers.models import Account, Charge, Folder, Paper, Receipt
from tests.operating import operated
from tests.requests.conftest import logged_in
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Profile, Region, Tag, Vip


def marker(slug: str) -> str:
    """What every text of the tenant contains."""
    return f"mark{''.join(one for one in slug if one.isalnum())}kram"


class World:
    """`acme` is to be erased, `globex` is to stay as it is."""

    def __init__(self, isolation: str, slug: str = "acme") -> None:
        self.plan = Plan.objects.create(name="basic")
        self.region = Region.objects.create(name="north")
        self.acme = self.make(slug, isolation)
        self.globex = self.make("globex", isolation)

    def make(self, slug: str, isolation: str) -> Any:
        mark = marker(slug)
        if isolation != "row" and not has_ready_place(isolation):
            make_place(isolation)
        tenant = make_tenant(slug, isolation=isolation, name=f"{mark} Ltd", plan=mark, settings={"theme": mark})
        domain = f"{mark}.org"
        operated(Domain.objects.create, tenant=tenant, domain=domain, verified_at="2026-01-01T00:00:00Z")
        contract = default_storage.save(f"contracts/{mark}.txt", ContentFile(mark.encode()))
        account = Account.objects.create(tenant=tenant, holder=mark, contract=contract)
        Charge.objects.create(account=account, text=mark)
        done = {"state": JobState.DONE, "arguments": {"email": mark}, "error": mark, "domain": domain}
        operated(Job.objects.create, kind="provision", slug=slug, tenant=tenant, **done)
        operated(Job.objects.create, kind="provision", slug=slug, state=JobState.GIVEN_UP, error=mark)
        user = get_user_model().objects.create_user(f"user of {slug}", email=f"ann@{slug.lower()}.example")
        Membership.objects.create(user=user, tenant=tenant)
        logged_in(user, tenant)
        with tenant_context(tenant):
            cache.set("greeting", mark)
            self.fill(tenant, mark, user)
        return tenant

    def fill(self, tenant: Any, mark: str, user: Any) -> None:
        customer = Customer.objects.create(name=mark, email=f"{mark}@example.com", plan=self.plan)
        Vip.objects.create(name=f"{mark} vip", discount=10, plan=self.plan)
        Profile.objects.create(customer=customer, bio=mark)
        tag = Tag.objects.create(label=mark)
        product = Product.objects.create(sku=mark[:20])
        product.regions.add(self.region)
        invoice = Invoice.objects.create(customer=customer, number=mark[:20], owner=user)
        invoice.tags.add(tag)
        Line.objects.create(invoice=invoice, product=product, quantity=3)
        Note.objects.create(subject=customer, text=mark)
        parent = Category.objects.create(name=mark)
        child = Category.objects.create(name=f"{mark} child", parent=parent)
        parent.related.add(child)
        Receipt.objects.create(text=mark)
        with transaction.atomic():
            paper = Paper(text=mark, data={"deep": [mark]})
            paper.file = default_storage.save(f"papers/{mark}.txt", ContentFile(mark.encode()))
            paper.folder = Folder(name=mark, cover_id=paper.pk)
            Folder.objects.bulk_create([paper.folder])
            paper.save()
        with tenant_context(None):
            for row in (customer, tenant, Domain.objects.get(tenant=tenant)):
                kind = ContentType.objects.get_for_model(row)
                about = {"content_type": kind, "object_id": str(row.pk), "object_repr": mark}
                LogEntry.objects.create(user=user, action_flag=CHANGE, **about)


def all_rows(databases: bool = True) -> Iterator[tuple[str, str]]:
    """Every row of every table of the main database and of tenants' databases, as text, with its table."""
    places = list(shared_tables())[:1]
    if databases:
        for place in Place.objects.filter(isolation="database", state=PlaceState.TAKEN):
            places += [tables for tables in own_tables(place.uid) if tables.alias != "default"]
    for place in places:
        with place.cursor() as cursor:
            cursor.execute(
                "SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
                "WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname !~ '^pg_' ORDER BY 1, 2"
            )
            names = cursor.fetchall()
            for schema, table in names:
                cursor.execute(f"SELECT t::text FROM {Tables(place.alias, schema, True).full(table)} t ORDER BY 1")
                yield from ((f"{place.alias}: {schema}.{table}", text) for (text,) in cursor.fetchall())


def holding(text: str) -> set[str]:
    """The tables with a row that contains a text, whatever the size of its letters."""
    return {table for table, row in all_rows() if text.lower() in row.lower()}


def files_with(text: str) -> list[Path]:
    """The files whose name or content has it."""
    root = Path(settings.MEDIA_ROOT)
    return [path for path in root.rglob("*") if path.is_file() and (text in str(path) or text in path.read_text())]


def cached() -> list[str]:
    """The keys in the cache."""
    return list(cache._cache)


def rows_of(tenant: Any) -> dict[str, list[str]]:
    """Every row that is the tenant's, and what is kept of it elsewhere."""
    found: dict[str, list[str]] = {}
    for table, text in all_rows():
        if marker(tenant.slug) in text:
            found.setdefault(table, []).append(text)
    found["files"] = sorted(map(str, files_with(marker(tenant.slug))))
    with tenant_context(tenant):
        found["cache"] = [cache.get("greeting")]
    return found


def database_names(uid: Any) -> list[str]:
    """The databases of a tenant that are there."""
    connection = connections["default"]
    with unscoped(reason="test"), connection.cursor() as cursor:
        name = database_name(connection.settings_dict["NAME"], uid)
        cursor.execute("SELECT datname FROM pg_database WHERE datname = %s", [name])
        return [found for (found,) in cursor.fetchall()]


def reread(tenant: Any) -> Any:
    """The tenant as the database has it."""
    return operated(Tenant.objects.get, pk=tenant.pk)


def as_json(value: Any) -> str:
    """For comparing."""
    return json.dumps(value, sort_keys=True, default=str)
