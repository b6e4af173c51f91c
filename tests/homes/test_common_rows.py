"""Rows of nobody (`GlobalRows`) in tenants' schemas and databases: there, up to date, written by operators alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connections, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import TenantsElsewhere
from django_tenantkit.fields import uuid7
from django_tenantkit.isolation.entries import SHARED, database_alias
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle import databases
from django_tenantkit.lifecycle.audit.run import audit_database, chosen
from django_tenantkit.lifecycle.audit.tenants import audit_databases
from django_tenantkit.lifecycle.copies import push_copies
from django_tenantkit.lifecycle.leaving import leave_place, return_place
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Place
from django_tenantkit.sql.homes import drop_schema
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES
from tests.operating import operated
from tests.presets.models import Rate, Sale

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]

each = pytest.mark.parametrize("isolation", ["schema", "database"])


def create(name: str, **fields: Any) -> Rate:
    with unscoped(reason="a rate for all"):
        return Rate.objects.create(name=name, **fields)


def for_rows() -> unscoped:
    return unscoped(reason="rates for all", rows_only=True)


def names(tenant: Any) -> list[str]:
    with tenant_context(tenant):
        return sorted(Rate.objects.values_list("name", flat=True))


def by_system(alias: str, *statements: str) -> None:
    with connections[alias].as_system(), connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def made(transactional_db: None) -> Iterator[list[tuple[str, UUID]]]:
    """Places that are removed after the test, by isolation."""
    found: list[tuple[str, UUID]] = []
    yield found
    for isolation, uid in found:
        if isolation == "schema":
            by_system("default", drop_schema(schema_name(uid)))
        else:
            connections[database_alias(uid)].close()
            databases.drop_database(uid)
        operated(Place.objects.filter(pk=uid).delete)


@each
def test_a_home_that_is_made_later_has_them(made: list[Any], isolation: str) -> None:
    parent = create("first")
    create("second", parent=parent)
    made.append((isolation, make_place(isolation, uid=uuid7()).uid))
    tenant = make_tenant("acme", isolation=isolation, uid=made[0][1])
    assert names(tenant) == ["first", "second"]
    with tenant_context(tenant):
        assert Rate.objects.get(name="second").parent == parent


@each
def test_what_operators_write_follows(isolation: str) -> None:
    tenant = make_tenant("acme", isolation=isolation)
    rate = create("first")
    assert names(tenant) == ["first"]
    with for_rows():
        rate.name = "changed"
        rate.save()
    assert names(tenant) == ["changed"]
    with for_rows():
        assert Rate.objects.filter(tenant=None).delete()[0] == 1
    assert names(tenant) == []


@each
def test_what_operators_roll_back_does_not(isolation: str) -> None:
    tenant = make_tenant("acme", isolation=isolation)
    with transaction.atomic():
        create("first")
        assert names(tenant) == ["first"]
        transaction.set_rollback(True)
    assert names(tenant) == []


@each
def test_what_another_program_writes_follows(isolation: str) -> None:
    tenant = make_tenant("acme", isolation=isolation)
    by_system("default", f"INSERT INTO rows.presets_rate (id, name) VALUES ('{uuid7()}', 'first')")
    push_copies()
    assert names(tenant) == ["first"]


@each
def test_rows_of_tenants_stay_where_they_are(isolation: str) -> None:
    tenant, shared = make_tenant("acme", isolation=isolation), make_tenant("shared", isolation="row")
    with tenant_context(shared):
        Rate.objects.create(name="shared's")
    with tenant_context(tenant):
        Rate.objects.create(name="acme's")
    create("common")
    assert (names(tenant), names(shared)) == (["acme's", "common"], ["common", "shared's"])


@each
def test_the_application_writes_none(isolation: str) -> None:
    tenant = make_tenant("acme", isolation=isolation)
    create("first")
    with tenant_context(tenant), transaction.atomic(), connections["default"].cursor() as cursor:
        for statement in ("UPDATE presets_rate SET name = 'x'", "DELETE FROM presets_rate"):
            cursor.execute(statement)
            assert cursor.rowcount == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            cursor.execute(f"INSERT INTO presets_rate (id, name) VALUES ('{uuid7()}', 'forged')")


def test_nor_by_the_functions_that_do(db: None) -> None:
    tenant = make_tenant("acme", isolation="schema")
    rows = f'[{{"id": "{uuid7()}", "name": "forged", "tenant_id": null}}]'
    calls = (
        f"SELECT tenantkit.write_common('{schema_name(tenant.uid)}.presets_rate', 'tenant_id', '{rows}')",
        f"""SELECT tenantkit.receive_common('[{{"table": "presets_rate", "rows": {rows}}}]')""",
        f"SELECT tenantkit.fill_common('{schema_name(tenant.uid)}')",
    )
    for call in calls:
        with tenant_context(tenant), pytest.raises(DatabaseError), connections["default"].cursor() as cursor:
            cursor.execute(call)
    assert names(tenant) == []


def test_a_tenants_database_takes_no_row_of_a_tenant_for_one_of_all(db: None) -> None:
    tenant = make_tenant("acme", isolation="database")
    rows = f'[{{"id": "{uuid7()}", "name": "forged", "tenant_id": {tenant.pk}}}]'
    call = f"""SELECT tenantkit.receive_common('[{{"table": "presets_rate", "rows": {rows}}}]')"""
    with (
        tenant_context(tenant),
        connections["default"].cursor() as cursor,
        pytest.raises(DatabaseError, match="of all"),
    ):
        cursor.execute(call)


@each
def test_a_key_that_a_tenants_row_has_is_an_error_and_overwrites_nothing(isolation: str) -> None:
    tenant = make_tenant("acme", isolation=isolation)
    with tenant_context(tenant):
        own = Rate.objects.create(name="acme's")
    if isolation == "schema":
        with pytest.raises(IntegrityError, match="has the key of a tenant's row"):
            create("common", pk=own.pk)
    else:
        create("common", pk=own.pk)
        assert list(push_copies().failed) == ["acme"]
    assert names(tenant) == ["acme's"]
    with for_rows():
        Rate.objects.filter(tenant=None).delete()
    push_copies()


def test_one_that_a_schema_refers_to_is_not_deleted(db: None) -> None:
    tenant = make_tenant("acme", isolation="schema")
    rate = create("first")
    with tenant_context(tenant):
        Sale.objects.create(rate=rate)
    with pytest.raises(IntegrityError, match="still referenced from table"), for_rows():
        rate.delete()
    assert names(tenant) == ["first"]
    with for_rows():
        assert Rate.objects.get() == rate


def test_a_schema_that_was_away_gets_what_it_missed(db: None) -> None:
    tenant = make_tenant("acme", isolation="schema")
    rate = create("first")
    suspend(tenant)
    leave_place(tenant)
    with for_rows():
        rate.delete()
    create("second")
    return_place(tenant)
    assert names(tenant) == ["second"]


def test_a_row_with_a_tenant_is_made_where_that_lives(db: None) -> None:
    tenant = make_tenant("acme", isolation="schema")
    with (
        unscoped(reason="test"),
        pytest.raises(TenantsElsewhere, match=r"lives elsewhere|is made where its tenant lives"),
    ):
        Rate.objects.create(name="x", tenant=tenant)
    with (
        unscoped(reason="test"),
        pytest.raises(TenantsElsewhere, match=r"lives elsewhere|is made where its tenant lives"),
    ):
        Rate.objects.bulk_create([Rate(name="x"), Rate(name="y", tenant=tenant)])


def test_the_audit_finds_nothing_wrong_with_them(db: None) -> None:
    for isolation in ("schema", "database"):
        make_tenant(isolation, isolation=isolation)
    create("first")
    assert audit_database("default", chosen()).findings == ()
    assert audit_databases(chosen()).findings == ()


def test_one_that_differs_in_a_database_is_found_and_put_right(db: None) -> None:
    tenant = make_tenant("acme", isolation="database")
    create("first")
    by_system(tenant.home.database, "UPDATE rows.presets_rate SET name = 'forged' WHERE tenant_id IS NULL")
    found = audit_databases(chosen()).findings
    assert [(one.tenant, one.id, one.object) for one in found] == [("acme", "copy.stale", "rows.presets_rate")]
    push_copies(again=True)
    assert (audit_databases(chosen()).findings, names(tenant)) == ((), ["first"])


def test_the_main_database_notes_which_have_them(db: None) -> None:
    make_tenant("acme", isolation="database")
    with connections[SHARED].as_system(), connections[SHARED].cursor() as cursor:
        cursor.execute("SELECT name, tenant_column, key_column FROM tenantkit.common")
        assert cursor.fetchall() == [("presets_rate", "tenant_id", "id")]
