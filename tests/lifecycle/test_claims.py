"""Slugs and domains: taken, reserved for a while after erasure, and free again."""

from __future__ import annotations

from typing import Any

import pytest

from django_tenantkit.exceptions import ProvisioningRefused
from django_tenantkit.lifecycle.provision import provision
from django_tenantkit.models import Domain, Job, Tenant, TenantStatus
from tests.lifecycle.helpers import erased
from tests.operating import operated

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", [status for status in TenantStatus if status != TenantStatus.ERASED])
def test_a_slug_is_taken_whatever_the_status(status: TenantStatus) -> None:
    Tenant.objects.create(slug="acme", name="Acme", status=status)
    with pytest.raises(ProvisioningRefused, match=rf"'acme' is taken by the tenant 'acme' \({status}\)"):
        provision("acme")
    assert not Job.objects.exists()


def test_a_domain_is_taken_verified_or_not() -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    operated(Domain.objects.create, tenant=tenant, domain="acme.org")
    with pytest.raises(ProvisioningRefused, match=r"domain acme\.org is taken by the tenant 'acme'"):
        provision("globex", domain="ACME.org")
    assert not Job.objects.exists()


def test_a_slug_is_reserved_after_erasure() -> None:
    erased("acme", days_ago=89)
    with pytest.raises(ProvisioningRefused, match=r"stays reserved until .*TENANTKIT_SLUG_QUARANTINE"):
        provision("acme")


def test_a_domain_is_reserved_after_erasure() -> None:
    operated(Domain.objects.create, tenant=erased("acme", days_ago=89), domain="acme.org")
    with pytest.raises(ProvisioningRefused, match=r"domain acme\.org was an erased tenant's"):
        provision("globex", domain="acme.org")


def test_the_setting_says_for_how_long(settings: Any) -> None:
    settings.TENANTKIT_SLUG_QUARANTINE = 5
    erased("acme", days_ago=6)
    assert provision("acme").is_active


def test_an_erased_tenant_whose_date_is_unknown_keeps_its_slug() -> None:
    Tenant.objects.create(slug="acme", name="Acme", status=TenantStatus.ERASED)
    with pytest.raises(ProvisioningRefused, match="is taken"):
        provision("acme")


def test_after_the_quarantine_the_slug_goes_to_a_new_tenant() -> None:
    former = erased("acme", days_ago=91)
    new = provision("acme")
    former.refresh_from_db()
    assert new.uid != former.uid
    assert Tenant.objects.get(slug="acme") == new
    assert former.slug == str(former.uid)


def test_the_slug_that_an_erased_tenant_ends_with_can_be_claimed_by_none() -> None:
    former = erased("acme", days_ago=91)
    provision("acme")
    with pytest.raises(ProvisioningRefused, match="cannot be a slug"):
        provision(str(former.uid))


def test_a_slug_can_change_hands_twice() -> None:
    erased("acme", days_ago=200)
    second = provision("acme")
    rows = Tenant.objects.filter(pk=second.pk)
    operated(rows.update, status=TenantStatus.ERASED, erased_at="2020-01-01T00:00Z")
    assert provision("acme").is_active
    assert Tenant.objects.count() == 3


def test_after_the_quarantine_the_domain_goes_to_a_new_tenant() -> None:
    former = erased("acme", days_ago=91)
    operated(Domain.objects.create, tenant=former, domain="acme.org", verified_at=former.erased_at, is_primary=True)
    new = provision("globex", domain="acme.org")
    domain = Domain.objects.get()
    assert (domain.tenant, domain.is_primary, domain.verified_at) == (new, True, None)
