"""Under ASGI: the same decisions, and no change of threads once the tenant is known."""

from __future__ import annotations

import threading

import pytest
from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.asgi import ASGIRequest

from django_tenantkit import get_current_tenant, lookup
from django_tenantkit.lookup import Name
from django_tenantkit.middleware import TenantMiddleware
from django_tenantkit.models import TenantStatus
from django_tenantkit.resolvers import Resolver
from tests.aio import in_this_thread
from tests.operating import operated
from tests.requests.conftest import AsyncHostClient, logged_in

ACME = {"host": "acme.example.com"}
BY_HEADER = {"host": "example.com", "x-tenant-id": "acme"}
RESOLVERS = [f"django_tenantkit.resolvers.{kind}Resolver" for kind in ("Domain", "Subdomain", "Header", "Session")]


@pytest.fixture(autouse=True)
def _resolvers(settings):
    settings.TENANTKIT_RESOLVERS = RESOLVERS


@sync_to_async
def session_of(user, tenant=None):
    """A client with a session of `user`, begun at the host of `tenant`."""
    client = AsyncHostClient()
    client.cookies = logged_in(user, tenant).cookies
    return client


@pytest.mark.parametrize("path", ["/", "/ahome/"])
@in_this_thread
async def test_the_tenant_is_found(path, acme):
    answer = await AsyncHostClient().get(path, headers=ACME)
    assert (answer.json()["tenant"], answer.json()["customers"]) == ("acme", 1)
    assert get_current_tenant() is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "nosuch.example.com"}, 404),
        ({"host": "example.com", "x-tenant-id": "a b"}, 400),
        ({**ACME, "x-tenant-id": "other"}, 400),
        (BY_HEADER, 404),
        ({"host": "example.com"}, 400),
    ],
)
@in_this_thread
async def test_requests_are_refused(headers, status, acme):
    assert (await AsyncHostClient().get("/required/", headers=headers)).status_code == status


@pytest.mark.parametrize("path", ["/ahome/", "/optional-data/"])
@in_this_thread
async def test_errors_of_views_are_answered(path, acme):
    expected = 404 if path == "/ahome/" else 400
    assert (await AsyncHostClient().get(path, headers=BY_HEADER)).status_code == expected


@in_this_thread
async def test_a_member_is_let_in(acme, member):
    client = await session_of(member)
    assert (await client.get("/ahome/", headers=BY_HEADER)).json()["customers"] == 1


@in_this_thread
async def test_a_stranger_is_not(acme, stranger):
    for path in ("/ahome/", "/athread/", "/nosuch/"):
        client = await session_of(stranger, acme)
        assert (await client.get(path, headers=ACME)).status_code == 404


@in_this_thread
async def test_an_optional_view_has_no_tenant_for_a_stranger(acme, stranger):
    client = await session_of(stranger, acme)
    assert (await client.get("/optional/", headers=ACME)).content == b"optional None None "


@in_this_thread
async def test_the_user_can_be_looked_at_in_a_coroutine(acme, member):
    client = await session_of(member, acme)
    assert (await client.get("/auser/", headers=ACME)).content == b"member member"


@pytest.mark.django_db
def test_the_user_is_loaded_once(acme, member, django_assert_num_queries):
    @in_this_thread
    async def ask():
        assert (await client.get("/auser/", headers=ACME)).content == b"member member"

    client = async_to_sync(session_of)(member, acme)
    ask()
    with django_assert_num_queries(2):  # the session and its user
        ask()


@in_this_thread
async def test_a_session_of_another_host_is_void(acme, globex, member):
    client = await session_of(member, globex)
    assert (await client.get("/auser/", headers=ACME)).content == b" "


@in_this_thread
async def test_a_log_in_is_bound_to_the_host(acme, member):
    client = AsyncHostClient()
    await client.get("/alog-in/?user=member", headers=ACME)
    assert (await client.get("/auser/", headers=ACME)).content == b"member member"
    assert (await client.get("/auser/", headers={"host": "example.com"})).content != b"member member"


@in_this_thread
async def test_a_log_in_where_one_may_not_be_ends_logged_out(acme, stranger):
    client = AsyncHostClient()
    assert (await client.get("/alog-in/?user=stranger", headers=ACME)).status_code == 404
    assert (await client.get("/athread/", headers=ACME)).status_code == 200


@in_this_thread
async def test_a_suspended_tenant_is_forbidden(acme):
    acme.status = TenantStatus.SUSPENDED
    await sync_to_async(operated)(acme.save)
    assert (await AsyncHostClient().get("/ahome/", headers=ACME)).status_code == 403


class SlowResolver(Resolver):
    """Asks a database, without knowing of coroutines."""

    def name(self, request):
        lookup._objects("django_tenantkit.Tenant").exists()
        return Name("slug", "acme")


@in_this_thread
async def test_a_resolver_that_asks_a_database_does_so_in_a_thread(acme, settings, rf):
    request = rf.get("/")
    with pytest.raises(SynchronousOnlyOperation):
        SlowResolver().name(request)
    assert await SlowResolver().aname(request) == Name("slug", "acme")


@pytest.fixture
def hops(monkeypatch):
    """The functions that were called in other threads."""
    called = []
    call = SyncToAsync.__call__

    def counted(self, *args, **kwargs):
        called.append(self.func)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    return called


def a_request():
    scope = {"method": "GET", "path": "/", "headers": [(b"host", b"acme.example.com")]}
    return ASGIRequest(scope, None)


async def where(request):
    """A view, called as Django does: after `process_view`."""
    refusal = await middleware.process_view(request, where, (), {})
    assert refusal is None
    return (get_current_tenant().slug, threading.get_ident())


class Answer:
    streaming = False

    def __init__(self, found):
        self.found = found
        self.headers = {}

    def has_header(self, name):
        return False


async def answered(request):
    return Answer(await where(request))


middleware = TenantMiddleware(answered)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("resolvers", [RESOLVERS[:2], RESOLVERS[:3]])
async def test_a_known_tenant_costs_no_change_of_threads(hops, settings, resolvers):
    settings.TENANTKIT_RESOLVERS = resolvers
    await lookup.apps.get_model("django_tenantkit.Tenant").objects.acreate(slug="acme", name="Acme")
    await middleware(a_request())
    hops.clear()
    answer = await middleware(a_request())
    assert answer.found == ("acme", threading.get_ident())
    assert hops == []


@pytest.mark.django_db(transaction=True)
async def test_the_twins_find_the_same_tenants():
    tenants = lookup.apps.get_model("django_tenantkit.Tenant").objects
    acme = await tenants.acreate(slug="acme", name="Acme")
    assert await lookup.afind_by_slug("acme") == acme
    assert await lookup.afind_by_uid(acme.uid) == acme
    assert await lookup.afind_by_domain("app.acme.org") is None
