"""What stands in for a tenant that a client names and that there is not."""

from __future__ import annotations

import pickle
from uuid import NAMESPACE_DNS, uuid5

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models.functions import Now
from django.test.utils import isolate_apps

from django_tenantkit import access, lookup
from django_tenantkit.exceptions import TenantNotFound
from django_tenantkit.lookup import Name, is_stand_in, stand_in
from django_tenantkit.models import AbstractTenant, Tenant
from django_tenantkit.names import is_uuid

NOWHERE = "nosuch"


def anybody(user, tenant):
    """A policy."""
    return True


def test_a_stand_in_is_allowed_to_nobody(stranger, settings):
    settings.TENANTKIT_ACCESS_POLICY = "tests.requests.test_stand_ins.anybody"
    assert not access.allowed(stranger, stand_in(Name("slug", NOWHERE)))
    assert not access.allowed(get_user_model()(username="unsaved"), stand_in(Name("slug", NOWHERE)))


def test_made_up_names_push_out_no_answer_on_a_tenant(globex, stranger, settings, django_assert_num_queries):
    settings.TENANTKIT_LOOKUP_MISSES = settings.TENANTKIT_ACCESS_SIZE = 2
    access.allowed(stranger, globex)
    for number in range(4):
        access.allowed(stranger, stand_in(Name("slug", f"made-up-{number}")))
    with django_assert_num_queries(0):
        access.allowed(stranger, globex)
        access.allowed(stranger, stand_in(Name("slug", "made-up-3")))
    with django_assert_num_queries(1):
        access.allowed(stranger, stand_in(Name("slug", "made-up-0")))


def test_a_change_of_the_user_is_noticed_for_nowhere_too(globex, stranger, django_assert_num_queries):
    for tenant in (globex, stand_in(Name("slug", NOWHERE))):
        access.allowed(stranger, tenant)
        stranger.save()
        with django_assert_num_queries(1):
            access.allowed(stranger, tenant)


def test_a_stand_in_looks_like_a_tenant(db):
    tenant = stand_in(Name("slug", NOWHERE))
    assert type(tenant) is Tenant
    assert (tenant.slug, str(tenant), tenant.is_active, tenant.settings) == (NOWHERE, NOWHERE, True, {})
    assert not tenant._state.adding
    assert is_stand_in(pickle.loads(pickle.dumps(tenant)))


def test_each_request_has_a_stand_in_of_its_own(db):
    first, second = (stand_in(Name("slug", NOWHERE)) for _ in range(2))
    first.settings["colour"] = "red"
    assert (first, second.settings) == (second, {})


def test_names_have_keys_of_their_own():
    names = [Name(kind, value) for kind in ("slug", "uid", "domain") for value in ("a", "b", "a" * 300)]
    assert len({stand_in(name).pk for name in names}) == len({stand_in(name).uid for name in names}) == len(names)
    assert all(stand_in(name).pk < 0 for name in names)


def test_a_stand_in_cannot_be_saved(db):
    tenant = stand_in(Name("slug", NOWHERE))
    for save in (tenant.save, tenant.save_base, async_to_sync(tenant.asave)):
        with pytest.raises(TenantNotFound):
            save()
    assert not Tenant.objects.filter(slug=NOWHERE).exists()


def refuse(**kwargs):
    raise AssertionError("a function of the project was called for a tenant that there is not")


KEYS = {
    "UUIDField": lambda key: key.version == 5,
    "SmallAutoField": lambda key: -(2**15) <= key < 0,
    "AutoField": lambda key: -(2**31) <= key < 0,
    "PositiveIntegerField": lambda key: key > 2**30,
    "CharField": is_uuid,
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one range for all kinds of numbers")
@isolate_apps("tests.testapp")
def test_a_key_is_one_that_no_tenant_has(kind):
    class Company(models.Model):
        id = getattr(models, kind)(primary_key=True)

        class Meta:
            app_label = "testapp"

    class Branch(models.Model):
        company = models.OneToOneField(Company, models.CASCADE, primary_key=True)

        class Meta:
            app_label = "testapp"

    digests = [uuid5(NAMESPACE_DNS, str(number)) for number in range(50)]
    for model in (Company, Branch):
        keys = {lookup._unused_key(model._meta.pk, digest, "default") for digest in digests}
        assert len(keys) == 50
        assert all(map(KEYS[kind], keys))


@isolate_apps("tests.testapp")
def test_no_function_of_the_project_is_asked_for_a_default():
    class Company(AbstractTenant):
        code = models.CharField(max_length=9, default=refuse)
        region = models.ForeignKey("Region", models.CASCADE, default=refuse)
        tags = models.JSONField(default=list)
        size = models.IntegerField(default=3)
        founded = models.DateTimeField(db_default=Now())
        remarks = models.TextField()
        created_at = None

        class Meta:
            app_label = "testapp"

    tenant = lookup._stand_in(Company, "default", "slug", NOWHERE).tenant()
    assert (tenant.code, tenant.region_id, tenant.founded) == (None, None, None)
    assert (tenant.tags, tenant.size, tenant.remarks, tenant.status) == ([], 3, "", "active")
