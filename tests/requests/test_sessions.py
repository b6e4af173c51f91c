"""A session belongs to the tenant at whose host it was begun."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from django.contrib.auth.signals import user_logged_in

from django_tenantkit.models import Membership, Tenant
from django_tenantkit.sessions import BOUND_TO
from tests.operating import operated
from tests.requests.conftest import logged_in

ACME = {"host": "acme.example.com"}
GLOBEX = {"host": "globex.example.com"}
NOBODY = {"host": "example.com"}


@pytest.fixture
def both(member, globex):
    """A member of both tenants."""
    Membership.objects.create(user=member, tenant=globex)
    return member


@pytest.fixture(params=["db", "cache", "cached_db", "signed_cookies", "file"])
def engine(request, settings, tmp_path):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)


def user_at(client, headers):
    return client.get("/whoami/", headers=headers).content.decode()


def test_a_session_is_good_where_it_was_begun(acme, both, engine):
    assert user_at(logged_in(both, acme), ACME) == "member"


@pytest.mark.parametrize("elsewhere", [GLOBEX, NOBODY, {"host": "api.example.com"}])
def test_a_session_is_void_elsewhere(acme, both, engine, elsewhere):
    assert user_at(logged_in(both, acme), elsewhere) == ""


def test_a_session_of_the_base_domain_is_void_at_a_tenant(acme, both):
    client = logged_in(both)
    assert user_at(client, NOBODY) == "member"
    assert user_at(client, ACME) == ""


def test_a_session_holds_for_all_hosts_of_its_tenant(acme, both):
    assert user_at(logged_in(both, acme), {"host": "app.acme.org"}) == "member"


def test_a_session_does_not_pass_to_the_next_tenant_of_the_name(acme, both):
    client = logged_in(both, acme)
    acme.slug = "acme-old"
    operated(acme.save)
    heir = Tenant.objects.create(slug="acme", name="Heir")
    Membership.objects.create(user=both, tenant=heir)
    assert user_at(client, ACME) == ""


def test_a_void_session_has_no_data_either(acme, globex, both):
    client = logged_in(both, acme)
    session = client.session
    session["basket"] = "secret"
    session.save()
    assert client.get("/session-value/", headers=ACME).content == b"secret"
    assert client.get("/session-value/", headers=GLOBEX).content == b"None"


def test_a_void_session_is_deleted_at_the_client_and_kept_in_the_store(acme, globex, both):
    client = logged_in(both, acme)
    cookie = client.cookies["sessionid"].value
    client.get("/plain/", headers=GLOBEX)
    assert client.cookies["sessionid"].value == ""
    client.cookies["sessionid"] = cookie
    assert user_at(client, ACME) == "member"


def test_a_void_session_is_logged(acme, globex, both, caplog):
    client = logged_in(both, acme)
    with caplog.at_level(logging.WARNING, "django_tenantkit.security"):
        client.get("/plain/", headers=GLOBEX)
    assert f"session of user {both.pk}" in caplog.text


def test_a_session_from_before_is_void(acme, both):
    client = logged_in(both, acme)
    session = client.session
    del session[BOUND_TO]
    session.save()
    assert user_at(client, ACME) == ""


def test_a_session_without_a_user_is_not_bound(client, acme):
    session = client.session
    session["basket"] = "apples"
    session.save()
    client.cookies["sessionid"] = session.session_key
    assert client.get("/session-value/", headers=ACME).content == b"apples"


def test_sessions_are_bound_on_public_paths_too(acme, both, settings):
    settings.TENANTKIT_PUBLIC_PATHS = ["/whoami/", "/log-in/"]
    client = logged_in(both, acme)
    assert user_at(client, ACME) == "member"
    assert user_at(client, GLOBEX) == ""


def test_a_void_session_names_no_tenant(acme, globex, both, settings):
    settings.TENANTKIT_RESOLVERS = [
        "django_tenantkit.resolvers.SessionResolver",
        "django_tenantkit.resolvers.SubdomainResolver",
    ]
    client = logged_in(both, acme)
    session = client.session
    session["tenantkit_tenant"] = str(acme.uid)
    session.save()
    assert client.get("/", headers=GLOBEX).json()["tenant"] == "globex"
    assert client.get("/plain/", headers=NOBODY).content == b"plain None"


@pytest.mark.parametrize("public", [[], ["/log-in/"]])
def test_logging_in_binds_the_session_to_the_host(client, acme, both, settings, public):
    settings.TENANTKIT_PUBLIC_PATHS = public
    client.get("/log-in/?user=member", headers=ACME)
    assert client.session[BOUND_TO] == str(acme.uid)
    client.get("/log-in/?user=member", headers=NOBODY)
    assert client.session[BOUND_TO] == ""


def test_a_name_that_the_client_chose_does_not_bind(acme, both, settings):
    settings.TENANTKIT_RESOLVERS = ["django_tenantkit.resolvers.HeaderResolver"]
    client = logged_in(both)
    client.get("/log-in/?user=member", headers={**NOBODY, "x-tenant-id": "acme"})
    assert client.session[BOUND_TO] == ""
    assert client.get("/", headers={**NOBODY, "x-tenant-id": "acme"}).status_code == 200


def test_sessions_need_not_be_bound(acme, globex, both, settings):
    settings.TENANTKIT_BIND_SESSIONS = False
    assert user_at(logged_in(both, acme), GLOBEX) == "member"


def test_a_log_in_without_a_session_is_none_of_our_business(both):
    for request in (None, SimpleNamespace()):
        answers = user_logged_in.send_robust(type(both), request=request, user=both)
        assert [answer for _, answer in answers if isinstance(answer, Exception)] == []


def test_binding_costs_no_statement(acme, both, settings, django_assert_num_queries):
    client = logged_in(both, acme)
    client.get("/plain/", headers=ACME)
    with django_assert_num_queries(2):  # the session and its user
        assert client.get("/plain/", headers=ACME).content == b"plain acme"


def test_who_is_logged_in_by_middleware_is_bound_to_the_host(client, acme, both, settings):
    settings.MIDDLEWARE = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE.insert(5, "django.contrib.auth.middleware.RemoteUserMiddleware")
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]
    assert client.get("/whoami/", headers=ACME, REMOTE_USER="member").content == b"member"
    assert client.session[BOUND_TO] == str(acme.uid)
