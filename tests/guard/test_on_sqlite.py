"""What migrations of guarded models do where there are no policies: the same tables, less the guard."""

from __future__ import annotations

import pytest
from django.db import connection, models
from django.db.models import Case, Value, When

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.constraints import TenantPolicy
from django_tenantkit.exceptions import TenantkitError
from django_tenantkit.models import Tenant
from django_tenantkit.operations import MakeSharedModel, MakeTenantModel
from tests.guard.migrating import Project, Version
from tests.guard.test_becoming import by_name, countries
from tests.isolation.world import APART

pytestmark = pytest.mark.skipif(APART, reason="SQLite has no schemas")


@pytest.fixture
def project(transactional_db):
    """On whatever database the tests use."""
    found = Project()
    yield found
    while found.applied:
        found.back()


@pytest.fixture
def regions(project):
    """Regions that are shared, and orders of two tenants that refer to them."""
    Tenant.objects.create(pk=1, slug="acme")
    Tenant.objects.create(pk=2, slug="globex")
    project.migrate(countries(tenant=False))
    country = project.historical("Country").objects.create(name="x")
    region, order = project.historical("Region"), project.historical("Order")
    with unscoped(reason="test"):
        for name, tenant in (("a", 1), ("a2", 1), ("g", 2)):
            made = region.objects.create(name=name, country=country)
            made.countries.add(country)
            made.home = order.objects.create(region=made, tenant_id=tenant)
            made.save()
    return project


def names(project, tenant: int) -> list[str]:
    with tenant_context(Tenant.objects.get(pk=tenant)):
        return sorted(project.historical("Region").objects.values_list("name", flat=True))


WAYS = {
    "reference": "home",
    "expression": Case(When(name="g", then=Value(2)), default=Value(1)),
    "function": by_name,
}


@pytest.mark.parametrize("way", WAYS)
def test_rows_get_their_tenant(regions, way):
    regions.operate(MakeTenantModel("Region", WAYS[way]))
    assert (names(regions, 1), names(regions, 2)) == (["a", "a2"], ["g"])
    through = regions.historical("Region").countries.through
    with tenant_context(Tenant.objects.get(pk=2)):
        assert through.objects.count() == 1


def test_nothing_is_left_to_detect(regions):
    regions.operate(MakeTenantModel("Region", "home"))
    assert regions.changes(countries(tenant=True)) == []


def test_there_and_back(regions):
    regions.operate(MakeTenantModel("Region", "home"))
    regions.back()
    assert regions.historical("Region").objects.count() == 3
    regions.operate(MakeTenantModel("Region", "home"), MakeSharedModel("Region", "home"))
    assert regions.historical("Region").objects.count() == 3
    assert regions.changes(countries(tenant=False)) == []


def test_rows_that_nobody_names_a_tenant_for_are_refused(regions):
    regions.historical("Region").objects.filter(name="a").update(home=None)
    with pytest.raises(TenantkitError, match="1 rows of guarded_region have no tenant"):
        regions.operate(MakeTenantModel("Region", "home"))


def test_with_a_many_to_many_field_it_says_what_to_write(regions):
    with pytest.raises(TenantkitError, match=r"MakeTenantModel\('Region'"):
        regions.migrate(countries(tenant=True), default=1)


def test_a_policy_makes_no_table_anew(project, monkeypatch):
    def version(policy: TenantPolicy) -> Version:
        version = Version()
        version.model("Party", id=models.BigAutoField(primary_key=True), meta={"constraints": [policy]})
        return version

    project.migrate(version(TenantPolicy(version=1)))
    if connection.vendor == "sqlite":
        monkeypatch.setattr(connection.SchemaEditorClass, "_remake_table", None)
    written = project.migrate(version(TenantPolicy(version=2)))
    assert "AddConstraint" in written
    project.back()
    assert [one.version for one in project.historical("Party")._meta.constraints] == [1]
