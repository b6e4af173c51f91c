"""Nothing here runs without Django REST framework."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
from django.core.cache import cache

from django_tenantkit import tenant_context
from django_tenantkit.models import Tenant
from tests.operating import operated

OPTIONAL = ("rest_framework", "django_filters")
collect_ignore_glob = [] if all(map(find_spec, OPTIONAL)) else ["test_*.py"]

MIDDLEWARE = "django_tenantkit.middleware.TenantMiddleware"


@pytest.fixture
def forgotten():
    """Classes that the test defines are gone after it: the checks look at every class there is."""
    yield
    gc.collect()


@pytest.fixture
def acme(db):
    return operated(Tenant.objects.create, slug="acme", name="Acme")


@pytest.fixture
def globex(db):
    return operated(Tenant.objects.create, slug="globex", name="Globex")


@pytest.fixture
def with_middleware(settings):
    """The middleware of a project, with ours behind the authentication's."""
    others = [path for path in settings.MIDDLEWARE if path != MIDDLEWARE]
    place = others.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    settings.MIDDLEWARE = [*others[:place], MIDDLEWARE, *others[place:]]


@pytest.fixture
def without_middleware(settings):
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if path != MIDDLEWARE]


@pytest.fixture(params=["in the tenant", "through the middleware"])
def api(request, acme, settings):
    """A client of acme's API. Either the test stands in the tenant, or the host names it."""
    from rest_framework.test import APIClient

    settings.ROOT_URLCONF = "tests.drf.api"
    cache.clear()
    through = request.param == "through the middleware"
    request.getfixturevalue("with_middleware" if through else "without_middleware")
    with nullcontext() if through else tenant_context(acme):
        yield APIClient(headers={"host": "acme.example.com"}) if through else APIClient()
