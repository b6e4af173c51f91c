"""Unscoped code where tenants live apart: it says so, and reaches row tenants alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import TenantkitError, TenantsElsewhere
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION
from tests.testapp.models import Customer, Plan, Tag, Vip

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]


@pytest.fixture
def apart() -> Any:
    return make_tenant("apart", isolation="schema")


def rows_of_all() -> unscoped:
    return unscoped(reason="test", rows_only=True)


WAYS = {
    "read": lambda: list(Customer.objects.all()),
    "count": Customer.objects.count,
    "join": lambda: list(Plan.objects.filter(customers__name="x")),
    "update": lambda: Customer.objects.update(name="x"),
    "delete": lambda: Tag.objects.all().delete(),
    "delete what tenants refer to": lambda: Plan.objects.all().delete(),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_told_that_there_are_others(apart: Any, way: str) -> None:
    Plan.objects.create(name="basic")
    with unscoped(reason="test"), pytest.raises(TenantsElsewhere, match="for_each_tenant"):
        WAYS[way]()


@pytest.mark.parametrize("context", [rows_of_all, lambda: unscoped(reason="test")])
def test_it_makes_nothing(apart: Any, shared: Any, context: Any) -> None:
    for tenant in (apart, shared):
        with context(), pytest.raises(TenantsElsewhere, match="Enter the tenant"), transaction.atomic():
            Tag.objects.create(label="x", tenant=tenant)
        with context(), pytest.raises(TenantsElsewhere, match="Enter the tenant"), transaction.atomic():
            Vip.objects.create(name="x", tenant=tenant)


def test_with_rows_only_it_reads_row_tenants(apart: Any, shared: Any) -> None:
    for tenant in (apart, shared):
        with tenant_context(tenant):
            Tag.objects.create(label=tenant.slug)
    with rows_of_all():
        assert [tag.label for tag in Tag.objects.all()] == ["shared"]


def same_key(apart: Any, shared: Any) -> tuple[Tag, Tag]:
    """A row of each with one key: a schema has sequences of its own."""
    with tenant_context(shared):
        mine = Tag.objects.create(label="shared")
    with tenant_context(apart):
        return Tag.objects.create(pk=mine.pk, label="apart"), mine


CHANGES = {
    "save": lambda tag: tag.save(),
    "save some fields": lambda tag: tag.save(update_fields=["label"]),
    "delete": lambda tag: tag.delete(),
    "save on a named database": lambda tag: tag.save(using="default", update_fields=["label"]),
    "delete on a named database": lambda tag: tag.delete(using="default"),
    "bulk_update": lambda tag: Tag.objects.bulk_update([tag], ["label"]),
    "its related objects": lambda tag: tag.plans.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_object_of_a_tenant_elsewhere_changes_no_row_here(apart: Any, shared: Any, change: str) -> None:
    theirs, _ = same_key(apart, shared)
    theirs.label = "changed"
    with rows_of_all(), pytest.raises(TenantkitError), transaction.atomic():
        CHANGES[change](theirs)
    with tenant_context(shared):
        assert Tag.objects.get().label == "shared"
    with tenant_context(apart):
        assert Tag.objects.get().label == "apart"


def test_the_same_key_in_two_homes_is_two_rows(apart: Any, shared: Any) -> None:
    theirs, mine = same_key(apart, shared)
    with tenant_context(apart):
        Tag.objects.filter(pk=mine.pk).update(label="changed")
    with tenant_context(shared):
        assert Tag.objects.get(pk=theirs.pk).label == "shared"
    with tenant_context(apart), connection.cursor() as cursor:
        cursor.execute(f"SELECT label FROM {schema_name(apart.uid)}.testapp_tag")
        assert cursor.fetchall() == [("changed",)]
