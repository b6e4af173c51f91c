"""What erasing does on every engine, SQLite among them."""

from __future__ import annotations

import pytest
from django.db import connection

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.erase.keeping import erased_tables
from django_tenantkit.lifecycle.erase.rows import in_order
from django_tenantkit.lifecycle.erase.run import erase
from django_tenantkit.models import JobState, Tenant, TenantStatus
from django_tenantkit.testing.tenants import make_tenant
from tests.erasing.papers.models import Folder, Paper
from tests.testapp.models import Category, Customer, Invoice, Line

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_tenants_rows_go_and_no_others():
    for slug in ("acme", "globex"):
        with tenant_context(make_tenant(slug, isolation="row")):
            customer = Customer.objects.create(name=slug)
            Invoice.objects.create(customer=customer, number="1")
            parent = Category.objects.create(name=slug)
            Category.objects.create(name="child", parent=parent)
    job = erase(Tenant.objects.get(slug="acme"), now=True)
    certificate = job.result["certificate"]
    assert (job.state, certificate["rows"]["testapp.Category"]) == (JobState.DONE, 2)
    assert ("texts of tables: that takes PostgreSQL" in certificate["not_searched"]) == (connection.vendor == "sqlite")
    acme, globex = Tenant.objects.order_by("slug")
    assert acme.status == TenantStatus.ERASED
    with tenant_context(acme):
        assert not Customer.objects.exists()
    with tenant_context(globex):
        assert Customer.objects.count() == Invoice.objects.count() == 1


def test_tables_that_refer_to_others_come_first_and_those_of_a_circle_together():
    order = [{content.model for content in group} for group in in_order(erased_tables())]
    places = {model: number for number, group in enumerate(order) for model in group}
    assert places[Line] < places[Invoice] < places[Customer]
    assert {Folder, Paper} in order
