"""A tenant that the client names and may not enter, and one that there is not: nobody can tell them apart,
neither by what comes back nor by the statements that are sent for it."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from http.cookies import Morsel
from importlib.util import find_spec
from typing import NamedTuple

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client

from django_tenantkit import access, lookup
from django_tenantkit.fields import uuid7
from django_tenantkit.models import Membership, Tenant, TenantStatus
from tests.operating import operated
from tests.requests.conftest import AsyncHostClient, logged_in, make_tenant

RESOLVERS = [
    f"django_tenantkit.resolvers.{kind}Resolver" for kind in ("Domain", "Subdomain", "Header", "Path", "Session")
]
NOWHERE = "nosuch"

TOKEN = pytest.param("token", marks=pytest.mark.skipif(not find_spec("rest_framework"), reason="needs DRF"))
VISITORS = ["anonymous", "stranger", TOKEN, "log-in"]
WAYS = ["slug in a header", "uid in a header", "path", "session"]
VIEWS = [
    "/",
    "/plain/",
    "/plain",
    "/required/",
    "/optional/",
    "/optional-data/",
    "/nosuch/",
    "/links/",
    "/form/",
    "/kept-session/",
    "/broken/",
    "/broken-middleware/",
    "/streamed/",
    "/astreamed/",
    "/ahome/",
    "/rendered-late/",
    "/cached-varied/",
    "/lost/",
    "/members/",
    "/not-at-work/",
]

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")


@pytest.fixture(autouse=True)
def _resolvers(settings):
    settings.TENANTKIT_RESOLVERS = RESOLVERS
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.requests.urls.BreaksInMiddleware"]


@pytest.fixture
def elsewhere(db):
    return make_tenant("globex", customers=2)


@pytest.fixture(autouse=True)
def stranger(db):
    return get_user_model().objects.create_user("stranger")


@contextmanager
def statements():
    """What is sent to the database: each statement with the types of its parameters."""
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((re.sub(r"\d+", "N", sql), [type(value).__name__ for value in params or ()]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


class Seen(NamedTuple):
    """Of one request."""

    status: int
    head: bytes
    cookies: str
    body: bytes
    statements: list


class Visitor:
    """Somebody who names a tenant in one of the ways."""

    def __init__(self, who, way, slug, uid, sync=True):
        self.who, self.way, self.slug, self.uid = who, way, slug, uid
        client = logged_in(get_user_model().objects.get(username="stranger")) if who == "stranger" else Client()
        client.raise_request_exception = False
        self.client = client
        self.send = client.post if who == "log-in" else client.get
        if not sync:
            twin = AsyncHostClient(raise_request_exception=False)
            twin.cookies = client.cookies
            self.send = async_to_sync(twin.post if who == "log-in" else twin.get)

    def ask(self, path="/plain/"):
        """Status, headers, cookies and body that come back, and the statements that were sent for them."""
        headers = {"host": "example.com"}
        if self.way == "session":
            if not self.client.cookies.get("sessionid", Morsel()).value:  # ended by the request before
                self.client.cookies.clear()
            session = self.client.session
            session["tenantkit_tenant"] = str(self.uid)
            session.save()
        if self.way.endswith("header"):
            headers["x-tenant-id"] = self.slug if self.way.startswith("slug") else str(self.uid)
        if self.who == "token":
            headers["authorization"] = "stranger"
        prefix = f"/t/{self.slug}" if self.way == "path" else ""
        with statements() as sent:
            response = self.send(f"{prefix}{path}", headers=headers)
            body = response.getvalue() if response.streaming else response.content
        head = response.serialize_headers().replace(self.slug.encode(), NOWHERE.encode())
        cookies = re.sub(r"=\w+; expires=[^;]*", "=...", response.cookies.output())
        return Seen(response.status_code, head, cookies, body, sent)


def twice(*visitors, path):
    """What each of them sees and causes who asks twice, nothing being remembered before."""
    for visitor in visitors:
        lookup.forget()
        access.forget()
        cache.clear()
        yield [visitor.ask(path) for _ in range(2)]


def both(who, way, elsewhere, sync=True):
    return Visitor(who, way, elsewhere.slug, elsewhere.uid, sync), Visitor(who, way, NOWHERE, uuid7(), sync)


def path_of(who):
    return {"token": "/api/customers/", "log-in": "/log-in/?user=stranger"}.get(who, "/plain/")


everybody = pytest.mark.parametrize("who", VISITORS)
all_ways = pytest.mark.parametrize("way", WAYS)
both_kinds = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])


@both_kinds
@everybody
@all_ways
@pytest.mark.parametrize("status", [TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE])
def test_nobody_can_tell_elsewhere_from_nowhere(elsewhere, who, way, sync, status):
    elsewhere.status = status
    operated(elsewhere.save)
    there, not_there = twice(*both(who, way, elsewhere, sync), path=path_of(who))
    assert there == not_there
    assert there[0].status == there[1].status == 404


@both_kinds
@all_ways
@pytest.mark.parametrize("who", ["anonymous", "stranger"])
@pytest.mark.parametrize("path", VIEWS)
def test_no_view_tells_elsewhere_from_nowhere(elsewhere, who, way, sync, path):
    there, not_there = twice(*both(who, way, elsewhere, sync), path=path)
    assert there == not_there
    assert there[0].status == ({"/optional/": 200, "/optional-data/": 400}.get(path, 301 if path == "/plain" else 404))


@everybody
@all_ways
@pytest.mark.parametrize("status", [TenantStatus.PROVISIONING, TenantStatus.ERASING, TenantStatus.ERASED])
def test_nobody_can_tell_a_tenant_that_is_gone_from_nowhere(elsewhere, who, way, status):
    elsewhere.status = status
    operated(elsewhere.save)
    gone, not_there = twice(*both(who, way, elsewhere), path=path_of(who))
    assert gone == not_there


@everybody
@pytest.mark.parametrize(
    "changed",
    [
        {"TENANTKIT_ACCESS_SECONDS": 0},
        {"TENANTKIT_LOOKUP_SECONDS": 0},
        {"TENANTKIT_PUBLIC_URLCONF": "tests.requests.public_urls"},
        {"TENANTKIT_TENANT_REQUIRED": True},
        {"TENANTKIT_ACCESS_POLICY": "tests.requests.test_elsewhere_and_nowhere.asks_the_tenant"},
        {"SESSION_SAVE_EVERY_REQUEST": True},
        {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
        {"CSRF_USE_SESSIONS": True},
    ],
    ids=lambda changed: " ".join(changed),
)
def test_no_setting_tells_elsewhere_from_nowhere(elsewhere, settings, who, changed):
    for name, value in changed.items():
        setattr(settings, name, value)
    there, not_there = twice(*both(who, "slug in a header", elsewhere), path=path_of(who))
    assert there == not_there


def asks_the_tenant(user, tenant):
    """A policy."""
    return tenant.memberships.filter(user=user).exists() and tenant.is_active


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("path", ["/plain/", "/later/", "/broken/", "/kept-session/", "/log-in/?user=stranger"])
def test_no_transaction_tells_elsewhere_from_nowhere(elsewhere, monkeypatch, atomic, path):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)
    there, not_there = twice(*both("anonymous", "path", elsewhere), path=path)
    assert there == not_there
    assert there[0].status == 404


@all_ways
def test_the_comparison_sees_a_difference(elsewhere, stranger, way):
    Membership.objects.create(user=stranger, tenant=elsewhere)
    there, not_there = twice(*both("stranger", way, elsewhere), path="/plain/")
    assert [seen.status for seen in there + not_there] == [200, 200, 404, 404]
    assert there[0].statements != not_there[0].statements or there[0].body != not_there[0].body


# -- what is left of a request that was refused


@pytest.mark.parametrize("name", ["globex", NOWHERE])
@pytest.mark.parametrize("path", ["/kept-session/", "/form/", "/log-in/?user=stranger"])
@pytest.mark.parametrize("always", [True, False])
def test_a_refusal_sets_no_cookie_and_leaves_no_session(client, elsewhere, settings, name, path, always):
    settings.SESSION_SAVE_EVERY_REQUEST = always
    answer = client.get(f"/t/{name}{path}", headers={"host": "example.com"})
    assert (answer.status_code, answer.cookies.output()) == (404, "")
    assert not Session.objects.exists()


@pytest.mark.parametrize("name", ["globex", NOWHERE])
@pytest.mark.parametrize("path", ["/cached/", "/cached-varied/"])
@pytest.mark.parametrize("way", ["path", "slug in a header"])
def test_a_refusal_leaves_no_page_behind(elsewhere, name, path, way):
    visitor = Visitor("anonymous", way, name, uuid7())
    visitor.ask(path)
    visitor.ask(path)
    assert cache.get("made") == 2


# -- who may not be told apart either: those whom the policy lets in


def anybody(user, tenant):
    """A policy."""
    return True


def only_sees_rows(user, tenant):
    """A policy that fails where a tenant's own row is missing."""
    return Tenant.objects.get(pk=tenant.pk).is_active


