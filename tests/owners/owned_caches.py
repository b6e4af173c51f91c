"""What a process keeps between requests is kept for each tenant, whatever threads and coroutines do meanwhile."""

from __future__ import annotations

import asyncio
import threading
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites import models as sites
from django.contrib.sites.models import Site
from django.core.cache import cache

from django_tenantkit import caches, get_current_tenant, tenant_context
from django_tenantkit.context import switched
from django_tenantkit.exceptions import TenantkitError
from tests.owners.books import shelves
from tests.owners.books.models import Book, Note
from tests.test_django_internals import digest


@pytest.fixture
def books(tenants):
    """A book with the key 1 in each."""
    for slug, tenant in tenants.items():
        with tenant_context(tenant):
            Book.objects.create(pk=1, title=f"of {slug}")
    return tenants


def in_turns(tenants, look):
    """What two threads get that look by turns, the second one between the first one's looks."""
    found, turn = {slug: [] for slug in tenants}, threading.Barrier(2)

    def work(slug, place):
        with tenant_context(tenants[slug]):
            for step in range(4):
                turn.wait(timeout=30)
                if step % 2 == place:
                    found[slug].append(look())

    threads = [threading.Thread(target=work, args=(slug, place)) for place, slug in enumerate(tenants)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_ids_have_drifted(tenants):
    found = {}
    for slug, tenant in tenants.items():
        with tenant_context(tenant):
            found[slug] = set(ContentType.objects.values_list("pk", "model"))
    assert {pk for pk, _ in found["acme"]} & {pk for pk, _ in found["globex"]}
    assert not found["acme"] & found["globex"]


def test_content_types_are_the_tenants(tenants):
    for _ in range(2):
        for tenant in tenants.values():
            with tenant_context(tenant):
                kept = ContentType.objects.get_for_model(Book)
                assert kept.pk == ContentType.objects.filter(model="book").values_list("pk", flat=True).get()
                assert ContentType.objects.get_for_id(kept.pk) == kept


def test_content_types_cost_one_query_for_each_tenant(tenants, django_assert_num_queries):
    with django_assert_num_queries(2):
        for _ in range(3):
            for tenant in tenants.values():
                with tenant_context(tenant):
                    ContentType.objects.get_for_model(Book)


def test_generic_keys_name_what_they_name(books):
    for tenant in books.values():
        with tenant_context(tenant):
            Note.objects.create(text="read", writer_id=5, about=Book.objects.get())
            Note.objects.create(text="seen", writer_id=5, about=ContentType.objects.get(model="note"))
    for slug, tenant in books.items():
        with tenant_context(tenant):
            assert Note.objects.get(text="read").about.title == f"of {slug}"
            assert Note.objects.get(text="seen").about.model == "note"


def test_the_admins_log_names_what_was_changed(clients, books):
    for slug, client in clients.items():
        client.post("/admin/books/book/1/change/", {"title": f"new of {slug}", "readers": [5]})
    for slug, tenant in books.items():
        with tenant_context(tenant):
            entry = LogEntry.objects.get()
            assert entry.content_type.model == "book"
            assert entry.get_edited_object().title == f"new of {slug}"


def test_sites_are_the_tenants(tenants):
    for _ in range(2):
        for slug, tenant in tenants.items():
            with tenant_context(tenant):
                assert Site.objects.get_current().name == f"{slug}'s site"


def test_sites_are_forgotten_where_they_change(tenants):
    for tenant in tenants.values():
        with tenant_context(tenant):
            Site.objects.get_current()
    with tenant_context(tenants["acme"]):
        site = Site.objects.get()
        site.name = "new"
        site.save()
        assert Site.objects.get_current().name == "new"
    Site.objects.clear_cache()
    for name, tenant in zip(("new", "globex's site"), tenants.values(), strict=True):
        with tenant_context(tenant):
            assert Site.objects.get_current().name == name


def test_what_the_settings_name_is_kept_apart(books):
    for _ in range(2):
        for slug, tenant in books.items():
            with tenant_context(tenant):
                assert shelves.shelf_of(1) == f"of {slug}"
                assert shelves.TITLES.setdefault(1, slug) == slug
    with tenant_context(books["acme"]):
        assert shelves.shelf_of.cache_info().hits == 1
        shelves.shelf_of.cache_clear()
        assert shelves.shelf_of.cache_info().currsize == 0
    with tenant_context(books["globex"]):
        assert shelves.shelf_of.cache_info().currsize == 1


def test_something_else_cannot_be_kept_apart():
    with pytest.raises(TenantkitError, match="neither a dictionary nor a function of lru_cache"):
        caches.keep_apart("tests.owners.books.shelves.opaque")
    with pytest.raises(TenantkitError, match="cannot be imported"):
        caches.keep_apart("tests.owners.books.shelves.nothing")


def test_keys_of_djangos_caches_are_the_tenants(tenants):
    for slug, tenant in tenants.items():
        with tenant_context(tenant):
            cache.set("name", slug)
    assert cache.get("name") is None
    for slug, tenant in tenants.items():
        with tenant_context(tenant):
            assert cache.get("name") == slug


def test_threads_that_take_turns(tenants):
    """They ask no database: what was looked up in each tenant is kept."""
    expected = {}
    for slug, tenant in tenants.items():
        with tenant_context(tenant):
            expected[slug] = [ContentType.objects.get_for_model(Book).pk] * 2
    assert expected["acme"] != expected["globex"]
    assert in_turns(tenants, lambda: ContentType.objects.get_for_model(Book).pk) == expected


def test_an_opaque_cache_is_wrong_for_threads_that_take_turns(tenants, resetting):
    """The limit that `register_reset()` states."""
    found = in_turns(tenants, lambda: resetting(1))
    assert found["acme"][0] == "of acme"
    assert found["globex"][0] == "of acme"


@pytest.fixture
def resetting():
    title_of, clear = shelves.opaque(lambda key: f"of {get_current_tenant().slug}")
    caches.register_reset(clear)
    yield title_of
    caches._resets.remove(clear)
    switched.clear()


def test_an_opaque_cache_is_cleared_when_the_tenant_changes(tenants, resetting):
    for _ in range(2):
        for slug, tenant in tenants.items():
            with tenant_context(tenant):
                assert resetting(1) == f"of {slug}"
                assert resetting(1) == f"of {slug}"


def test_it_is_cleared_on_the_way_out_too(tenants, resetting):
    with tenant_context(tenants["acme"]):
        resetting(1)
        with tenant_context(tenants["globex"]):
            assert resetting(1) == "of globex"
        assert resetting(1) == "of acme"


async def test_coroutines_that_take_turns():
    items = caches.TenantDict()

    class Named:
        def __init__(self, pk):
            self.pk, self.slug = pk, f"t{pk}"
            self.uid = UUID(int=pk)

    async def work(tenant):
        with tenant_context(tenant):
            items["name"] = tenant.slug
            for _ in range(5):
                await asyncio.sleep(0)
                assert items["name"] == tenant.slug

    await asyncio.gather(*(work(Named(pk)) for pk in (1, 2, 3)))


@pytest.mark.parametrize(
    ("thing", "expected"), [(sites.SiteManager, "4374976ff45b"), (sites.clear_site_cache, "54c2e30eb3c1")]
)
def test_django_keeps_sites_as_builtin_caches_expects(thing, expected):
    """As `tests/test_django_internals.py`, for an app that is not installed there."""
    assert digest(thing) == expected


def test_a_process_keeps_a_bounded_number_of_tenants(monkeypatch):
    monkeypatch.setattr(caches, "TENANTS", 2)
    made = caches.PerTenant(list)
    for schema in ("a", "b", "c"):
        with caches.at_work_in(schema):
            made.current().append(schema)
    assert made.all() == [["b"], ["c"]]
