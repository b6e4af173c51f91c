"""What is sent when rows are changed, and what is looked at before."""

from __future__ import annotations

import gc
import weakref

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.models.sql import UpdateQuery
from django.db.models.sql.constants import ROW_COUNT
from django.test.utils import CaptureQueriesContext

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import CrossTenantReference, TenantImmutable
from django_tenantkit.registry import table_map
from tests.isolation.world import over_rows
from tests.testapp.models import Customer, Invoice, Tag


def _assignments(work):
    """What the only UPDATE of `work` sets."""
    with CaptureQueriesContext(connection) as queries:
        work()
    (update,) = (query["sql"] for query in queries if query["sql"].startswith("UPDATE"))
    return update.partition(" SET ")[2].partition(" WHERE ")[0]


def _update_with_its_tenant(tag):
    Tag.objects.filter(pk=tag.pk).update(tenant=tag.tenant, label="x")


@pytest.mark.parametrize("work", [lambda tag: tag.save(), _update_with_its_tenant])
def test_inside_a_tenant_rows_keep_it_without_being_told(two, work):
    with tenant_context(two.acme):
        tag = Tag.objects.get(label="red0")
        assert "tenant_id" not in _assignments(lambda: work(tag))


def test_the_tenant_by_itself_is_set_once_more(two):
    with tenant_context(two.acme):
        assert Tag.objects.filter(label="red0").update(tenant=two.acme) == 1


def test_saving_the_tenant_alone_finds_the_row(two):
    with tenant_context(two.acme):
        Tag.objects.get(label="red0").save(update_fields=["tenant"])
        assert Tag.objects.filter(label="red0").exists()


def test_unscoped_the_tenant_is_named(together):
    with over_rows():
        tag = Tag.objects.get(label="red0", tenant=together.acme)
        assert "tenant_id" in _assignments(tag.save)


def test_an_update_that_was_shown_in_one_tenant_is_checked_again_in_another(two):
    update = Tag.objects.all().query.chain(UpdateQuery)
    update.add_update_values({"tenant": two.acme, "label": "x"})
    with tenant_context(two.acme):
        assert "UPDATE" in str(update)
    with tenant_context(two.globex), pytest.raises(TenantImmutable):
        update.get_compiler("default").execute_sql(ROW_COUNT)


def test_every_object_of_many_is_looked_at(two):
    with tenant_context(two.globex):
        theirs = Customer.objects.get(name="globex 0")
    with tenant_context(two.acme):
        mine = Customer.objects.get(name="acme 0")
        invoices = [Invoice(number=f"new {number}", customer=mine) for number in range(3)]
        invoices[-1].customer_id = theirs.pk
        invoices[-1]._state.fields_cache["customer"] = theirs  # as if no router had been asked
        with pytest.raises(CrossTenantReference):
            Invoice.objects.bulk_create(invoices)


def test_a_registry_that_is_forgotten_takes_its_map_along():
    apps = Apps()
    tables = weakref.ref(table_map(apps))
    apps.clear_cache()
    del apps
    gc.collect()
    assert tables() is None