@pytest.mark.parametrize("policy", ["anybody", "only_sees_rows"])
@pytest.mark.parametrize("path", ["/", "/plain/", "/api/customers/", "/api/no-data/"])
@pytest.mark.parametrize("who", ["stranger", TOKEN])
def test_whatever_the_policy_says_nobody_gets_into_nowhere(elsewhere, settings, policy, path, who):
    settings.TENANTKIT_ACCESS_POLICY = f"tests.requests.test_elsewhere_and_nowhere.{policy}"
    _, not_there = twice(*both(who, "slug in a header", elsewhere), path=path)
    assert {seen.status for seen in not_there} == {404}


def test_the_policy_lets_into_elsewhere(elsewhere, settings):
    settings.TENANTKIT_ACCESS_POLICY = "tests.requests.test_elsewhere_and_nowhere.anybody"
    assert Visitor("stranger", "path", "globex", elsewhere.uid).ask().status == 200


def test_unknown_is_unknown_where_denied_is_answered_in_another_way(elsewhere, settings):
    settings.TENANTKIT_RESPONSES = {"denied": 403}
    there, not_there = twice(*both("stranger", "path", elsewhere), path="/plain/")
    assert (there[0].status, not_there[0].status) == (403, 404)


def test_the_log_tells_them_apart(elsewhere, stranger, caplog):
    with caplog.at_level(logging.WARNING, "django_tenantkit.security"):
        list(twice(*both("stranger", "path", elsewhere), path="/plain/"))
    told = [record.getMessage() for record in caplog.records if record.name == "django_tenantkit.security"]
    who = f"user {stranger.pk} may not act in tenant"
    assert told[::2] == [f"{who} globex: '/t/globex/plain/'", f"{who} 'nosuch', which is unknown: '/t/nosuch/plain/'"]


def test_a_made_up_name_cannot_forge_a_line_of_the_log(client, db, caplog):
    client.get("/t/x%0Auser 1 was let in/plain/", headers={"host": "example.com"})
    assert "\n" not in next(r.getMessage() for r in caplog.records if r.name == "django_tenantkit.security")
