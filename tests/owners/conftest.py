"""Two tenants, whose ids mean different things, and somebody with the same key in each."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection

from django_tenantkit import tenant_context
from django_tenantkit.builtin_caches import _content_types, _sites
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.testing.client import TenantClient
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import as_admin
from tests.drift import turn_round

NAMES = {"acme": "ann", "globex": "bob"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Every second home has its content types and permissions the other way round."""
    with django_db_blocker.unblock(), as_admin(connection.settings_dict["NAME"]) as admin:
        uids = sorted(uid for (uid,) in admin.execute("SELECT uid FROM django_tenantkit_place"))
        for place, uid in enumerate(uids):
            if place % 2:
                turn_round(admin, schema_name(uid), "django_content_type", by=0)
                turn_round(admin, schema_name(uid), "auth_permission", by=3)


@pytest.fixture(autouse=True)
def _empty_caches():
    yield
    cache.clear()
    _content_types.forget()
    _sites.forget()


@pytest.fixture
def tenants(db):
    """By slug. Each has a user with the key 5, who may do everything."""
    made = {slug: make_tenant(slug, isolation="schema") for slug in NAMES}
    for slug, tenant in made.items():
        with tenant_context(tenant):
            user = User(pk=5, username=NAMES[slug], email=f"{NAMES[slug]}@{slug}.org", is_staff=True, is_superuser=True)
            user.set_password(f"{slug}'s secret")
            user.save()
            from django.contrib.sites.models import Site  # no app of the other tests, which import this file too

            Site.objects.filter(pk=1).update(name=f"{slug}'s site", domain=f"{slug}.example.com")
    return made


@pytest.fixture
def clients(tenants):
    """Who is logged in at each tenant, by slug."""
    found = {slug: TenantClient(tenant) for slug, tenant in tenants.items()}
    for slug, client in found.items():
        assert log_in(client, slug).status_code == 302
    return found


def log_in(client, slug):
    return client.post("/admin/login/?next=/who/", {"username": NAMES[slug], "password": f"{slug}'s secret"})
