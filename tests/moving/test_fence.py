"""The fence: the database refuses a tenant's rows at a home, whatever a process knows, and lets nobody else wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import TenantUnavailable
from django_tenantkit.lifecycle.fence import connection_of, fence, unfence
from django_tenantkit.lookup import find_by_slug
from django_tenantkit.models import Tenant
from django_tenantkit.sql.fence import FENCES
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES
from tests.moving.ground import application
from tests.testapp.models import Customer, Invoice, Profile, Region

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the database's own guard"),
]

ISOLATIONS = ["row"] if ISOLATION == "row" else ["row", "schema"]
if ISOLATION in WITH_DATABASES:
    ISOLATIONS.append("database")


@pytest.fixture(params=ISOLATIONS)
def acme(request: Any, transactional_db: None) -> Iterator[Any]:
    tenant = make_tenant("acme", isolation=request.param)
    with tenant_context(tenant):
        Customer.objects.create(name="first")
    yield tenant
    unfence(tenant)


@pytest.fixture
def globex(transactional_db: None) -> Any:
    tenant = make_tenant("globex", isolation="row")
    with tenant_context(tenant):
        Customer.objects.create(name="other")
    return tenant


WRITES = {
    "insert": lambda: Customer.objects.create(name="second"),
    "bulk_create": lambda: Customer.objects.bulk_create([Customer(name="second")]),
    "update": lambda: Customer.objects.update(name="changed"),
    "update of nothing": lambda: Customer.objects.filter(name="nobody").update(name="changed"),
    "save": lambda: Customer.objects.get().save(),
    "delete": lambda: Customer.objects.all().delete(),
    "delete of nothing": lambda: Profile.objects.all()._raw_delete(using=Profile.objects.db),
    "upsert": lambda: Customer.objects.bulk_create(
        [Customer(name="second")], update_conflicts=True, update_fields=["name"], unique_fields=["id"]
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written(acme: Any, write: str) -> None:
    fence(acme)
    with tenant_context(acme):
        with pytest.raises(TenantUnavailable, match="'acme', which is being moved"):
            WRITES[write]()
        assert [customer.name for customer in Customer.objects.all()] == ["first"]
    unfence(acme)
    with tenant_context(acme):
        WRITES[write]()


def test_it_is_still_read(acme: Any) -> None:
    fence(acme)
    with tenant_context(acme):
        assert Customer.objects.get().name == "first"


def test_closed_it_is_not_read(acme: Any) -> None:
    fence(acme, closed=True)
    with tenant_context(acme), pytest.raises(TenantUnavailable, match="not read here any more"):
        list(Customer.objects.all())
    with tenant_context(acme), pytest.raises(TenantUnavailable):
        Customer.objects.create(name="second")
    fence(acme)
    with tenant_context(acme):
        assert Customer.objects.get().name == "first"


def test_closed_what_is_not_there_reads_as_empty_and_is_not_written(acme: Any) -> None:
    """A policy is asked of rows. So who does not find something may not make it either."""
    fence(acme, closed=True)
    with tenant_context(acme):
        assert not Customer.objects.filter(name="nobody").exists()
        with pytest.raises(TenantUnavailable):
            Customer.objects.get_or_create(name="nobody")


def test_fencing_again_changes_nothing(acme: Any) -> None:
    for closed in (False, False, True, True, False):
        fence(acme, closed=closed)
    assert {key for _, _, _, key in fences(acme)} == {str(acme.pk)}
    unfence(acme)
    unfence(acme)
    assert fences(acme) == []


def test_other_tenants_write_and_read(acme: Any, globex: Any) -> None:
    for closed in (False, True):
        fence(acme, closed=closed)
        with tenant_context(globex):
            Customer.objects.create(name="more")
            Customer.objects.update(name="changed")
            assert Customer.objects.filter(name="changed").exists()
            Customer.objects.all().delete()


def test_a_transaction_that_has_written_is_waited_for(acme: Any, settings: Any) -> None:
    settings.TENANTKIT_FENCE_SECONDS = 0
    with application(acme) as other:
        other.execute("UPDATE testapp_customer SET name = 'before'")
        with pytest.raises(TenantUnavailable, match=r"was in use .* Backends that hold locks there: \d+"):
            fence(acme)
        other.commit()
    fence(acme)
    with tenant_context(acme):
        assert Customer.objects.get().name == "before"


def test_a_transaction_that_was_open_before_writes_nothing_more(acme: Any) -> None:
    with application(acme) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert other.execute("SELECT name FROM testapp_customer").fetchall() == [("first",)]
        fence(acme)
        with pytest.raises(psycopg.Error) as raised:
            other.execute("UPDATE testapp_customer SET name = 'late'")
        assert raised.value.sqlstate == "TK503"


def test_nobody_waits_for_a_fence_that_waits(acme: Any, globex: Any, settings: Any) -> None:
    """It never stands in the queue for a lock, behind which others would stand."""
    settings.TENANTKIT_FENCE_SECONDS = 0
    with application(globex) as writer, application(globex) as reader:
        writer.execute("UPDATE testapp_customer SET name = 'mine'")
        for closed in (False, True):
            if acme.home is None:
                with pytest.raises(TenantUnavailable):
                    fence(acme, closed=closed)
            reader.execute("SET lock_timeout = 1")
            reader.execute("SELECT count(*) FROM testapp_customer")
            reader.commit()


def test_a_long_reader_does_not_keep_it_from_freezing(acme: Any, settings: Any) -> None:
    settings.TENANTKIT_FENCE_SECONDS = 0
    with application(acme) as reader:
        reader.execute("SELECT count(*) FROM testapp_customer")
        fence(acme)


def test_operators_write_no_rows_of_it_meanwhile(acme: Any, globex: Any) -> None:
    if acme.home is not None:
        return
    fence(acme)
    with unscoped(reason="test", rows_only=True):
        with pytest.raises(TenantUnavailable):
            Customer.objects.update(name="all")
        with pytest.raises(TenantUnavailable):
            Customer.objects.filter(tenant=acme).delete()
        assert Customer.objects.filter(tenant=globex).update(name="theirs") == 1


def test_operators_do_not_see_what_it_left(acme: Any, globex: Any) -> None:
    if acme.home is not None:
        return
    fence(acme, closed=True)
    with unscoped(reason="test", rows_only=True):
        assert Customer.objects.update(name="all") == 1
        assert Customer.objects.get().tenant == globex


def test_the_process_forgets_what_it_knew(acme: Any) -> None:
    assert find_by_slug("acme").name == "Acme"
    with unscoped(reason="test"):
        Tenant.objects.filter(pk=acme.pk).update(name="New")
    assert find_by_slug("acme").name == "Acme"
    fence(acme)
    with tenant_context(acme), pytest.raises(TenantUnavailable):
        Customer.objects.create(name="second")
    assert find_by_slug("acme").name == "New"


def test_the_application_sets_no_fence(acme: Any) -> None:
    with application(acme) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
        other.execute("SELECT tenantkit.set_fence('testapp_customer', '1', 'tenant_id', 'open', 'a', 'b')")


def test_shared_rows_are_written(acme: Any) -> None:
    fence(acme)
    with tenant_context(acme):
        Region.objects.create(name="north")


def test_rows_are_not_locked_for_update_of_a_closed_home(acme: Any) -> None:
    fence(acme, closed=True)
    with tenant_context(acme), transaction.atomic(), pytest.raises(TenantUnavailable):
        list(Customer.objects.select_for_update())


def test_every_table_of_the_home_is_fenced(acme: Any) -> None:
    fence(acme)
    names = {table for _, table, _, _ in fences(acme)}
    assert {Customer._meta.db_table, Invoice._meta.db_table, Invoice.tags.through._meta.db_table} <= names


def fences(tenant: Any) -> list[Any]:
    alias = connection_of(tenant.home).alias
    with connections[alias].cursor() as cursor:
        cursor.execute(FENCES)
        return cursor.fetchall()
