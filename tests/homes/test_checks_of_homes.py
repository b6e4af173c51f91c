"""Each fault that a check can see in where tenants' rows live."""

from __future__ import annotations

import pytest
from django.db import connection

from django_tenantkit.checks import homes

SCHEMAS = {"TENANTKIT_ISOLATIONS": ["schema"], "TENANTKIT_ROW_SCHEMA": "rows"}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
APART = {"default": {**CACHES["default"], "KEY_FUNCTION": "django_tenantkit.caches.tenant_key"}}
OWN_USERS = {"TENANTKIT_ACCESS_POLICY": "django_tenantkit.access.own_users"}
#: Everything of Django's in each tenant's home, and of the tests' applications what refers to that.
ALL = ["admin", "auth", "contenttypes", "sessions", "testapp", "presets"]

FAULTS = {
    "E601": {"TENANTKIT_ISOLATIONS": ["rows"]},
    "E601 none": {"TENANTKIT_ISOLATIONS": []},
    "E602": {"TENANTKIT_ISOLATIONS": ["row", "schema"], "TENANTKIT_ROW_SCHEMA": None},
    "E602 public": {"TENANTKIT_ISOLATIONS": ["schema"], "TENANTKIT_ROW_SCHEMA": "public"},
    "E603": {**SCHEMAS, "TENANTKIT_TENANT_APPS": ["nowhere"]},
    "E603 a module": {**SCHEMAS, "TENANTKIT_TENANT_APPS": ["django.contrib.sessions"]},
    "E603 our own": {**SCHEMAS, "TENANTKIT_TENANT_APPS": ["django_tenantkit"]},
    "E604": {**SCHEMAS, "TENANTKIT_ISOLATIONS": ["row", "schema"], "TENANTKIT_TENANT_APPS": ["sessions"]},
    "E607": {**SCHEMAS, "TENANTKIT_TENANT_APPS": ALL},
    "E608": {**SCHEMAS, **OWN_USERS, "TENANTKIT_TENANT_APPS": ALL, "TENANTKIT_BIND_SESSIONS": False},
    "W609": {**SCHEMAS, "TENANTKIT_TENANT_APPS": ["sessions"], "CACHES": CACHES},
    "E610": {"TENANTKIT_ROW_SCHEMA": "pg_rows"},
    "E610 a tenant's": {"TENANTKIT_ROW_SCHEMA": "t_0123"},
    "E610 capitals": {"TENANTKIT_ROW_SCHEMA": "Rows"},
}

FINE = {
    "row tenants": {},
    "row tenants in a schema": {"TENANTKIT_ROW_SCHEMA": "rows"},
    "schemas": SCHEMAS,
    "sessions": {**SCHEMAS, "TENANTKIT_TENANT_APPS": ["sessions"]},
    "all": {**SCHEMAS, **OWN_USERS, "TENANTKIT_TENANT_APPS": ALL},
    "a cache that keeps nothing": {
        **SCHEMAS,
        "TENANTKIT_TENANT_APPS": ["sessions"],
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
    },
}

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="without schemas everything is a fault")


@pytest.fixture(autouse=True)
def project(settings):
    settings.CACHES = APART
    settings.TENANTKIT_ISOLATIONS = ["row"]
    settings.TENANTKIT_ROW_SCHEMA = None


def found(settings, values):
    for name, value in values.items():
        setattr(settings, name, value)
    messages = homes.check_homes()
    assert all(message.hint for message in messages)
    return {message.id.removeprefix("tenantkit.") for message in messages}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, settings):
    assert found(settings, FAULTS[fault]) == {fault.split()[0]}


@pytest.mark.parametrize("shape", FINE)
def test_what_is_no_fault_is_not_reported(shape, settings):
    assert found(settings, FINE[shape]) == set()


def test_schemas_are_postgresqls(settings, monkeypatch):
    monkeypatch.setattr(connection, "vendor", "sqlite")
    assert found(settings, SCHEMAS) == {"E611"}


def at_models(settings, labels):
    settings.TENANTKIT_TENANT_APPS = labels
    return {
        (message.id.removeprefix("tenantkit."), message.msg.split()[0]) for message in homes.check_models_at_home(None)
    }


def test_a_shared_row_that_refers_to_a_home_is_found(settings):
    """E605. Our own memberships are no fault: E607 says what to do about them."""
    assert ("E605", "admin.LogEntry.user") in at_models(settings, ["auth", "contenttypes", "testapp", "presets"])
    assert ("E605", "auth.Permission.content_type") in at_models(settings, ["contenttypes"])
    assert at_models(settings, ALL) == set()


def test_half_a_row_that_all_tenants_would_share_is_found(settings):
    """E606."""
    settings.TENANTKIT_TENANT_APPS = ["elsewhere"]
    from django.contrib.auth.models import User

    child = type("Child", (User,), {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "elsewhere"})})
    try:
        (message,) = homes.halves_of_rows(child)
        assert message.id == "tenantkit.E606"
        assert "auth.User" in message.msg
    finally:
        del child._meta.apps.all_models["elsewhere"]
        child._meta.apps.clear_cache()
