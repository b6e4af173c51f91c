"""Homes made in one message are those that migrations make."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_tenantkit.exceptions import SnapshotRefused
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle import finished, homes
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.lifecycle.snapshot import differences
from django_tenantkit.models import MigrationState, Place, PlaceState
from tests.databases import ISOLATION
from tests.homes.test_pool import new, schemas  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.usefixtures("new"),
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]


def compared(one: str, other: str) -> list[str]:
    with connection.as_system(), transaction.atomic(), connection.cursor() as cursor:
        return differences(cursor, one, other)


def test_it_is_what_migrations_make():
    place = make_place("schema")
    with connection.as_system():
        homes.migrate_home(connection, "t_migrated0")
    try:
        assert compared(schema_name(place.uid), "t_migrated0") == []
    finally:
        with connection.as_system(), connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA t_migrated0 CASCADE")


def test_it_takes_one_message_and_the_ledger_is_in_it():
    make_place("schema")
    with CaptureQueriesContext(connection) as captured:
        place = make_place("schema")
    making = [query["sql"] for query in captured if "CREATE" in query["sql"]]
    assert len(making) == 1
    assert making[0].startswith("INSERT INTO")
    assert place.seconds is not None
    assert MigrationState.objects.filter(pk=place.migrations).exists()


def test_where_no_schema_can_be_made_of_one_it_is_migrated(monkeypatch):
    def refuse(*args):
        raise SnapshotRefused("There is an object of an unknown kind.")

    monkeypatch.setattr(finished, "take", refuse)
    finished.forget()
    MigrationState.objects.all().delete()
    place = make_place("schema")
    assert place.state == PlaceState.READY
    with connection.as_system():
        assert homes.digest_of(homes.applied_in(connection, schema_name(place.uid))) == place.migrations
    MigrationState.objects.all().delete()  # that there is no finished one is remembered with it
    finished.forget()


def test_what_fails_leaves_nothing(monkeypatch):
    make_place("schema")
    before = schemas()
    monkeypatch.setattr(
        "django_tenantkit.lifecycle.snapshot.Snapshot.script", lambda *_: "CREATE SCHEMA t_half000; SELECT 1/0;"
    )
    with pytest.raises(Exception, match="division by zero"):
        make_place("schema")
    assert schemas() == before
    assert Place.objects.get(state=PlaceState.MAKING).error.startswith("DataError: division by zero")


def test_a_half_made_one_is_completed_by_migrations():
    place = make_place("schema")
    name = schema_name(place.uid)
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {name} CASCADE")
        cursor.execute(f"CREATE SCHEMA {name}")
    Place.objects.filter(pk=place.uid).update(state=PlaceState.MAKING, migrations="")
    assert make_place("schema", uid=place.uid).state == PlaceState.READY
    assert compared(name, schema_name(finished.REFERENCE)) == []


def test_a_change_of_settings_makes_the_reference_anew(settings):
    first = make_place("schema")
    settings.TENANTKIT_SIGNED_CONTEXT = "secret"
    second = make_place("schema")
    assert any("tenantkit_signed" in line for line in compared(schema_name(first.uid), schema_name(second.uid)))
