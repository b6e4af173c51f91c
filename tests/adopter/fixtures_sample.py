"""The tests of an adopter, run by `tests/test_testing_plugin.py` in a pytest of their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.urls import path

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.models import Membership
from django_tenantkit.testing.client import TenantAsyncClient, TenantClient
from tests.testapp.models import Customer

User = get_user_model()


def slug_now() -> str | None:
    tenant = get_current_tenant()
    return None if tenant is None else tenant.slug


def seen(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"host": request.get_host(), "tenant": slug_now(), "user": request.user.get_username()})


async def aseen(request: HttpRequest) -> JsonResponse:
    user = await request.auser()
    return JsonResponse({"host": request.get_host(), "tenant": slug_now(), "user": user.get_username()})


def elsewhere(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect("http://globex.example.com/")


urlpatterns = [path("", seen), path("async/", aseen), path("elsewhere/", elsewhere)]
pytestmark = pytest.mark.urls(__name__)


DJANGOS = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


@pytest.fixture(autouse=True)
def middleware(settings: Any) -> None:
    """Django's alone: what the views see is what the client sends."""
    settings.MIDDLEWARE = DJANGOS


@pytest.fixture
def site(settings: Any, middleware: None) -> None:
    """Ours too, as a project has it."""
    settings.MIDDLEWARE = [*DJANGOS, "django_tenantkit.middleware.TenantMiddleware"]


@pytest.fixture
def logins() -> Any:
    """The tenants in which somebody logged in."""
    slugs: list[str | None] = []

    def receive(**kwargs: Any) -> None:
        slugs.append(slug_now())

    user_logged_in.connect(receive)
    yield slugs
    user_logged_in.disconnect(receive)


def test_two_tenants(tenant: Any, other_tenant: Any) -> None:
    assert (tenant.slug, other_tenant.slug) == ("acme", "globex")
    assert tenant.is_active
    assert other_tenant.is_active


def test_a_tenant_is_not_entered_by_itself(tenant: Any) -> None:
    assert get_current_tenant() is None


def test_a_tenant_can_be_entered(in_tenant: Any, tenant: Any) -> None:
    assert get_current_tenant() == in_tenant == tenant


@pytest.mark.usefixtures("in_tenant")
def test_nothing_crosses_the_line(other_tenant: Any) -> None:
    Customer.objects.create(name="Ann")
    with tenant_context(other_tenant):
        assert not Customer.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("in_tenant")
async def test_a_coroutine_runs_in_the_tenant_too() -> None:
    await Customer.objects.acreate(name="Ann")
    assert slug_now() == "acme"


def test_the_test_before_left_no_tenant() -> None:
    assert get_current_tenant() is None


def test_the_client_is_at_the_tenants_host(tenant_client: TenantClient) -> None:
    assert tenant_client.get("/").json()["host"] == "acme.example.com"


def test_a_request_can_name_another_host(tenant_client: TenantClient) -> None:
    assert tenant_client.get("/", headers={"host": "www.example.com"}).json()["host"] == "www.example.com"


def test_a_client_made_for_another_host_stays_there(tenant: Any) -> None:
    client = TenantClient(tenant, headers={"host": "www.example.com"})
    assert client.get("/").json()["host"] == "www.example.com"


def test_a_redirect_to_another_host_goes_there(tenant_client: TenantClient) -> None:
    assert tenant_client.get("/elsewhere/", follow=True).json()["host"] == "globex.example.com"


def test_a_request_starts_with_no_tenant(in_tenant: Any, tenant_client: TenantClient) -> None:
    assert tenant_client.get("/").json()["tenant"] is None
    assert slug_now() == "acme"


def test_a_login_happens_in_the_tenant(tenant_client: TenantClient, logins: list[str]) -> None:
    user = User.objects.create_user("ann", password="secret")
    tenant_client.force_login(user)
    assert tenant_client.login(username="ann", password="secret")
    assert logins == ["acme", "acme"]
    assert tenant_client.get("/").json()["user"] == "ann"


def test_a_client_without_a_tenant_is_an_ordinary_one(db: None, logins: list[str]) -> None:
    client = TenantClient()
    client.force_login(User.objects.create_user("ann"))
    assert logins == [None]
    assert client.get("/").json() == {"host": "testserver", "tenant": None, "user": "ann"}


async def test_the_async_client_is_at_the_tenants_host(async_tenant_client: TenantAsyncClient) -> None:
    assert (await async_tenant_client.get("/async/")).json()["host"] == "acme.example.com"


async def test_an_async_request_can_name_another_host(async_tenant_client: TenantAsyncClient) -> None:
    response = await async_tenant_client.get("/async/", headers={"host": "www.example.com"})
    assert response.json()["host"] == "www.example.com"


async def test_an_async_login_happens_in_the_tenant(async_tenant_client: TenantAsyncClient, logins: list[str]) -> None:
    user = await User.objects.acreate_user("ann", password="secret")
    await async_tenant_client.aforce_login(user)
    assert await async_tenant_client.alogin(username="ann", password="secret")
    assert logins == ["acme", "acme"]
    assert (await async_tenant_client.get("/async/")).json()["user"] == "ann"


def test_a_member_gets_in(site: None, tenant: Any, tenant_client: TenantClient) -> None:
    ann = User.objects.create_user("ann")
    Membership.objects.create(tenant=tenant, user=ann)
    tenant_client.force_login(ann)
    expected = {"host": "acme.example.com", "tenant": "acme", "user": "ann"}
    assert tenant_client.get("/").json() == expected


def test_somebody_else_does_not(site: None, tenant: Any, tenant_client: TenantClient) -> None:
    tenant_client.force_login(User.objects.create_user("eve"))
    assert tenant_client.get("/").status_code == 404


def test_a_session_begun_at_one_tenant_is_void_at_the_other(
    site: None, tenant: Any, other_tenant: Any, tenant_client: TenantClient
) -> None:
    ann = User.objects.create_user("ann")
    for each in (tenant, other_tenant):
        Membership.objects.create(tenant=each, user=ann)
    tenant_client.force_login(ann)
    tenant_client.tenant = other_tenant
    assert tenant_client.get("/").json() == {"host": "globex.example.com", "tenant": "globex", "user": ""}


async def test_a_member_gets_in_under_asgi(site: None, tenant: Any, async_tenant_client: TenantAsyncClient) -> None:
    ann = await User.objects.acreate_user("ann")
    await Membership.objects.acreate(tenant=tenant, user=ann)
    await async_tenant_client.aforce_login(ann)
    expected = {"host": "acme.example.com", "tenant": "acme", "user": "ann"}
    assert (await async_tenant_client.get("/async/")).json() == expected


def test_drf_has_such_a_client_too(tenant: Any, logins: list[str]) -> None:
    drf = pytest.importorskip("django_tenantkit.testing.drf")
    client = drf.TenantAPIClient(tenant)
    client.force_login(User.objects.create_user("ann"))
    assert logins == ["acme"]
    assert client.get("/").json() == {"host": "acme.example.com", "tenant": None, "user": "ann"}
