"""Views that need a tenant, views that do not, paths and hosts without one."""

from __future__ import annotations

import logging

import pytest
from django.urls import reverse

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.decorators import tenant_optional, tenant_required, wants_tenant
from django_tenantkit.exceptions import NoCurrentTenant
from django_tenantkit.lookup import find_by_slug
from tests.requests.conftest import logged_in

ACME = {"host": "acme.example.com"}
NOBODY = {"host": "example.com"}
HEADER = ["django_tenantkit.resolvers.SubdomainResolver", "django_tenantkit.resolvers.HeaderResolver"]


@pytest.mark.parametrize("path", ["/required/", "/required-class/", "/required-given/"])
def test_a_view_that_needs_a_tenant_gets_one_or_is_a_bad_request(client, acme, path):
    assert client.get(path, headers=ACME).status_code == 200
    answer = client.get(path, headers=NOBODY)
    assert answer.status_code == 400
    assert b"Tenant not identified." in answer.content


@pytest.mark.parametrize(
    ("path", "status"),
    [("/plain/", 400), ("/required/", 400), ("/optional/", 200), ("/optional-class/", 200), ("/healthz", 200)],
)
def test_every_view_may_be_made_to_need_one(client, db, settings, path, status):
    settings.TENANTKIT_TENANT_REQUIRED = True
    assert client.get(path, headers=NOBODY).status_code == status


def test_tenant_data_without_a_tenant_is_a_bad_request(client, db):
    assert client.get("/optional-data/", headers=NOBODY).status_code == 400


def test_the_log_says_what_the_client_is_not_told(client, db, caplog):
    with caplog.at_level(logging.INFO, "django_tenantkit"):
        client.get("/optional-data/", headers=NOBODY)
    assert "'/optional-data/': testapp.Customer belongs to tenants" in caplog.text


def test_tenant_data_lost_in_a_tenant_is_the_programs_fault(client, acme):
    with pytest.raises(NoCurrentTenant):
        client.get("/lost/", headers=ACME)


def test_an_optional_view_runs_in_the_tenant_for_those_who_may(client, acme, member):
    assert client.get("/optional/", headers=ACME).content == b"optional Acme Acme host"
    assert logged_in(member, acme).get("/optional/", headers=ACME).content == b"optional Acme Acme host"


def test_an_optional_view_runs_in_none_for_those_who_may_not(acme, stranger):
    client = logged_in(stranger, acme)
    assert client.get("/optional/", headers=ACME).content == b"optional None None "
    assert client.get("/optional-data/", headers=ACME).status_code == 400


@pytest.mark.parametrize("name", ["acme", "nosuch"])
def test_an_optional_view_tells_nothing_about_a_tenant_named_by_a_stranger(client, acme, settings, name):
    settings.TENANTKIT_RESOLVERS = HEADER
    answer = client.get("/optional/", headers={"host": "example.com", "x-tenant-id": name})
    assert answer.content == b"optional None None "


def test_an_optional_view_has_the_tenant_that_a_member_named(acme, member, settings):
    settings.TENANTKIT_RESOLVERS = HEADER
    answer = logged_in(member).get("/optional/", headers={"host": "example.com", "x-tenant-id": "acme"})
    assert answer.content == b"optional Acme Acme header"


@pytest.mark.parametrize("host", ["example.com", "acme.example.com", "nosuch.example.com", "10.0.0.1"])
def test_a_health_probe_needs_no_tenant(client, acme, host, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/healthz", headers={"host": host}).content == b"ok"


def test_public_paths_are_names_or_beginnings(client, db, settings):
    settings.TENANTKIT_PUBLIC_PATHS = ["/probes/"]
    assert client.get("/probes/deep/", headers={"host": "10.0.0.1"}).status_code == 200
    assert client.get("/healthz", headers={"host": "10.0.0.1"}).status_code == 404


def test_hosts_without_a_tenant_have_an_urlconf_of_their_own(client, acme, settings):
    settings.TENANTKIT_PUBLIC_URLCONF = "tests.requests.public_urls"
    assert client.get("/", headers=NOBODY).content == b"front page /"
    assert client.get("/plain/", headers=NOBODY).status_code == 404
    assert client.get("/plain/", headers=ACME).status_code == 200
    assert client.get("/healthz", headers=ACME).content == b"public ok"


def test_the_public_urlconf_is_public_even_where_every_view_needs_a_tenant(client, acme, settings):
    settings.TENANTKIT_PUBLIC_URLCONF = "tests.requests.public_urls"
    settings.TENANTKIT_TENANT_REQUIRED = True
    assert client.get("/", headers=NOBODY).status_code == 200
    assert client.get("/required/", headers=NOBODY).status_code == 400


def test_a_tenant_that_the_client_named_is_served_at_a_host_without_one(acme, member, settings):
    settings.TENANTKIT_PUBLIC_URLCONF = "tests.requests.public_urls"
    settings.TENANTKIT_RESOLVERS = HEADER
    answer = logged_in(member).get("/", headers={"host": "example.com", "x-tenant-id": "acme"})
    assert answer.json()["tenant"] == "acme"


def test_nothing_is_left_after_a_request(client, acme):
    client.get("/", headers=ACME)
    assert get_current_tenant() is None
    assert reverse("home") == "/"


def test_nothing_is_left_after_an_exception(client, acme, monkeypatch):
    monkeypatch.setattr("tests.requests.urls.Customer.objects.count", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        client.get("/", headers=ACME)
    assert get_current_tenant() is None


def test_what_a_view_leaves_open_is_closed_and_logged(client, acme, caplog):
    with caplog.at_level(logging.ERROR, "django_tenantkit"):
        assert client.get("/careless/", headers=ACME).content == b"left open"
    assert get_current_tenant() is None
    assert "TenantMiddleware left tenant acme behind" in caplog.text


def test_a_request_without_a_tenant_does_not_inherit_one(client, acme):
    with tenant_context(acme):
        assert client.get("/plain/", headers=NOBODY).content == b"plain None"


def test_each_request_has_a_tenant_object_of_its_own(acme):
    first, second = find_by_slug("acme"), find_by_slug("acme")
    first.settings["colour"] = "red"
    first.name = "Changed"
    assert (second.settings, second.name) == ({}, "Acme")


def test_the_decorators_mark_functions_and_classes():
    assert wants_tenant(tenant_required(lambda request: None)) is True
    assert wants_tenant(tenant_optional(lambda request: None)) is False
    assert wants_tenant(lambda request: None) is None
