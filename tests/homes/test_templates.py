"""Databases of tenants are copies of one that is made for each state of the project's migrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
import pytest
from django.db import OperationalError, connections

from django_tenantkit import tenant_context
from django_tenantkit.fields import uuid7
from django_tenantkit.isolation.entries import SHARED, database_alias
from django_tenantkit.lifecycle import databases, templates
from django_tenantkit.lifecycle.audit.run import chosen
from django_tenantkit.lifecycle.audit.tenants import audit_databases
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.lifecycle.snapshot.comparing import facts
from django_tenantkit.lifecycle.templates import template_for
from django_tenantkit.models import Place, Tenant
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.operating import operated
from tests.testapp.models import Customer, Plan

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def made(transactional_db: None) -> Iterator[list[UUID]]:
    """Uids of databases that are dropped after the test."""
    uids: list[UUID] = []
    yield uids
    for uid in uids:
        connections[database_alias(uid)].close()
        databases.drop_database(uid)
        operated(Place.objects.filter(pk=uid).delete)


def there() -> set[str]:
    """The templates of this main database."""
    prefix = f"{connections['default'].settings_dict['NAME']}_p_"
    with as_admin() as admin:
        rows = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall()
    return {name for (name,) in rows}


def catalog(uid: UUID, schema: str) -> list[str]:
    with as_admin(connections[database_alias(uid)].settings_dict["NAME"]) as admin, admin.transaction():
        return facts(admin.cursor(), schema)


def test_a_copy_is_what_migrations_make(made: list[UUID]) -> None:
    made += [uuid7(), uuid7()]
    make_place("database", uid=made[0])
    with patch.object(templates, "template_for", return_value=""):
        make_place("database", uid=made[1])
    for schema in ("rows", "public", "tenantkit"):
        one, other = (catalog(uid, schema) for uid in made)
        assert one == other != []
    first, second = (operated(Place.objects.get, pk=uid) for uid in made)
    assert first.migrations == second.migrations
    assert audit_databases(chosen()).findings == ()


def test_nothing_is_migrated_for_it(made: list[UUID]) -> None:
    template_for()
    made.append(uuid7())
    with patch.object(databases, "_migrate", side_effect=AssertionError):
        make_place("database", uid=made[0])
    plan = Plan.objects.create(name="gold")
    with tenant_context(Tenant.objects.create(uid=made[0], slug="acme", isolation="database")):
        Customer.objects.create(name="first", plan=plan)
        assert Customer.objects.get(plan__name="gold").name == "first"


def test_there_is_one_and_nobody_connects_to_it() -> None:
    name = template_for()
    assert (there(), template_for()) == ({name}, name)
    entry = connections["default"].settings_dict
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(dbname=name, host=entry["HOST"], port=entry["PORT"], user=entry["USER"])


def test_it_is_no_tenants(made: list[UUID]) -> None:
    """What a tenant stores in its database is in no other."""
    made += [uuid7(), uuid7()]
    make_place("database", uid=made[0])
    acme = Tenant.objects.create(uid=made[0], slug="acme", isolation="database")
    with tenant_context(acme):
        Customer.objects.create(name="first", plan=Plan.objects.create(name="gold"))
    make_place("database", uid=made[1])
    with connections[database_alias(made[1])].as_system(), connections[database_alias(made[1])].cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM rows.testapp_customer), (SELECT count(*) FROM testapp_plan)")
        assert cursor.fetchone() == (0, 0)
        cursor.execute("SELECT uid FROM tenantkit.home")
        assert cursor.fetchall() == [(made[1].hex,)]


def test_another_state_has_another_and_the_former_is_dropped() -> None:
    former = template_for()
    with patch.object(templates, "key_of", return_value="f" * 64):
        latter = template_for()
    assert (there(), former == latter) == ({latter}, False)
    again = template_for()
    assert (there(), again) == ({former}, former)


def test_one_that_is_being_copied_stays(caplog: pytest.LogCaptureFixture) -> None:
    former = template_for()
    real = templates.sql.drop

    def drop(name: str) -> Any:
        if name == former:
            raise OperationalError("is being accessed by other users")
        return real(name)

    with patch.object(templates, "key_of", return_value="e" * 64), patch.object(templates.sql, "drop", drop):
        latter = template_for()
    assert there() == {former, latter}
    assert "is being accessed" in caplog.text


@pytest.mark.parametrize("step", ["make_database", "migrate_template", "end_sessions"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_half_made_one_is_made_anew(step: str, when: str) -> None:
    real = getattr(databases, step)

    def stops(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            real(*args, **kwargs)
        raise KeyboardInterrupt

    key = patch.object(templates, "key_of", return_value=uuid7().hex * 2)
    with key, patch.object(databases, step, stops), pytest.raises(KeyboardInterrupt):
        template_for()
    with key:
        assert template_for() in there()


def test_where_there_can_be_none_databases_are_migrated(made: list[UUID], caplog: pytest.LogCaptureFixture) -> None:
    made.append(uuid7())
    with patch.object(templates, "_there", side_effect=OperationalError("no right to copy")):
        assert make_place("database", uid=made[0]).state == "ready"
    assert "migrated one by one, as there is no template: no right to copy" in caplog.text


def test_no_copies_are_noted_for_it() -> None:
    with patch.object(templates, "key_of", return_value=uuid7().hex * 2):
        name = template_for()
    with connections[SHARED].as_system(), connections[SHARED].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenantkit.copies WHERE position(right(home, 32) IN %s) > 0", [name])
        assert cursor.fetchone() == (0,)
