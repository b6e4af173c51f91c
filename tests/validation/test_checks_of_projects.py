"""Each fault of the settings that a check can see. A project without faults is clean."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import run_checks
from django.db import connection
from django.db.backends.sqlite3 import base as plain_sqlite
from django.db.models.sql import compiler as plain_compilers

from django_tenantkit.checks import databases, requests
from django_tenantkit.checks.settings import PATHS, SETTINGS
from django_tenantkit.hosts import TenantHosts
from tests.testapp.models import Customer, Invoice

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
USERS = "django.contrib.auth.middleware.AuthenticationMiddleware"
TENANTS = "django_tenantkit.middleware.TenantMiddleware"
CACHE = "django.middleware.cache.FetchFromCacheMiddleware"
RESOLVER = "django_tenantkit.resolvers.{}Resolver".format
ROUTER = "django_tenantkit.routers.TenantRouter"

CLEAN = {
    "MIDDLEWARE": [SESSIONS, "django.middleware.common.CommonMiddleware", USERS, TENANTS],
    "ALLOWED_HOSTS": [".example.com"],
}


class OtherRouter:
    """Has no opinion on anything."""


FAULTS = {
    "E103": {"DATABASE_ROUTERS": []},
    "W104": {"DATABASE_ROUTERS": [f"{__name__}.OtherRouter", ROUTER]},
    "E201": {"TENANTKIT_RESOLVER": []},
    "E202": {"TENANTKIT_RESOLVERS": RESOLVER("Subdomain")},
    "E202 number": {"TENANTKIT_LOOKUP_SIZE": "many"},
    "E202 truth": {"TENANTKIT_SLUG_QUARANTINE": True},
    "E202 items": {"TENANTKIT_RESERVED_NAMES": [7]},
    "E202 union": {"TENANTKIT_BASE_DOMAIN": ["example.com", None]},
    "E202 none": {"TENANTKIT_ACCESS_POLICY": None},
    "E202 mapping": {"TENANTKIT_RESPONSES": {"unknown": None}},
    "E203": {"TENANTKIT_RESOLVERS": ["django_tenantkit.resolvers.SubdomainResolvr"]},
    "E203 policy": {"TENANTKIT_ACCESS_POLICY": f"{__name__}.CLEAN"},
    "E203 urlconf": {"TENANTKIT_PUBLIC_URLCONF": "tests.nowhere"},
    "E203 package": {"TENANTKIT_PUBLIC_URLCONF": "nowhere.urls"},
    "E204": {"TENANTKIT_TENANT_MODEL": "testapp.Region"},
    "E204 missing": {"TENANTKIT_DOMAIN_MODEL": "nowhere.Domain"},
    "E205": {"TENANTKIT_RETRY_AFTER": -1},
    "E205 scheme": {"TENANTKIT_BASE_DOMAIN": "https://example.com"},
    "E205 port": {"TENANTKIT_BASE_DOMAIN": ["example.com", "example.org:8000"]},
    "E205 dot": {"TENANTKIT_BASE_DOMAIN": ".example.com"},
    "E205 case": {"TENANTKIT_RESPONSES": {"unknwon": 404}},
    "E205 status": {"TENANTKIT_RESPONSES": {"unknown": 200}},
    "E207": {"TENANTKIT_RESOLVERS": [f"{__name__}.OtherRouter"]},
    "E208": {"TENANTKIT_STORES": [f"{__name__}.OtherRouter"]},
    "E301": {"MIDDLEWARE": [SESSIONS, USERS]},
    "E302": {"MIDDLEWARE": [SESSIONS, TENANTS, USERS]},
    "E302 sessions": {"MIDDLEWARE": [TENANTS, SESSIONS]},
    "E303": {"MIDDLEWARE": [CACHE, SESSIONS, USERS, TENANTS]},
    "E304": {"MIDDLEWARE": [TENANTS], "TENANTKIT_RESOLVERS": [RESOLVER("Session")]},
    "E305": {"SESSION_ENGINE": f"{__name__}.sessions", "TENANTKIT_RESOLVERS": [RESOLVER("Session")]},
    "W306": {"SESSION_COOKIE_DOMAIN": ".example.com"},
    "W306 csrf": {"CSRF_COOKIE_DOMAIN": "example.com"},
    "W306 above": {"SESSION_COOKIE_DOMAIN": "example.com", "TENANTKIT_BASE_DOMAIN": "apps.example.com"},
    "W307": {"CSRF_TRUSTED_ORIGINS": ["https://*.example.com"]},
    "W307 above": {"CSRF_TRUSTED_ORIGINS": ["https://*.com"]},
    "W308": {"TENANTKIT_RESOLVERS": [RESOLVER("Path")]},
}

DEPLOY_FAULTS = {
    "W206": {"TENANTKIT_BASE_DOMAIN": "localhost"},
    "W206 among others": {"TENANTKIT_BASE_DOMAIN": ["example.com", "localhost"]},
    "W309": {"ALLOWED_HOSTS": ["*"]},
}

FINE = {
    "no sessions": {"MIDDLEWARE": [TENANTS]},
    "cache behind": {"MIDDLEWARE": [SESSIONS, USERS, TENANTS, CACHE]},
    "tuples": {"TENANTKIT_RESERVED_NAMES": ("www",), "TENANTKIT_BASE_DOMAIN": ("example.com",)},
    "shared sessions": {"TENANTKIT_RESOLVERS": [RESOLVER("Session")]},
    "cookies of one host": {"SESSION_COOKIE_DOMAIN": "accounts.example.com"},
    "origins elsewhere": {"CSRF_TRUSTED_ORIGINS": ["https://example.com", "https://*.example.org"]},
    "hosts of tenants": {"CSRF_TRUSTED_ORIGINS": TenantHosts(), "ALLOWED_HOSTS": TenantHosts()},
    "answers": {"TENANTKIT_RESPONSES": {"unknown": "https://www.example.com/", "missing": 403}},
    "public URLconf": {"TENANTKIT_PUBLIC_URLCONF": "tests.urls"},
}


@pytest.fixture(autouse=True)
def project_without_faults(settings):
    gc.collect()  # classes of other tests, which the checks of DRF would find
    for name, value in CLEAN.items():
        setattr(settings, name, value)


@pytest.fixture
def tenants_sessions(monkeypatch):
    """A session engine whose sessions are rows of tenants."""
    store = type("SessionStore", (), {"get_model_class": classmethod(lambda cls: Customer)})
    monkeypatch.setattr(requests, "import_module", lambda path: SimpleNamespace(SessionStore=store))


def found(**options):
    """The ids of what our checks say of everything but the engine that the tests run on."""
    messages = run_checks(tags=["tenantkit"], **options)
    assert all(message.hint for message in messages)
    return {message.id.removeprefix("tenantkit.") for message in messages} - {"W105"}


def change(settings, values):
    for name, value in values.items():
        setattr(settings, name, value)


def test_a_project_without_faults_is_clean():
    assert found(include_deployment_checks=True) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, settings, request):
    if fault == "E305":
        request.getfixturevalue("tenants_sessions")
    change(settings, FAULTS[fault])
    assert found() == {fault.split()[0]}


@pytest.mark.parametrize("fault", DEPLOY_FAULTS)
def test_a_fault_of_deployments_is_found_with_deploy_only(fault, settings):
    change(settings, DEPLOY_FAULTS[fault])
    assert found() == set()
    assert found(include_deployment_checks=True) == {fault.split()[0]}


@pytest.mark.parametrize("shape", FINE)
def test_what_is_no_fault_is_not_reported(shape, settings):
    change(settings, FINE[shape])
    assert found(include_deployment_checks=True) == set()


def test_a_misspelt_setting_is_told_the_right_one(settings):
    settings.TENANTKIT_BASE_DOMAINE = "example.com"
    (message,) = run_checks(tags=["tenantkit"])
    assert message.hint == "Did you mean TENANTKIT_BASE_DOMAIN?"


class OwnSessions(SessionMiddleware):
    """What a project makes of Django's."""


