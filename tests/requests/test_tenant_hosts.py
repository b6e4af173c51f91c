"""`TenantHosts()` in ALLOWED_HOSTS and CSRF_TRUSTED_ORIGINS."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.http.request import validate_host
from django.test import Client

from django_tenantkit import tenant_context
from django_tenantkit.hosts import TenantHosts
from django_tenantkit.middleware import TenantMiddleware
from tests.aio import in_this_thread
from tests.operating import operated
from tests.requests.conftest import AsyncHostClient


@pytest.mark.parametrize(
    "host",
    ["example.com", "www.example.com", "acme.example.com", "new.example.com", "a.b.example.com", "app.acme.org"],
)
def test_these_hosts_are_allowed(acme, host):
    assert validate_host(host, TenantHosts())


@pytest.mark.parametrize("host", ["evil.org", "evilexample.com", "acme.org", "example.com.evil.org", "*", "tenants"])
def test_these_are_not(acme, host):
    assert not validate_host(host, TenantHosts())


def test_further_hosts_can_be_added_as_to_any_list(db):
    assert validate_host("10.0.0.5", TenantHosts(["10.0.0.5"]))
    assert validate_host("testserver", [*TenantHosts(), "testserver"])
    assert validate_host("new.example.com", [*TenantHosts(), "testserver"])


def test_the_answer_comes_from_the_cache(acme, django_assert_num_queries):
    hosts = TenantHosts()
    validate_host("app.acme.org", hosts)
    validate_host("evil.org", hosts)
    with django_assert_num_queries(0):
        assert validate_host("app.acme.org", hosts)
        assert not validate_host("evil.org", hosts)


def test_a_new_domain_is_allowed_at_once(client, acme, settings):
    settings.ALLOWED_HOSTS = TenantHosts()
    assert client.get("/plain/", headers={"host": "new.acme.org"}).status_code == 400
    operated(acme.domains.create, domain="new.acme.org", verified_at="2026-01-01T00:00:00Z")
    assert client.get("/plain/", headers={"host": "new.acme.org"}).status_code == 200


def test_an_unknown_name_under_the_base_domain_is_not_found(client, acme, settings):
    settings.ALLOWED_HOSTS = TenantHosts()
    assert client.get("/plain/", headers={"host": "nosuch.example.com"}).status_code == 404


@in_this_thread
async def test_hosts_are_looked_up_in_a_thread_under_asgi(acme, settings):
    settings.ALLOWED_HOSTS = TenantHosts()
    settings.MIDDLEWARE = [f"{TenantMiddleware.__module__}.{TenantMiddleware.__name__}"]
    assert (await AsyncHostClient().get("/plain/", headers={"host": "app.acme.org"})).status_code == 200
    assert (await AsyncHostClient().get("/plain/", headers={"host": "evil.org"})).status_code == 400


def test_settings_files_can_use_it():
    code = """
from django_tenantkit.hosts import TenantHosts
from django.conf import settings
from tests.operating import operated
settings.configure(ALLOWED_HOSTS=TenantHosts(), CSRF_TRUSTED_ORIGINS=TenantHosts())
assert settings.ALLOWED_HOSTS
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_django_has_nothing_against_it(settings):
    settings.ALLOWED_HOSTS = TenantHosts()
    settings.CSRF_TRUSTED_ORIGINS = TenantHosts()
    found = {message.id for message in run_checks(include_deployment_checks=True)}
    assert found.isdisjoint({"4_0.E001", "security.W020"})


ORIGINS = [
    ("acme.example.com", "https://acme.example.com", True),
    ("acme.example.com", "https://acme.example.com:8443", True),
    ("acme.example.com", "https://ACME.example.com", True),
    ("acme.example.com", "https://app.acme.org", True),
    ("app.acme.org", "https://app.acme.org", True),
    ("app.acme.org", "https://acme.example.com", True),
    ("acme.example.com", "https://example.com", True),
    ("acme.example.com", "https://www.example.com", True),
    ("acme.example.com", "https://globex.example.com", False),
    ("acme.example.com", "https://nosuch.example.com", False),
    ("acme.example.com", "https://evil.org", False),
    ("acme.example.com", "https://app.acme.org:x@evil.org", False),
    ("acme.example.com", "https://app.acme.org@evil.org", False),
    ("acme.example.com", "http://app.acme.org", False),
    ("acme.example.com", "null", False),
    ("example.com", "https://example.com", True),
    ("example.com", "https://acme.example.com", False),
]


@pytest.mark.parametrize(("host", "origin", "trusted"), ORIGINS)
def test_an_origin_is_trusted_when_it_leads_to_the_same_tenant(acme, globex, settings, host, origin, trusted):
    settings.CSRF_TRUSTED_ORIGINS = TenantHosts()
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = token = "a" * 32
    headers = {"host": host, "origin": origin, "x-csrftoken": token}
    assert client.post("/plain/", headers=headers).status_code == (200 if trusted else 403)


@pytest.mark.parametrize(
    ("referer", "trusted"), [("https://app.acme.org/form", True), ("https://globex.example.com/form", False)]
)
def test_a_referer_is_trusted_in_the_same_way(acme, globex, settings, referer, trusted):
    settings.CSRF_TRUSTED_ORIGINS = TenantHosts()
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = token = "a" * 32
    headers = {"host": "acme.example.com", "referer": referer, "x-csrftoken": token}
    assert client.post("/plain/", headers=headers, secure=True).status_code == (200 if trusted else 403)


def test_a_piece_of_the_pattern_is_as_live_as_the_whole(acme):
    origin = TenantHosts()[0].removeprefix("")
    assert "*" in TenantHosts()[0]
    assert "://" in origin
    piece = TenantHosts()[0][8:].lstrip("*").lower()
    with tenant_context(acme):
        assert piece == "acme.example.com"
        assert piece != "globex.example.com"
