"""Each tenant is counted by itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from django_tenantkit import tenant_context
from django_tenantkit.context import guarded_context
from django_tenantkit.contrib import drf_throttling as drf
from django_tenantkit.exceptions import TenantAccessDenied
from django_tenantkit.lookup import Name, stand_in
from tests.drf.api import InvoiceViewSet

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted_from_zero():
    cache.clear()


class Once:
    """Of each kind of throttle, one request a day."""

    THROTTLE_RATES = {"user": "1/day", "anon": "1/day", "tenant": "1/day", "reports": "1/day"}


class ByUser(Once, drf.TenantUserRateThrottle):
    pass


class ByAddress(Once, drf.TenantAnonRateThrottle):
    pass


class ByScope(Once, drf.TenantScopedRateThrottle):
    pass


class ByTenant(Once, drf.TenantRateThrottle):
    pass


class Plain(Once, UserRateThrottle):
    pass


@pytest.fixture
def user(db):
    return get_user_model().objects.create(username="user")


def ask(throttle, user=None):
    """The status of a request to a view with the throttle."""

    class View(APIView):
        throttle_classes = (throttle,)
        throttle_scope = "reports"

        def get(self, request):
            return Response()

    request = APIRequestFactory().get("/")
    if user is not None:
        force_authenticate(request, user)
    return View.as_view()(request).status_code


@pytest.mark.parametrize("throttle", [ByUser, ByScope, ByTenant])
def test_a_user_is_counted_in_each_tenant_by_itself(throttle, user, acme, globex):
    with tenant_context(acme):
        assert [ask(throttle, user), ask(throttle, user)] == [200, 429]
    with tenant_context(globex):
        assert ask(throttle, user) == 200


@pytest.mark.parametrize("throttle", [ByUser, ByAddress, ByScope, ByTenant])
def test_an_address_is_counted_in_each_tenant_by_itself(throttle, acme, globex):
    with tenant_context(acme):
        assert [ask(throttle), ask(throttle)] == [200, 429]
    with tenant_context(globex):
        assert ask(throttle) == 200


@pytest.mark.parametrize("throttle", [ByUser, ByAddress, ByScope])
def test_requests_without_a_tenant_are_counted_together(throttle, acme):
    assert [ask(throttle), ask(throttle)] == [200, 429]
    with tenant_context(acme):
        assert ask(throttle) == 200


def test_users_of_a_tenant_are_counted_each_by_themselves(user, acme):
    with tenant_context(acme):
        assert [ask(ByUser, user), ask(ByUser)] == [200, 200]


def test_a_tenant_is_counted_as_a_whole(user, acme):
    with tenant_context(acme):
        assert [ask(ByTenant, user), ask(ByTenant)] == [200, 429]


def test_without_a_tenant_there_is_none_to_count():
    assert [ask(ByTenant), ask(ByTenant)] == [200, 200]


def test_whoever_may_not_act_in_a_tenant_uses_up_nothing_of_it(user, acme):
    def refuse():
        raise TenantAccessDenied()

    with guarded_context(acme, refuse), pytest.raises(TenantAccessDenied):
        ask(ByTenant)
    with tenant_context(acme):
        assert ask(ByTenant, user) == 200


@pytest.mark.parametrize("throttle", [ByUser, ByAddress, ByScope])
def test_those_who_may_not_act_in_their_tenant_are_counted_together(throttle, acme, globex):
    def refuse():
        raise TenantAccessDenied()

    found = []
    for tenant in (acme, stand_in(Name("slug", "one")), stand_in(Name("slug", "another"))):
        with guarded_context(tenant, refuse):
            found.append(ask(throttle))
    assert found == [200, 429, 429]


def test_users_who_are_known_are_not_counted_by_address(user, acme):
    with tenant_context(acme):
        assert [ask(ByAddress, user), ask(ByAddress, user)] == [200, 200]


def test_the_plain_throttle_counts_all_tenants_together(user, acme, globex):
    with tenant_context(acme):
        assert ask(Plain, user) == 200
    with tenant_context(globex):
        assert ask(Plain, user) == 429


@pytest.mark.parametrize("forged", ["{uid}:throttle_user_127.0.0.1", "127.0.0.1_{uid}"])
def test_no_address_counts_in_another_tenants_name(forged, acme, globex):
    request = APIRequestFactory().get("/", headers={"x-forwarded-for": forged.format(uid=globex.uid)})
    request = Request(request)
    request.user = AnonymousUser()
    with tenant_context(acme):
        key = ByUser().get_cache_key(request, APIView())
    assert key.startswith(f"{acme.uid}:")


def test_through_the_middleware(acme, globex, settings, with_middleware, monkeypatch):
    settings.ROOT_URLCONF = "tests.drf.api"
    monkeypatch.setattr(InvoiceViewSet, "throttle_classes", [ByTenant])
    hosts = ["acme", "acme", "globex"]
    found = [APIClient(headers={"host": f"{host}.example.com"}).get("/invoices/").status_code for host in hosts]
    assert found == [200, 429, 200]


def test_they_can_be_named_in_the_settings_of_a_new_process():
    """There they are imported while DRF's views are being made."""
    code = (
        "import django; from django.conf import settings; "
        "settings.configure(INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'django_tenantkit'], "
        "DATABASES={'default': {'ENGINE': 'django_tenantkit.backends.sqlite3', 'NAME': ':memory:'}}, REST_FRAMEWORK="
        "{'DEFAULT_THROTTLE_CLASSES': ['django_tenantkit.contrib.drf_throttling.TenantUserRateThrottle']}); "
        "django.setup(); import rest_framework.views as v; print(v.APIView.throttle_classes[0].__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "TenantUserRateThrottle", run.stderr
