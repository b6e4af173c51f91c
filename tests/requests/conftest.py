"""Two tenants, their users, and the URLs of these tests."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import AsyncClient, Client

from django_tenantkit import tenant_context
from django_tenantkit.models import Domain, Membership, Tenant
from tests.operating import operated
from tests.testapp.models import Customer

VERIFIED = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _urls(settings):
    settings.ROOT_URLCONF = "tests.requests.urls"
    cache.clear()


def make_tenant(slug, customers=0, **fields):
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), **fields)
    with tenant_context(tenant):
        for number in range(customers):
            Customer.objects.create(name=f"{slug} {number}")
    return tenant


@pytest.fixture
def acme(db):
    tenant = make_tenant("acme", customers=1)
    operated(Domain.objects.create, tenant=tenant, domain="app.acme.org", verified_at=VERIFIED)
    return tenant


@pytest.fixture
def globex(db):
    return make_tenant("globex", customers=2)


@pytest.fixture
def member(acme):
    """A user who is a member of acme only."""
    user = get_user_model().objects.create_user("member")
    Membership.objects.create(user=user, tenant=acme)
    return user


@pytest.fixture
def stranger(db):
    return get_user_model().objects.create_user("stranger")


def logged_in(user, tenant=None):
    """A client with a session of `user`, begun at the host of `tenant`."""
    client = Client()
    with tenant_context(tenant):
        client.force_login(user)
    return client


class AsyncHostClient(AsyncClient):
    """Sends one Host header: Django's sends its own, `testserver`, before the one it is given."""

    def _base_scope(self, **request):
        scope = super()._base_scope(**request)
        return scope | {"headers": list(dict(scope["headers"]).items())}
