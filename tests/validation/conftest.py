"""Two tenants, and models that exist for one test."""

from __future__ import annotations

import gc

import pytest
from django.apps import apps

from django_tenantkit import tenant_context
from django_tenantkit.models import Tenant
from tests.operating import operated


@pytest.fixture
def planted():
    """Models that the test defines with `app_label = "testapp"` are forgotten after it."""
    models = apps.all_models["testapp"]
    before = dict(models)
    yield
    models.clear()
    models.update(before)
    apps.clear_cache()
    gc.collect()


@pytest.fixture
def acme(db):
    return operated(Tenant.objects.create, slug="acme", name="Acme")


@pytest.fixture
def globex(db):
    return operated(Tenant.objects.create, slug="globex", name="Globex")


@pytest.fixture
def in_acme(acme):
    """The test runs in acme."""
    with tenant_context(acme):
        yield acme
