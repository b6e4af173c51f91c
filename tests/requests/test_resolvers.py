"""How a request names its tenant, and what happens when it does it badly, twice, or not at all."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_tenantkit.lookup import Name
from django_tenantkit.models import Domain, TenantStatus
from django_tenantkit.resolvers import Resolver, SessionResolver
from tests.operating import operated
from tests.requests.conftest import logged_in

ALL = [f"django_tenantkit.resolvers.{kind}Resolver" for kind in ("Domain", "Subdomain", "Header", "Session", "Path")]
CLIENT_NAMED = ALL[2:]


@pytest.fixture
def every_resolver(settings):
    settings.TENANTKIT_RESOLVERS = ALL


def test_the_host_names_the_tenant(client, acme, globex):
    answer = client.get("/", headers={"host": "globex.example.com"}).json()
    assert answer == {"tenant": "globex", "named_by": "host", "customers": 2}


def test_a_custom_domain_names_the_tenant(client, acme):
    assert client.get("/", headers={"host": "app.acme.org"}).json()["tenant"] == "acme"


@pytest.mark.parametrize("host", ["ACME.example.com:8000", "acme.example.com."])
def test_spellings_of_a_host_are_one_host(client, acme, host):
    assert client.get("/", headers={"host": host}).json()["tenant"] == "acme"


def test_a_domain_that_is_not_verified_is_unknown(client, acme):
    operated(Domain.objects.create, tenant=acme, domain="soon.acme.org")
    assert client.get("/", headers={"host": "soon.acme.org"}).status_code == 404


@pytest.mark.parametrize("host", ["nosuch.example.com", "a.b.example.com", "nosuch.org", "testserver", "10.0.0.1"])
def test_an_unknown_host_is_not_found(client, acme, host):
    assert client.get("/plain/", headers={"host": host}).status_code == 404


@pytest.mark.parametrize("host", ["example.com", "www.example.com"])
def test_the_base_domain_and_reserved_names_have_no_tenant(client, acme, host):
    assert client.get("/plain/", headers={"host": host}).content == b"plain None"


@pytest.mark.parametrize("status", [TenantStatus.PROVISIONING, TenantStatus.ERASING, TenantStatus.ERASED])
def test_a_tenant_that_is_not_there_for_clients_is_unknown(client, acme, status):
    acme.status = status
    operated(acme.save)
    assert client.get("/plain/", headers={"host": "acme.example.com"}).status_code == 404


@pytest.mark.parametrize("value", ["slug", "uid", "UID"])
def test_a_header_names_the_tenant_by_slug_or_uid(acme, member, every_resolver, value):
    name = {"slug": "acme", "uid": str(acme.uid), "UID": str(acme.uid).upper()}[value]
    answer = logged_in(member).get("/", headers={"host": "api.example.com", "x-tenant-id": name})
    assert answer.json() == {"tenant": "acme", "named_by": "header", "customers": 1}


def test_the_header_may_have_another_name(acme, member, every_resolver, settings):
    settings.TENANTKIT_HEADER = "X-Organisation"
    answer = logged_in(member).get("/", headers={"host": "example.com", "x-organisation": "acme"})
    assert answer.json()["tenant"] == "acme"
    assert "X-Organisation" in answer["Vary"]


@pytest.mark.parametrize("value", ["", " ", "ACME", "a_b", "acme,globex", "../acme", "acme\x00", "bücher", "-a", "7"])
def test_a_malformed_header_is_a_bad_request(client, acme, every_resolver, value):
    answer = client.get("/plain/", headers={"host": "example.com", "x-tenant-id": value})
    assert answer.status_code == 400
    assert "X-Tenant-ID" in answer["Vary"]


@pytest.mark.django_db
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=st.text(st.characters(max_codepoint=255), max_size=70))
def test_no_header_value_breaks_the_site(client, settings, value):
    settings.TENANTKIT_RESOLVERS = ALL
    answer = client.get("/plain/", headers={"host": "example.com", "x-tenant-id": value})
    assert answer.status_code in {400, 404}


@pytest.mark.django_db
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(host=st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=70))
def test_no_host_breaks_the_site(client, host):
    assert client.get("/plain/", headers={"host": host}).status_code in {200, 400, 404}


@pytest.mark.django_db
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rest=st.text(max_size=40))
def test_no_path_breaks_the_site(client, settings, rest):
    settings.TENANTKIT_RESOLVERS = ALL
    assert client.get("/t/" + rest, headers={"host": "example.com"}).status_code in {301, 404}


def test_the_session_names_the_tenant(acme, member, every_resolver):
    client = logged_in(member)
    session = client.session
    session["tenantkit_tenant"] = str(acme.uid)
    session.save()
    answer = client.get("/", headers={"host": "example.com"})
    assert answer.json() == {"tenant": "acme", "named_by": "session", "customers": 1}
    assert "Cookie" in answer["Vary"]


def test_a_session_remembers_and_forgets_the_tenant(rf, client, acme):
    request = rf.get("/")
    request.session = client.session
    SessionResolver.remember(request, acme)
    assert SessionResolver().name(request) == Name("uid", str(acme.uid))
    SessionResolver.remember(request, None)
    assert SessionResolver().name(request) is None


def test_the_session_resolver_says_what_it_needs(rf):
    with pytest.raises(ImproperlyConfigured, match="SessionMiddleware"):
        SessionResolver().name(rf.get("/"))


@pytest.mark.parametrize(
    "named",
    [
        {"host": "acme.example.com", "x-tenant-id": "globex"},
        {"host": "acme.example.com", "x-tenant-id": "nosuch"},
        {"host": "nosuch.example.com", "x-tenant-id": "acme"},
        {"host": "nosuch.example.com", "x-tenant-id": "nosuch-either"},
        {"host": "app.acme.org", "x-tenant-id": "globex"},
    ],
)
def test_two_different_tenants_in_one_request_are_ambiguous(client, acme, globex, every_resolver, named):
    answer = client.get("/plain/", headers=named)
    assert answer.status_code == 400
    assert b"more than one tenant" in answer.content


def test_an_ambiguous_request_is_logged(client, acme, globex, every_resolver, caplog):
    client.get("/plain/", headers={"host": "acme.example.com", "x-tenant-id": "globex"})
    assert [record.name for record in caplog.records if "more than one" in record.message] == [
        "django_tenantkit.security"
    ]


def test_one_tenant_named_twice_is_one_tenant(client, acme, every_resolver):
    answer = client.get("/", headers={"host": "acme.example.com", "x-tenant-id": str(acme.uid)})
    assert answer.json() == {"tenant": "acme", "named_by": "host", "customers": 1}


def test_an_unknown_tenant_named_twice_is_unknown(client, acme, every_resolver):
    answer = client.get("/plain/", headers={"host": "nosuch.example.com", "x-tenant-id": "nosuch"})
    assert answer.status_code == 404


def test_a_foreign_host_leaves_it_to_the_others(acme, member, every_resolver):
    answer = logged_in(member).get("/", headers={"host": "api.internal", "x-tenant-id": "acme"})
    assert answer.json()["named_by"] == "header"


class TeaResolver(Resolver):
    """An adopter's own."""

    named_by = "tea"
    vary = ("X-Tea",)

    def name(self, request):
        return Name("slug", request.headers["x-tea"]) if "x-tea" in request.headers else None


