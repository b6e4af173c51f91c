"""Copies of tenants, as they are or masked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.models import Domain, Job, Membership, Tenant
from django_tenantkit.signals import tenant_cloned, tenant_cloning
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.isolation.world import World
from tests.lifecycle.helpers import Ran
from tests.testapp.models import Customer, Invoice, Profile

pytestmark = postgresql


def shout(value: str) -> str:
    return value.upper()


def test_a_copy_has_the_same_rows_under_other_keys(two: World) -> None:
    before = two.snapshot(two.acme), two.snapshot(two.globex)
    copy = clone_tenant(two.acme, "sandbox").tenant
    assert graph(copy) == graph(two.acme)
    assert (two.snapshot(two.acme), two.snapshot(two.globex)) == before


def test_a_copy_has_members_and_no_domains(two: World) -> None:
    with unscoped(reason="test"):
        Domain.objects.create(tenant=two.acme, domain="shop.acme.org")
        Membership.objects.create(tenant=two.acme, user=two.user, role="admin")
    copy = clone_tenant(two.acme, "sandbox").tenant
    assert [(one.user, one.role) for one in copy.memberships.all()] == [(two.user, "admin")]
    assert not copy.domains.exists()


def test_receivers_get_the_copy_and_the_original(two: World) -> None:
    heard: list[Any] = []

    def hear(tenant: Any, source: Any, **_: Any) -> None:
        heard.append((source.slug, tenant.slug))

    tenant_cloned.connect(hear)
    try:
        clone_tenant(two.acme, "sandbox")
    finally:
        tenant_cloned.disconnect(hear)
    assert heard == [("acme", "sandbox")]


def test_receivers_get_the_original_before(two: World) -> None:
    heard: list[Any] = []

    def hear(tenant: Any, job: Any, **_: Any) -> None:
        heard.append((tenant.slug, job.slug, Tenant.objects.filter(slug="sandbox").exists()))

    tenant_cloning.connect(hear)
    try:
        clone_tenant(two.acme, "sandbox")
    finally:
        tenant_cloning.disconnect(hear)
    assert heard == [("acme", "sandbox", False)]


def test_masked_values(two: World, settings: Any) -> None:
    settings.TENANTKIT_MASKS = {
        "testapp.Customer.name": {"call": "tests.archives.test_cloning.shout"},
        "testapp.Customer.email": "hash",
        "testapp.Profile.bio": {"fixed": "it's secret"},
        "testapp.Invoice.amount": {"fixed": 1},
    }
    copy = clone_tenant(two.acme, "sandbox", mask=True).tenant
    with tenant_context(copy):
        assert set(Customer.objects.values_list("name", flat=True)) == {"ACME 0", "ACME 0 IDLE", "ACME 0 VIP"}
        assert not Customer.objects.filter(email__contains="@").exists()
        assert Profile.objects.get().bio == "it's secret"
        assert Invoice.objects.get().amount == Decimal(1)
    with tenant_context(two.acme):
        assert Customer.objects.filter(name="acme 0", email="c0@example.com").exists()


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "names nothing"),
        ({"testapp.Customer.nothing": "null"}, "no row of a tenant has that field"),
        ({"auth.User.password": "null"}, "no row of a tenant has that field"),
        ({"testapp.Customer.name": "null"}, "cannot make testapp.Customer.name null"),
        ({"testapp.Customer.name": "shuffle"}, "is none: 'shuffle'"),
        ({"testapp.Invoice.customer": "hash"}, "rows refer by it"),
        ({"testapp.Customer.name": {"call": "nowhere.at_all"}}, "which is not there"),
    ],
)
def test_rules_that_are_none(two: World, settings: Any, rules: Any, words: str) -> None:
    settings.TENANTKIT_MASKS = rules
    with pytest.raises(ArchiveRefused, match=words):
        clone_tenant(two.acme, "sandbox", mask=True)
    assert not Tenant.objects.filter(slug="sandbox").exists()
    assert not Job.objects.exists()


def test_a_slug_that_is_taken(two: World) -> None:
    with pytest.raises(ArchiveRefused, match="The slug 'globex' is taken"):
        clone_tenant(two.acme, "globex")


def test_the_command(two: World) -> None:
    assert Ran("clone_tenant", "acme", "sandbox", "--dry-run").out.startswith(
        "Would copy 19 rows of acme to sandbox, in about 0.0 s."
    )
    assert Ran("clone_tenant", "acme", "sandbox", "--format", "json").json["slug"] == "sandbox"
    assert Ran("clone_tenant", "acme", "sandbox").code == 2
