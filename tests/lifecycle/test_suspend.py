"""Suspending, maintenance, resuming: which status leads to which, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.exceptions import TenantStatusRefused
from django_tenantkit.lifecycle.suspend import resume, start_maintenance, suspend
from django_tenantkit.models import Tenant, TenantStatus
from django_tenantkit.signals import tenant_status_changed

pytestmark = pytest.mark.django_db

ALLOWED = {
    suspend: {TenantStatus.ACTIVE: TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE: TenantStatus.SUSPENDED},
    start_maintenance: {TenantStatus.ACTIVE: TenantStatus.MAINTENANCE},
    resume: {TenantStatus.SUSPENDED: TenantStatus.ACTIVE, TenantStatus.MAINTENANCE: TenantStatus.ACTIVE},
}
CASES = [(function, status) for function in ALLOWED for status in TenantStatus]

every_case = pytest.mark.parametrize(
    ("function", "status"), CASES, ids=[f"{function.__name__}-{status}" for function, status in CASES]
)


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """What `tenant_status_changed` told."""
    told: list[Any] = []

    def receive(sender: Any, tenant: Tenant, old: str, new: str, reason: str, **kwargs: Any) -> None:
        told.append((tenant.slug, old, new, reason, get_current_tenant()))

    tenant_status_changed.connect(receive)
    yield told
    tenant_status_changed.disconnect(receive)


@every_case
def test_each_status_leads_to_those_it_may(function: Any, status: TenantStatus, heard: list[Any]) -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme", status=status)
    new = ALLOWED[function].get(status)
    if new is None:
        with pytest.raises(TenantStatusRefused, match=f"'acme' is {status}; only one that is"):
            function(tenant)
    else:
        assert function(tenant).status == new
    assert Tenant.objects.get().status == (new or status)
    assert len(heard) == (new is not None)


@every_case
def test_a_dry_run_refuses_the_same_and_changes_nothing(function: Any, status: TenantStatus, heard: list[Any]) -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme", status=status)
    if status in ALLOWED[function]:
        function(tenant, dry_run=True)
    else:
        with pytest.raises(TenantStatusRefused):
            function(tenant, dry_run=True)
    assert Tenant.objects.get().status == tenant.status == status
    assert heard == []


def test_the_signal_tells_what_changed_and_why_in_no_tenant(heard: list[Any]) -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    with tenant_context(tenant):
        suspend(tenant, reason="unpaid")
    assert heard == [("acme", "active", "suspended", "unpaid", None)]


def test_a_receiver_that_raises_undoes_the_change() -> None:
    def object_to(**kwargs: Any) -> None:
        raise RuntimeError("not today")

    tenant = Tenant.objects.create(slug="acme", name="Acme")
    tenant_status_changed.connect(object_to)
    try:
        with pytest.raises(RuntimeError):
            suspend(tenant)
    finally:
        tenant_status_changed.disconnect(object_to)
    assert Tenant.objects.get().status == tenant.status == TenantStatus.ACTIVE


def test_the_status_in_the_database_counts_not_the_objects() -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    suspend(Tenant.objects.get())
    with pytest.raises(TenantStatusRefused):
        suspend(tenant)


def test_nothing_else_of_the_tenant_is_written() -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    tenant.name = "not saved"
    suspend(tenant)
    assert Tenant.objects.get().name == "Acme"
