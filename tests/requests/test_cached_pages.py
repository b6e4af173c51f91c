"""The cached page of one tenant is never served to another: `@cache_page`, and the cache for a site."""

from __future__ import annotations

import pickle

import pytest
from django.test import Client

from django_tenantkit.models import Membership
from tests.requests.conftest import logged_in

HEADER = ["django_tenantkit.resolvers.SubdomainResolver", "django_tenantkit.resolvers.HeaderResolver"]
SESSION = ["django_tenantkit.resolvers.SessionResolver"]


@pytest.fixture
def by_header(settings):
    settings.TENANTKIT_RESOLVERS = HEADER


@pytest.fixture
def site_cache(settings):
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]


@pytest.fixture
def both(member, globex):
    """A client of a member of both tenants."""
    Membership.objects.create(user=member, tenant=globex)
    return logged_in(member)


def page(client, path, tenant=None, host="example.com"):
    headers = {"host": host} | ({"x-tenant-id": tenant} if tenant else {})
    return client.get(path, headers=headers)


CACHED = ["/cached/", "/cached-varied/"]


@pytest.mark.parametrize("path", CACHED)
def test_hosts_have_pages_of_their_own_which_are_cached(client, acme, globex, path):
    assert page(client, path, host="acme.example.com").content == b"acme 1"
    assert page(client, path, host="globex.example.com").content == b"globex 2"
    assert page(client, path, host="acme.example.com").content == b"acme 1"
    assert page(client, path, host="globex.example.com").content == b"globex 2"


@pytest.mark.parametrize("path", CACHED)
def test_pages_of_hosts_are_cached_although_headers_are_asked_too(client, acme, by_header, path):
    assert page(client, path, host="acme.example.com").content == b"acme 1"
    answer = page(client, path, host="acme.example.com")
    assert answer.content == b"acme 1"
    assert "X-Tenant-ID" in answer["Vary"]


@pytest.mark.parametrize("path", CACHED)
def test_a_tenant_named_by_header_has_pages_of_its_own(both, acme, globex, by_header, path):
    assert page(both, path, "acme").content == b"acme 1"
    answer = page(both, path, "globex")
    assert answer.content == b"globex 2"
    assert "X-Tenant-ID" in answer["Vary"]
    assert page(both, path).content == b"None 3"
    assert page(both, path, "acme").content.startswith(b"acme")


@pytest.mark.parametrize("path", CACHED)
def test_a_page_without_a_tenant_is_not_served_to_one(both, acme, by_header, path):
    assert page(both, path).content == b"None 1"
    assert page(both, path, "acme").content == b"acme 2"
    assert page(both, path).content.startswith(b"None")


def test_what_does_not_say_what_it_varies_on_is_not_cached_at_the_view(both, acme, by_header):
    assert page(both, "/cached/", "acme").content == b"acme 1"
    assert page(both, "/cached/", "acme").content == b"acme 2"


@pytest.mark.parametrize("path", ["/cached-varied/", "/acached-varied/"])
def test_what_says_so_is_cached_at_the_view(both, acme, globex, by_header, path):
    for _ in range(2):
        assert page(both, path, "acme").content == b"acme 1"
        assert page(both, path, "globex").content == b"globex 2"
        assert page(both, path).content == b"None 3"


@pytest.mark.parametrize("path", [*CACHED, "/counted/"])
def test_a_cached_page_is_for_those_who_may_see_it(both, acme, by_header, site_cache, path):
    page(both, path, "acme")
    assert page(Client(), path, "acme").status_code == 404


@pytest.mark.parametrize("path", [*CACHED, "/counted/"])
def test_the_cache_of_a_site_keeps_tenants_apart(both, acme, globex, by_header, site_cache, path):
    for _ in range(2):
        assert page(both, path, "acme").content == b"acme 1"
        assert page(both, path, "globex").content == b"globex 2"
    assert page(both, path).content == b"None 3"
    assert page(both, path, "acme").content.startswith(b"acme")


def test_the_cache_of_a_site_keeps_hosts_apart(client, acme, globex, site_cache):
    for _ in range(2):
        assert page(client, "/counted/", host="acme.example.com").content == b"acme 1"
        assert page(client, "/counted/", host="globex.example.com").content == b"globex 2"


@pytest.mark.parametrize("path", [*CACHED, "/counted/"])
def test_tenants_named_by_one_session_are_kept_apart(both, acme, globex, settings, site_cache, path):
    settings.TENANTKIT_RESOLVERS = SESSION
    for tenant in (acme, globex, acme):
        session = both.session
        session["tenantkit_tenant"] = str(tenant.uid)
        session.save()
        answer = page(both, path)
        assert answer.content.startswith(tenant.slug.encode())
        assert "private" in answer["Cache-Control"]


def test_visitors_without_a_session_share_their_pages(client, db, settings, site_cache):
    settings.TENANTKIT_RESOLVERS = SESSION
    assert page(client, "/counted/").content == page(Client(), "/counted/").content == b"None 1"


def test_an_unknown_tenant_leaves_no_page(both, acme, by_header, site_cache):
    page(both, "/counted/", "nosuch")
    assert page(both, "/counted/", "acme").content == b"acme 1"


def test_the_request_is_still_what_it_was(rf, both, acme, by_header):
    answer = page(both, "/plain/", "acme")
    assert type(answer.wsgi_request).__name__ == "WSGIRequest"
    assert pickle.loads(pickle.dumps(dict(answer.headers)))
