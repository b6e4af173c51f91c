"""The registry of stores, and the stores of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache, caches
from django.core.cache.backends.redis import RedisCache
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.own_stores.caches import Caches
from django_tenantkit.lifecycle.own_stores.files import Files
from django_tenantkit.lifecycle.own_stores.sessions import Sessions
from django_tenantkit.lifecycle.reach import system_of
from django_tenantkit.lifecycle.stores import PARTS, Store, stores
from django_tenantkit.sessions import BOUND_TO
from django_tenantkit.testing.tenants import make_tenant
from tests.erasing.papers.models import Folder, Paper
from tests.requests.conftest import logged_in
from tests.services import redis


class SearchIndex(Store):
    """A store of the project's."""

    def erase(self, tenant: Any) -> None: ...


def test_those_of_the_project_come_behind_ours(settings):
    settings.TENANTKIT_STORES = [f"{__name__}.SearchIndex"]
    assert [type(store) for store in stores()] == [Files, Caches, Sessions, SearchIndex]


def test_a_store_is_called_by_its_path():
    assert SearchIndex().name == f"{__name__}.SearchIndex"


def test_a_store_takes_part_in_what_it_overrides():
    assert [part for part in PARTS if SearchIndex().takes_part(part)] == ["erase"]


def test_the_others_do_nothing():
    assert list(SearchIndex().remains(None)) == list(SearchIndex().unsearched(None)) == []


def test_one_that_is_not_there_is_no_reason_to_go_on(settings):
    settings.TENANTKIT_STORES = [f"{__name__}.SearchIndx"]
    with pytest.raises(ImportError):
        stores()


@pytest.mark.parametrize(("name", "number"), [("SearchIndx", "E203"), ("Session", "E208"), ("SearchIndex", "")])
def test_the_check_looks_at_them(settings, name, number):
    settings.TENANTKIT_STORES = [f"{__name__}.{name}"]
    found = [message.id for message in run_checks() if "TENANTKIT_STORES" in message.msg]
    assert found == ([f"tenantkit.{number}"] if number else [])


class TestCaches:
    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def tenants(self) -> Any:
        return make_tenant("acme", isolation="row"), make_tenant("globex", isolation="row")

    @pytest.fixture(params=["locmem.LocMemCache", "db.DatabaseCache"])
    def backend(self, request, settings, transactional_db) -> Any:
        function = {"KEY_FUNCTION": "django_tenantkit.caches.tenant_key"}
        path = f"django.core.cache.backends.{request.param}"
        settings.CACHES = {"default": {"BACKEND": path, "LOCATION": "cached", **function}}
        if in_database := request.param.startswith("db"):
            call_command("createcachetable", verbosity=0)
        cache.clear()
        yield caches["default"]
        if in_database:
            with system_of(connection), connection.cursor() as cursor:
                cursor.execute("DROP TABLE cached")

    def test_the_keys_of_one_tenant_go_and_no_others(self, backend, tenants):
        for tenant in tenants:
            with tenant_context(tenant):
                cache.set("greeting", tenant.slug)
        cache.set(f"{tenants[0].uid}:throttle", 5)
        acme, globex = tenants
        assert list(Caches().remains(acme)) == ["2 keys in the cache 'default'"]
        Caches().erase(acme)
        assert list(Caches().remains(acme)) == []
        with tenant_context(acme):
            assert cache.get("greeting") is None
        with tenant_context(globex):
            assert cache.get("greeting") == "globex"

    def test_keys_that_name_no_tenant_are_told(self, settings, tenants):
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        assert "KEY_FUNCTION is not tenant_key" in "".join(Caches().unsearched(tenants[0]))

    def test_redis_is_asked_for_keys_that_contain_the_uid(self, settings, tenants, monkeypatch):
        keys = {f"{tenants[0].uid.hex}::1:a", "other"}

        class Client:
            def scan_iter(self, match, count):
                return [key for key in keys if match.strip("*") in key]

            def delete(self, key):
                keys.remove(key)

        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://"}
        }
        connected = type("Connected", (), {"get_client": lambda self, write: Client()})()
        monkeypatch.setattr(RedisCache, "_cache", connected)
        Caches().erase(tenants[0])
        assert keys == {"other"}


@pytest.fixture(scope="module")
def location() -> Iterator[str]:
    if redis.find() is None:
        pytest.skip(redis.HOW_TO_INSTALL)
    with redis.start() as found:
        yield found


