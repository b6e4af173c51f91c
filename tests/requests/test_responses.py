"""What a client sees when it is not let through."""

from __future__ import annotations

import pytest
from pytest_django.asserts import assertTemplateUsed

from django_tenantkit.models import TenantStatus
from tests.operating import operated
from tests.requests.conftest import logged_in

ACME = {"host": "acme.example.com"}
HEADER = [
    "django_tenantkit.resolvers.SubdomainResolver",
    "django_tenantkit.resolvers.HeaderResolver",
    "django_tenantkit.resolvers.PathResolver",
]


def bytes_of(response):
    """Everything of a response that a client can see."""
    return response.serialize() + response.cookies.output().encode()


@pytest.fixture
def suspended(acme):
    acme.status = TenantStatus.SUSPENDED
    operated(acme.save)


@pytest.fixture
def maintained(acme):
    acme.status = TenantStatus.MAINTENANCE
    operated(acme.save)


@pytest.mark.parametrize("path", ["/", "/plain/", "/optional/", "/nosuch/"])
def test_a_suspended_tenant_is_forbidden(client, suspended, path):
    answer = client.get(path, headers=ACME)
    assert answer.status_code == 403
    assertTemplateUsed(answer, "django_tenantkit/suspended.html")
    assert b"Acme" in answer.content
    assert "Retry-After" not in answer


def test_a_tenant_in_maintenance_is_unavailable_for_a_while(client, maintained):
    answer = client.get("/", headers=ACME)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "120"
    assertTemplateUsed(answer, "django_tenantkit/maintenance.html")


def test_how_long_maintenance_takes_is_a_setting(client, maintained, settings):
    settings.TENANTKIT_RETRY_AFTER = 7
    assert client.get("/", headers=ACME)["Retry-After"] == "7"


def test_a_member_sees_that_the_tenant_is_suspended(member, suspended, acme):
    assert logged_in(member, acme).get("/plain/", headers=ACME).status_code == 403


@pytest.mark.parametrize("status", [TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE])
def test_a_stranger_does_not_see_that_the_tenant_is_not_at_work(client, acme, stranger, settings, status):
    acme.status = status
    operated(acme.save)
    assert logged_in(stranger, acme).get("/plain/", headers=ACME).status_code == 404
    settings.TENANTKIT_RESOLVERS = HEADER
    answer = client.get("/plain/", headers={"host": "example.com", "x-tenant-id": "acme"})
    assert answer.status_code == 404


def test_a_client_that_prefers_json_gets_json(client, suspended):
    answer = client.get("/", headers={**ACME, "accept": "application/json"})
    assert answer.json() == {"detail": "This account is suspended."}
    assert answer.status_code == 403


@pytest.mark.parametrize("accept", ["*/*", "text/html", "text/html,application/json;q=0.9", "", "rubbish", "image/png"])
def test_other_clients_get_a_page(client, suspended, accept):
    answer = client.get("/", headers={**ACME, "accept": accept})
    assert answer["Content-Type"].startswith("text/html")


def test_refusals_are_not_cached(client, suspended):
    assert client.get("/", headers=ACME)["Cache-Control"] == "no-store"


def test_a_refusal_can_be_another_status(client, acme, settings):
    settings.TENANTKIT_RESPONSES = {"unknown": 410, "missing": 401}
    assert client.get("/", headers={"host": "nosuch.example.com"}).status_code == 410
    assert client.get("/required/", headers={"host": "example.com"}).status_code == 401


def test_a_refusal_can_be_a_redirect(client, acme, settings):
    settings.TENANTKIT_RESPONSES = {"unknown": "https://example.com/signup"}
    answer = client.get("/", headers={"host": "nosuch.example.com"})
    assert (answer.status_code, answer["Location"]) == (302, "https://example.com/signup")


def test_who_is_denied_sees_what_the_setting_says_for_unknown(acme, stranger, settings):
    settings.TENANTKIT_RESPONSES = {"unknown": "https://example.com/signup"}
    assert logged_in(stranger, acme).get("/", headers=ACME).status_code == 302
    settings.TENANTKIT_RESPONSES = {"denied": 403}
    assert logged_in(stranger, acme).get("/", headers=ACME).status_code == 403


def test_the_pages_can_be_overridden(client, suspended, settings):
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates"}
    pages = {"django_tenantkit/suspended.html": "{{ tenant.slug }}: {{ detail }}"}
    loader = ("django.template.loaders.locmem.Loader", pages)
    settings.TEMPLATES = [{**engine, "OPTIONS": {"loaders": [loader]}}]
    assert client.get("/", headers=ACME).content == b"acme: This account is suspended."


def test_a_site_without_templates_answers_all_the_same(client, suspended, settings):
    settings.TEMPLATES = []
    answer = client.get("/", headers=ACME)
    assert (answer.status_code, answer.content) == (403, b"This account is suspended.")


PATHS = ["/", "/plain/", "/plain", "/required/", "/optional/", "/form/", "/nosuch/", "/nosuch", "/t/"]
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAM = {"accept": "application/json"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", [BROWSER, PROGRAM], ids=["browser", "program"])
@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_a_tenant_named_by_header_is_denied_as_if_it_were_unknown(client, acme, settings, path, accept, method):
    settings.TENANTKIT_RESOLVERS = HEADER
    headers = {"host": "example.com", **accept}
    denied = getattr(client, method)(path, headers={**headers, "x-tenant-id": "acme"})
    unknown = getattr(client, method)(path, headers={**headers, "x-tenant-id": "nosuch"})
    assert bytes_of(denied) == bytes_of(unknown)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("who", ["anonymous", "stranger", "forged"])
def test_a_tenant_named_by_path_is_denied_as_if_it_were_unknown(client, acme, stranger, settings, path, who):
    settings.TENANTKIT_RESOLVERS = HEADER
    if who == "stranger":
        client = logged_in(stranger)
    if who == "forged":
        client.cookies["sessionid"] = "f" * 32
    denied = client.get(f"/t/acme{path}", headers={"host": "example.com"})
    unknown = client.get(f"/t/zzzz{path}", headers={"host": "example.com"})
    assert bytes_of(denied).replace(b"acme", b"zzzz") == bytes_of(unknown)


def test_the_host_of_a_tenant_denies_a_stranger_as_if_it_were_unknown(acme, stranger):
    client = logged_in(stranger, acme)
    denied = client.get("/plain/", headers=ACME)
    unknown = client.get("/plain/", headers={"host": "nosuch.example.com"})
    assert denied.content == unknown.content
    assert denied.status_code == unknown.status_code == 404


def test_csrf_protection_does_not_tell_a_tenant_from_none(acme, settings, client):
    settings.TENANTKIT_RESOLVERS = HEADER
    client.handler.enforce_csrf_checks = True
    denied = client.post("/plain/", headers={"host": "example.com", "x-tenant-id": "acme"})
    unknown = client.post("/plain/", headers={"host": "example.com", "x-tenant-id": "nosuch"})
    assert bytes_of(denied) == bytes_of(unknown)