def test_a_resolver_of_ones_own(acme, member, settings):
    settings.TENANTKIT_RESOLVERS = ["tests.requests.test_resolvers.TeaResolver"]
    answer = logged_in(member).get("/", headers={"host": "example.com", "x-tea": "acme"})
    assert answer.json()["named_by"] == "tea"
    assert "X-Tea" in answer["Vary"]


def test_a_resolver_needs_a_method(rf):
    with pytest.raises(NotImplementedError, match="name"):
        Resolver().name(rf.get("/"))


@pytest.mark.parametrize("headers", [{}, {"x-tenant-id": "acme"}, {"x-tenant-id": "nosuch"}, {"x-tenant-id": "?"}])
@pytest.mark.parametrize("host", ["example.com", "acme.example.com", "nosuch.example.com"])
def test_vary_names_every_header_that_was_asked(client, acme, settings, host, headers):
    settings.TENANTKIT_RESOLVERS = [ALL[1], ALL[2]]
    answer = client.get("/plain/", headers={"host": host, **headers})
    assert "X-Tenant-ID" in answer["Vary"]


def test_vary_names_nothing_where_only_the_host_is_asked(client, acme):
    assert "Vary" not in client.get("/plain/", headers={"host": "acme.example.com"})


def test_the_tenant_costs_no_query(client, acme, django_assert_num_queries):
    answers = {"acme.example.com": 200, "app.acme.org": 200, "nosuch.example.com": 404}
    for host in answers:
        client.get("/plain/", headers={"host": host})
    with django_assert_num_queries(0):
        assert {host: client.get("/plain/", headers={"host": host}).status_code for host in answers} == answers
    with django_assert_num_queries(1):
        assert client.get("/", headers={"host": "acme.example.com"}).status_code == 200


def test_a_host_that_cannot_be_a_tenant_is_not_looked_up(client, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/plain/", headers={"host": "a.b.example.com"}).status_code == 404
