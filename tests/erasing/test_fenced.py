"""A fence around a suspended tenant: nobody writes, whatever a process believes, and nothing written is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.conf import conf
from django_tenantkit.exceptions import TenantStatusRefused, TenantUnavailable
from django_tenantkit.lifecycle.fence import is_fenced, unfence
from django_tenantkit.lifecycle.suspend import resume, start_maintenance, suspend
from django_tenantkit.models import Job, JobState, Tenant, TenantStatus
from django_tenantkit.testing.tenants import make_tenant
from tests.lifecycle.helpers import Ran
from tests.moving.ground import application
from tests.operating import operated
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="fences are PostgreSQL's"),
]


@pytest.fixture
def tenants(transactional_db: None) -> Iterator[Any]:
    found = make_tenant("acme", isolation="row"), make_tenant("globex", isolation="row")
    yield found
    for tenant in found:
        unfence(tenant)


def write(tenant: Any) -> None:
    with tenant_context(tenant):
        Customer.objects.create(name="late")


def count(tenant: Any) -> int:
    with tenant_context(tenant):
        return Customer.objects.count()


def test_suspending_fences(tenants: Any) -> None:
    """Whoever holds the tenant as it was does not write, nor does an operator; the system may."""
    acme, globex = tenants
    stale = Tenant.objects.get(pk=acme.pk)
    write(acme)
    suspend(acme)
    with pytest.raises(TenantUnavailable):
        write(stale)
    with unscoped(reason="test", rows_only=True), pytest.raises(TenantUnavailable):
        Customer.objects.filter(tenant=acme).update(name="operator's")
    with connection.as_system(), connection.cursor() as cursor:
        schema = conf.ROW_SCHEMA or "public"
        cursor.execute(f"UPDATE {schema}.testapp_customer SET name = 'system' WHERE tenant_id = %s", [acme.pk])
        assert cursor.rowcount == 1
    write(globex)
    assert (count(acme), count(globex)) == (1, 1)
    resume(acme)
    write(stale)
    assert count(acme) == 2


def test_in_a_transaction_the_fence_comes_at_its_end(tenants: Any) -> None:
    acme, _ = tenants
    with transaction.atomic():
        suspend(acme)
        write(acme)
    with pytest.raises(TenantUnavailable):
        write(acme)
    with transaction.atomic():
        resume(acme)
    write(acme)
    assert count(acme) == 2


def test_what_keeps_it_from_being_fenced_is_said_and_the_rest_comes_later(tenants: Any, settings: Any) -> None:
    settings.TENANTKIT_FENCE_SECONDS = 0
    acme, _ = tenants
    with application(acme) as other:
        other.execute("UPDATE testapp_tag SET label = label")
        with pytest.raises(TenantUnavailable, match="suspend_tenant acme --fence"):
            suspend(acme)
    assert Tenant.objects.get(pk=acme.pk).status == TenantStatus.SUSPENDED
    assert Ran("suspend_tenant", "acme", "--fence").out == "acme is suspended.\n"
    assert is_fenced(acme)
    assert Ran("suspend_tenant", "acme", "--fence").code == 2


@pytest.mark.parametrize("lock", [suspend, start_maintenance])
def test_a_stale_process_cannot_write_and_others_can(lock: Any, tenants: Any) -> None:
    acme, globex = tenants
    stale = Tenant.objects.get(pk=acme.pk)
    lock(acme, fenced=True)
    with pytest.raises(TenantUnavailable):
        write(stale)
    write(globex)
    assert (count(acme), count(globex)) == (0, 1)


def test_without_a_fence_it_can(tenants: Any) -> None:
    stale = Tenant.objects.get(pk=tenants[0].pk)
    suspend(tenants[0], fenced=False)
    write(stale)
    assert count(tenants[0]) == 1


def test_resuming_takes_it_away(tenants: Any) -> None:
    suspend(tenants[0])
    resume(tenants[0])
    write(tenants[0])
    assert count(tenants[0]) == 1


def test_what_a_transaction_wrote_that_was_open_before_is_not_lost(
    tenants: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, done, tried = tenants[0], threading.Event(), threading.Event()
    monkeypatch.setattr("django_tenantkit.lifecycle.fence.time.sleep", lambda seconds: tried.set())

    def lock() -> None:
        try:
            suspend(Tenant.objects.get(pk=acme.pk))
        finally:
            done.set()
            connections.close_all()

    with transaction.atomic():
        write(acme)
        thread = threading.Thread(target=lock)
        thread.start()
        tried.wait()
        assert not done.is_set()  # it waits for this transaction
    thread.join()
    assert count(acme) == 1
    with pytest.raises(TenantUnavailable):
        write(acme)


def test_the_command_says_no_fence(tenants: Any) -> None:
    assert Ran("suspend_tenant", "acme", "--no-fence").out == "acme is suspended.\n"
    write(tenants[0])
    assert Ran("resume_tenant", "acme").code == 0
    assert Ran("suspend_tenant", "acme").out == "acme is suspended.\n"
    with pytest.raises(TenantUnavailable):
        write(tenants[0])
    assert Ran("resume_tenant", "acme").code == 0
    write(tenants[0])


def test_the_maintenance_of_an_unfinished_job_is_the_jobs_to_end(tenants: Any) -> None:
    acme = tenants[0]
    start_maintenance(acme)
    operated(Job.objects.create, kind="move", slug="acme", tenant=acme, state=JobState.FAILED)
    with pytest.raises(TenantStatusRefused, match="unfinished job, move"):
        resume(acme)
    assert Tenant.objects.get(pk=acme.pk).status == TenantStatus.MAINTENANCE