def test_subclasses_of_middleware_count(settings):
    settings.MIDDLEWARE = [TENANTS, f"{__name__}.OwnSessions"]
    assert found() == {"E302"}


def test_every_setting_that_is_a_dotted_path_is_imported():
    def is_path(value):
        return isinstance(value, str) and value.startswith("django_tenantkit.") and value.count(".") > 1

    dotted = {
        name
        for name, setting in SETTINGS.items()
        if any(map(is_path, setting.default if isinstance(setting.default, list) else [setting.default]))
    }
    assert dotted <= set(PATHS)


def engine(operations):
    """A connection, as far as the checks look at it."""
    return SimpleNamespace(ops=operations, vendor="sqlite", settings_dict={"ENGINE": "other.engine"})


@pytest.fixture
def other_database(monkeypatch):
    """A second alias in DATABASES, which nobody connects to."""

    ours = engine(connection.ops)

    def add(other):
        monkeypatch.setattr(databases, "connections", {"default": ours, "other": other})

    return add


def test_a_foreign_engine_is_found_under_any_alias(other_database):
    plain = plain_sqlite.DatabaseWrapper({**connection.settings_dict, "ENGINE": "django.db.backends.sqlite3"}, "other")
    other_database(plain)
    (message,) = databases.engines()
    assert message.id == "tenantkit.E101"
    assert "DATABASES['other'] uses django.db.backends.sqlite3" in message.msg


def test_an_engine_with_a_plain_compiler_is_found(other_database):
    class Operations:
        scopes_tenants = True
        compiler_module = "other.compiler"

        def compiler(self, name):
            plain = name == "SQLDeleteCompiler"
            return getattr(plain_compilers, name) if plain else connection.ops.compiler(name)

    other_database(engine(Operations()))
    (message,) = databases.engines()
    assert message.id == "tenantkit.E102"
    assert "SQLDeleteCompiler of other.compiler" in message.msg


def test_sqlite_says_what_it_does_not_have(other_database):
    other_database(engine(None))
    assert {message.id for message in databases.guards()} == {"tenantkit.W105"}


@pytest.mark.django_db
def test_tables_as_they_are_made_are_clean():
    assert found(databases=["default"]) == set()


@pytest.mark.django_db
def test_a_table_without_the_tenants_column_is_found(monkeypatch):
    field = Invoice.tags.through._meta.get_field("tenant")
    monkeypatch.setattr(field, "column", "organisation_id")
    (message,) = run_checks(tags=["database"], databases=["default"])
    assert message.id == "tenantkit.W106"
    assert "testapp_invoice_tags" in message.msg


def test_databases_are_looked_into_only_when_asked(monkeypatch):
    looked_into = []
    monkeypatch.setattr(databases, "columns", lambda alias: looked_into.append(alias) or {})
    run_checks(tags=["tenantkit"])
    assert looked_into == []
    run_checks(tags=["tenantkit"], databases=["default"])
    assert looked_into == ["default"]


def test_the_checks_have_djangos_tags_too(settings):
    settings.SESSION_COOKIE_DOMAIN = "example.com"
    assert "tenantkit.W306" in {message.id for message in run_checks(tags=["security"])}
