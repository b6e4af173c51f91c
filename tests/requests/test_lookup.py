"""The cache of tenants: what it keeps, for how long, and what it must not keep."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models.signals import post_init
from django.test import TransactionTestCase

from django_tenantkit import access, lookup, memory
from django_tenantkit.lookup import find_by_domain, find_by_slug, find_by_uid, forget
from django_tenantkit.memory import Memory
from django_tenantkit.models import Domain, Membership, Tenant
from tests.operating import operated
from tests.requests.conftest import VERIFIED


@pytest.fixture
def queries(django_assert_num_queries):
    return django_assert_num_queries


def test_tenants_are_found_by_their_names(acme):
    assert find_by_slug("acme") == find_by_uid(acme.uid) == find_by_uid(str(acme.uid)) == acme
    assert find_by_domain("app.acme.org") == acme


@pytest.mark.parametrize("find", [find_by_slug, find_by_domain])
def test_unknown_names_find_nothing(db, find):
    assert find("nosuch") is None
    assert find_by_uid(uuid4()) is None


def test_a_found_tenant_is_a_tenant_like_any_other(acme, queries):
    find_by_slug("acme")
    with queries(0):
        found = find_by_slug("acme")
    assert type(found) is Tenant
    for field in Tenant._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(acme, field.attname)
    assert not found._state.adding
    found.name = "Renamed"
    found.save()
    assert Tenant.objects.get(slug="acme").name == "Renamed"


def test_models_that_watch_their_objects_are_made_in_full(acme, queries):
    made = []

    def watch(instance, **kwargs):
        made.append(instance.slug)

    post_init.connect(watch, sender=Tenant)
    try:
        find_by_slug("acme")
        made.clear()
        with queries(0):
            assert find_by_slug("acme") == acme
        assert made == ["acme"]
    finally:
        post_init.disconnect(watch, sender=Tenant)


@pytest.mark.parametrize("name", ["acme", "nosuch"])
def test_an_answer_is_kept_for_a_while(acme, settings, queries, name):
    found = find_by_slug(name)
    with queries(0):
        assert find_by_slug(name) == found
    settings.TENANTKIT_LOOKUP_SECONDS = 0
    with queries(1):
        assert find_by_slug(name) == found


def test_a_change_of_the_tenant_is_seen_at_once(acme):
    find_by_slug("acme")
    acme.slug = "acme-2"
    operated(acme.save)
    assert find_by_slug("acme") is None
    assert find_by_slug("acme-2") == acme


def test_a_new_tenant_is_seen_at_once(db):
    assert find_by_slug("fresh") is None
    fresh = Tenant.objects.create(slug="fresh", name="Fresh")
    assert find_by_slug("fresh") == fresh


def test_a_change_of_a_domain_is_seen_at_once(acme, globex):
    domain = Domain.objects.get()
    assert find_by_domain("shop.acme.org") is None
    assert find_by_domain("app.acme.org") == acme
    domain.domain = "shop.acme.org"
    operated(domain.save)
    assert find_by_domain("app.acme.org") is None
    assert find_by_domain("shop.acme.org") == acme
    domain.tenant = globex
    operated(domain.save)
    assert find_by_domain("shop.acme.org") == globex
    operated(domain.delete)
    assert find_by_domain("shop.acme.org") is None


def test_one_tenants_change_leaves_the_others_known(acme, globex, queries):
    find_by_slug("globex")
    acme.save()
    with queries(0):
        assert find_by_slug("globex") == globex


def test_what_sends_no_signals_is_forgotten_by_hand(acme):
    find_by_slug("acme")
    Tenant.objects.update(name="Other")
    forget(acme)
    assert find_by_slug("acme").name == "Other"
    Tenant.objects.update(name="Third")
    forget()
    assert find_by_slug("acme").name == "Third"


def test_what_was_not_committed_is_not_kept(db):
    with transaction.atomic():
        Tenant.objects.create(slug="ghost", name="Ghost")
        assert find_by_slug("ghost") is not None
        transaction.set_rollback(True)
    assert find_by_slug("ghost") is None


def test_what_a_savepoint_took_back_is_not_kept(acme):
    @transaction.atomic
    def renamed():
        acme.name = "Never"
        acme.save()
        assert find_by_slug("acme").name == "Never"
        transaction.set_rollback(True)

    renamed()
    assert find_by_slug("acme").name == "Acme"


def test_verdicts_that_were_not_committed_are_not_kept(acme, stranger):
    with transaction.atomic():
        Membership.objects.create(user=stranger, tenant=acme)
        assert access.allowed(stranger, acme)
        transaction.set_rollback(True)
    assert not access.allowed(stranger, acme)


class Committed(TransactionTestCase):
    """With real commits."""

    def setUp(self):
        self.acme = Tenant.objects.create(slug="acme", name="Acme")
        self.before = self.read_elsewhere()

    def read_elsewhere(self, slug="acme"):
        """What another thread finds, and keeps."""

        def find():
            try:
                return find_by_slug(slug)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as other:
            return other.submit(find).result()

    def test_the_row_as_it_was_is_forgotten_on_commit(self):
        if connection.vendor == "sqlite":
            self.skipTest("one writer at a time")
        with transaction.atomic():
            self.acme.name = "Changed"
            self.acme.save()
            assert self.read_elsewhere().name == "Acme"
        assert find_by_slug("acme").name == "Changed"

    def test_a_flush_empties_the_cache(self):
        self._fixture_teardown()
        assert find_by_slug("acme") is None

    def test_a_row_read_before_a_change_is_not_kept(self):
        forget()
        read, changed = threading.Event(), threading.Event()
        query = lookup._query

        def slow(name):
            row = query(name)
            read.set()
            assert changed.wait(10)
            return row

        lookup._query = slow
        try:
            with ThreadPoolExecutor(1) as other:
                stale = other.submit(find_by_slug, "acme")
                assert read.wait(10)
                lookup._query = query
                self.acme.name = "Changed"
                self.acme.save()
                changed.set()
                assert stale.result().name == "Acme"
                other.submit(lambda: connection.close()).result()
        finally:
            lookup._query = query
        assert find_by_slug("acme").name == "Changed"


def test_made_up_names_do_not_push_out_tenants(acme, settings, queries):
    settings.TENANTKIT_LOOKUP_MISSES = 3
    find_by_slug("acme")
    for number in range(10):
        find_by_slug(f"made-up-{number}")
    with queries(0):
        assert find_by_slug("acme") == acme
        assert find_by_slug("made-up-9") is None
    with queries(1):
        assert find_by_slug("made-up-0") is None


def test_no_more_tenants_are_kept_than_stated(acme, globex, settings, queries):
    settings.TENANTKIT_LOOKUP_SIZE = 1
    find_by_slug("acme")
    find_by_slug("globex")
    with queries(1):
        assert find_by_slug("acme") == acme


def test_only_verified_domains_are_found(acme):
    domain = operated(Domain.objects.create, tenant=acme, domain="new.acme.org")
    assert find_by_domain("new.acme.org") is None
    domain.verified_at = VERIFIED
    operated(domain.save)
    assert find_by_domain("new.acme.org") == acme


# -- the memory itself


def test_the_value_not_used_for_longest_leaves_first():
    kept: Memory[int] = Memory()
    for key in (1, 2):
        kept.put(key, key, 2, kept.generation)
    kept.get(1, 60)
    kept.put(3, 3, 2, kept.generation)
    assert [kept.get(key, 60) for key in (1, 2, 3)] == [1, None, 3]
    assert len(kept) == 2


def test_a_value_grows_old(monkeypatch):
    kept: Memory[int] = Memory()
    now = 1000.0
    monkeypatch.setattr(memory, "monotonic", lambda: now)
    kept.put("a", 1, 10, kept.generation)
    now = 1029.9
    assert kept.get("a", 30) == 1
    now = 1030.0
    assert kept.get("a", 30) is None


def test_a_value_read_before_something_was_forgotten_is_dropped():
    kept: Memory[int] = Memory()
    generation = kept.generation
    kept.forget(lambda key, value: False)
    kept.put("a", 1, 10, generation)
    assert kept.get("a", 60) is None
