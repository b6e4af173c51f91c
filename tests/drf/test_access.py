"""Users whom DRF authenticates, in a tenant that the client names by a header."""

from __future__ import annotations

import base64

import pytest
from django.contrib.auth import get_user_model
from rest_framework.permissions import AllowAny
from rest_framework.test import APIClient

from django_tenantkit import tenant_context
from django_tenantkit.models import Membership, Tenant, TenantStatus
from tests.drf.api import InvoiceViewSet
from tests.operating import operated
from tests.testapp.models import Customer, Invoice

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings, with_middleware):
    settings.ROOT_URLCONF = "tests.drf.api"
    settings.TENANTKIT_RESOLVERS = ["django_tenantkit.resolvers.HeaderResolver"]


@pytest.fixture
def member(acme):
    user = get_user_model().objects.create_user("member", password="secret")
    Membership.objects.create(user=user, tenant=acme)
    with tenant_context(acme):
        Invoice.objects.create(customer=Customer.objects.create(name="a"), number="1")
    return user


@pytest.fixture
def stranger(db):
    return get_user_model().objects.create_user("stranger", password="secret")


def get(name=None, tenant=None, path="/invoices/"):
    headers = {"host": "example.com"}
    if name:
        headers["authorization"] = "Basic " + base64.b64encode(f"{name}:secret".encode()).decode()
    if tenant:
        headers["x-tenant-id"] = tenant
    return APIClient(headers=headers).get(path)


def told(response):
    return response.status_code, response.content


def test_a_member_gets_the_tenants_rows(member):
    assert [row["number"] for row in get("member", "acme").json()["results"]] == ["1"]


def test_a_stranger_gets_what_an_unknown_tenant_gives(member, stranger):
    assert get("stranger", "acme").status_code == 404
    assert told(get("stranger", "acme")) == told(get("stranger", "nobody"))


def test_an_anonymous_user_gets_what_an_unknown_tenant_gives(member):
    assert get(tenant="acme").status_code == 404
    assert told(get(tenant="acme")) == told(get(tenant="nobody"))


def test_permissions_of_the_view_change_nothing(member, stranger, monkeypatch):
    monkeypatch.setattr(InvoiceViewSet, "permission_classes", [AllowAny])
    assert get("stranger", "acme").status_code == 404


def test_a_view_that_authenticates_nobody_is_out_of_reach(member, monkeypatch):
    monkeypatch.setattr(InvoiceViewSet, "authentication_classes", [])
    assert get("member", "acme").status_code == 404


def test_no_tenant_named_is_no_row(member):
    assert get("member").status_code in (400, 401)


def test_members_are_told_of_a_suspended_tenant_and_strangers_are_not(member, stranger):
    operated(Tenant.objects.filter(slug="acme").update, status=TenantStatus.SUSPENDED)
    assert get("member", "acme").status_code == 403
    assert get("stranger", "acme").status_code == 404
