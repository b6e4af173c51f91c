"""Our own tables, as PostgreSQL shows them to the application: raw SQL, so that nothing else filters."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.lookup import find_by_domain, find_by_slug, find_by_uid, forget, tenants_of
from django_tenantkit.models import Domain, Job, Membership, Tenant, TenantStatus
from tests.operating import operated

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only")]

TABLES = {Tenant: "id", Domain: "tenant_id", Membership: "tenant_id", Job: "tenant_id"}


@pytest.fixture
def two(on_one_connection):
    return on_one_connection


@pytest.fixture
def rows(two):
    """A row of each table for both tenants."""
    user = get_user_model().objects.create(username="ann")
    for tenant in (two.acme, two.globex):
        operated(Domain.objects.create, tenant=tenant, domain=f"{tenant.slug}.org", verified_at=tenant.created_at)
        Membership.objects.create(tenant=tenant, user=user)
        operated(Job.objects.create, tenant=tenant, kind="test", slug=tenant.slug)
    two.user = user
    forget()
    return two


def ask(query: str, params=None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]


@pytest.mark.parametrize(("model", "column"), TABLES.items(), ids=lambda value: getattr(value, "__name__", None))
def test_a_tenant_sees_its_own_rows_only(rows, model, column):
    with tenant_context(rows.acme):
        assert ask(f"SELECT {column} FROM {model._meta.db_table}") == [(rows.acme.pk,)]


@pytest.mark.parametrize(("model", "column"), TABLES.items(), ids=lambda value: getattr(value, "__name__", None))
def test_an_operator_sees_all(rows, model, column):
    with unscoped(reason="test"):
        assert set(ask(f"SELECT {column} FROM {model._meta.db_table}")) == {(rows.acme.pk,), (rows.globex.pk,)}


@pytest.mark.parametrize("column", ["plan", "status", "slug"])
@pytest.mark.parametrize("inside", [True, False], ids=["in the tenant", "with no tenant"])
def test_the_application_does_not_change_what_a_tenant_is(rows, column, inside):
    change = f"UPDATE {Tenant._meta.db_table} SET {column} = 'other' WHERE id = %s"
    tenant = rows.acme if inside else None
    with tenant_context(tenant), pytest.raises(DatabaseError, match="lifecycle"), transaction.atomic():
        ask(change, [rows.acme.pk])


def test_a_tenant_can_change_what_else_there_is_of_it(rows):
    with tenant_context(rows.acme):
        tenant = Tenant.objects.get()
        tenant.settings = {"theme": "dark"}
        tenant.save()
        assert ask(f"UPDATE {Tenant._meta.db_table} SET name = 'New'") == [(1,)]
    assert Tenant.objects.get(pk=rows.globex.pk).name != "New"


def test_an_operator_changes_the_status(rows):
    tenant = Tenant.objects.get(pk=rows.acme.pk)
    tenant.status = TenantStatus.SUSPENDED
    with unscoped(reason="test"):
        tenant.save()
        assert ask(f"SELECT status FROM {Tenant._meta.db_table} WHERE id = %s", [rows.acme.pk]) == [("suspended",)]


@pytest.mark.parametrize("inside", [True, False], ids=["in a tenant", "with no tenant"])
@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE {Domain._meta.db_table} SET verified_at = now()",
        f"UPDATE {Domain._meta.db_table} SET domain = 'evil.org' WHERE domain = 'acme.org'",
        f"DELETE FROM {Domain._meta.db_table}",
        f"DELETE FROM {Tenant._meta.db_table}",
        f"DELETE FROM {Job._meta.db_table}",
    ],
    ids=["verify", "rename", "delete a domain", "delete a tenant", "delete from the ledger"],
)
def test_the_application_does_not_reach_what_operators_write(rows, change, inside):
    with tenant_context(rows.acme if inside else None):
        assert ask(change) == [(0,)]


def test_the_application_adds_no_domain(rows):
    with tenant_context(rows.acme), pytest.raises(DatabaseError, match="operators"), transaction.atomic():
        Domain.objects.create(tenant=rows.acme, domain="more.acme.org")


def test_a_tenant_adds_no_tenant(rows):
    with tenant_context(rows.acme), pytest.raises(DatabaseError, match="operators"), transaction.atomic():
        Tenant.objects.create(slug="mine", name="Mine")


def test_a_tenant_adds_and_ends_its_own_memberships_only(rows):
    user = get_user_model().objects.create(username="bob")
    with tenant_context(rows.acme):
        Membership.objects.create(tenant=rows.acme, user=user)
        with pytest.raises(DatabaseError, match="operators"), transaction.atomic():
            Membership.objects.create(tenant=rows.globex, user=user)
        assert ask(f"DELETE FROM {Membership._meta.db_table}") == [(2,)]
    assert [membership.tenant for membership in Membership.objects.all()] == [rows.globex]


@pytest.mark.parametrize("inside", [True, False], ids=["in another tenant", "with no tenant"])
def test_a_name_leads_to_its_tenant_wherever_it_is_asked(rows, inside):
    with tenant_context(rows.globex if inside else None):
        found = find_by_slug("acme"), find_by_uid(rows.acme.uid), find_by_domain("acme.org")
    assert found == (rows.acme,) * 3


@pytest.mark.parametrize("inside", [True, False], ids=["in another tenant", "with no tenant"])
def test_a_user_finds_all_of_their_tenants(rows, inside):
    with tenant_context(rows.globex if inside else None):
        assert tenants_of(rows.user) == [rows.acme, rows.globex]
        assert tenants_of(get_user_model()(pk=0)) == []


def test_the_look_ups_find_no_domain_that_is_not_verified(rows):
    operated(Domain.objects.create, tenant=rows.acme, domain="soon.org")
    assert find_by_domain("soon.org") is None