@pytest.mark.services
@pytest.mark.django_db
@pytest.mark.parametrize("version", [None, 7])
def test_a_real_redis_keeps_nothing_of_the_tenant(location: str, version: int | None, settings: Any) -> None:
    acme, globex = make_tenant("acme", isolation="row"), make_tenant("globex", isolation="row")
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": location,
            "KEY_FUNCTION": "django_tenantkit.caches.tenant_key",
            "KEY_PREFIX": "shop[1]*",
        }
    }
    for tenant in (acme, globex):
        with tenant_context(tenant):
            cache.set_many({f"key-{n}": tenant.slug for n in range(2500)}, version=version)
    with tenant_context(None):
        cache.set(f"throttle-of-{acme.uid}", 1)
    assert list(Caches().remains(acme)) == ["2501 keys in the cache 'default'"]
    Caches().erase(acme)
    assert (list(Caches().remains(acme)), list(Caches().unsearched(acme))) == ([], [])
    assert list(Caches().remains(globex)) == ["2500 keys in the cache 'default'"]
    with tenant_context(globex):
        assert cache.get("key-7", version=version) == "globex"
    cache.clear()


def stored(tmp_path: Any, engine: str, settings: Any) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)


@pytest.mark.parametrize("engine", ["db", "cached_db", "file"])
class TestSessions:
    pytestmark = pytest.mark.django_db

    @pytest.fixture(autouse=True)
    def tenants(self, engine, settings, tmp_path) -> Any:
        stored(tmp_path, engine, settings)
        self.acme, self.globex = make_tenant("acme", isolation="row"), make_tenant("globex", isolation="row")

    def test_those_that_were_begun_at_the_tenant_end(self):
        user = get_user_model().objects.create_user("ann")
        here, there = logged_in(user, self.acme), logged_in(user, self.globex)
        assert list(Sessions().remains(self.acme)) == ["1 sessions"]
        Sessions().erase(self.acme)
        assert list(Sessions().remains(self.acme)) == []
        assert (dict(here.session.items()), there.session[BOUND_TO]) == ({}, str(self.globex.uid))

    def test_those_that_remember_it_forget_it_and_go_on(self, settings):
        client = logged_in(get_user_model().objects.create_user("ann"))
        session = client.session
        session[settings.__dict__.get("TENANTKIT_SESSION_KEY", "tenantkit_tenant")] = str(self.acme.uid)
        session.save()
        Sessions().erase(self.acme)
        assert list(Sessions().remains(self.acme)) == []
        assert client.session["_auth_user_id"]


@pytest.mark.django_db
def test_sessions_that_have_ended_go_too():
    acme = make_tenant("acme", isolation="row")
    session = SessionStore()
    session[BOUND_TO] = str(acme.uid)
    session.set_expiry(-5)
    session.save()
    Sessions().erase(acme)
    assert not Session.objects.exists()


@pytest.mark.parametrize("engine", ["cache", "signed_cookies"])
def test_sessions_that_cannot_be_listed_are_told(engine, settings, tmp_path):
    stored(tmp_path, engine, settings)
    assert "count for nobody without the tenant" in "".join(Sessions().unsearched(None)).replace(
        "without the tenant they count for nobody", "count for nobody without the tenant"
    )


def paper(tenant: Any, file: str) -> None:
    """A paper with a file of that name."""
    with tenant_context(tenant), transaction.atomic():
        one = Paper(file=file)
        one.folder = Folder(name="all", cover_id=one.pk)
        Folder.objects.bulk_create([one.folder])
        one.save()


class TestFiles:
    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def tenants(self, transactional_db) -> Any:
        return make_tenant("acme", isolation="row"), make_tenant("globex", isolation="row")

    def test_the_files_of_one_tenant_go_and_no_others(self, tenants):
        names = [default_storage.save(f"papers/{tenant.slug}.txt", ContentFile(b"x")) for tenant in tenants]
        for tenant, name in zip(tenants, names, strict=True):
            paper(tenant, name)
        Files().erase(tenants[0])
        assert [default_storage.exists(name) for name in names] == [False, True]

    def test_a_file_that_another_tenant_names_too_stays(self, tenants):
        name = default_storage.save("papers/both.txt", ContentFile(b"x"))
        for tenant in tenants:
            paper(tenant, name)
        Files().erase(tenants[0])
        assert default_storage.exists(name)

    def test_a_file_of_which_the_law_keeps_the_row_stays(self, tenants, settings):
        name = default_storage.save("papers/a.txt", ContentFile(b"x"))
        paper(tenants[0], name)
        settings.TENANTKIT_ERASE_KEEP = {"papers.Paper": "tax law"}
        Files().erase(tenants[0])
        assert default_storage.exists(name)

    def test_one_that_is_gone_already_is_no_failure(self, tenants):
        paper(tenants[0], "papers/gone.txt")
        Files().erase(tenants[0])

    def test_what_is_kept_under_the_uid_is_found(self, tenants):
        name = default_storage.save(f"deep/{tenants[0].uid.hex}/a.txt", ContentFile(b"x"))
        assert list(Files().remains(tenants[0])) == [f"the file {name} in the default storage"]
        assert list(Files().remains(tenants[1])) == []
