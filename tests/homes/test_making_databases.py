"""Making a tenant's database: begun anew wherever it stopped, and provisioned like any other tenant."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connections

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import HomeMissing
from django_tenantkit.fields import uuid7
from django_tenantkit.isolation.entries import database_alias, database_name
from django_tenantkit.lifecycle import databases, templates
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.lifecycle.provision import provision
from django_tenantkit.lifecycle.templates import template_for
from django_tenantkit.models import Place, PlaceState, Tenant
from tests.databases import ISOLATION, ROLES, WITH_DATABASES, as_admin
from tests.operating import operated
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def uid(transactional_db: None) -> Any:
    """The uid of a place whose database is dropped after the test."""
    uid = uuid7()
    yield uid
    connections[database_alias(uid)].close()
    databases.drop_database(uid)
    operated(Place.objects.filter(pk=uid).delete)


def _name(uid: Any) -> str:
    return database_name(connections["default"].settings_dict["NAME"], uid)


MIGRATED = (
    "make_database",
    "migrate_database",
    "_make_unmigrated",
    "after_migrate",
    "_hold_copies",
    "copy_whole",
    "applied_in",
)
COPIED = ("make_database", "set_up_as_owner", "_hold_copies", "copy_whole", "applied_in")
STEPS = [*(("migrated", step) for step in MIGRATED), *(("copied", step) for step in COPIED)]


def migrated() -> Any:
    """There is no template."""
    return patch.object(templates, "template_for", return_value="")


@pytest.mark.parametrize(("way", "step"), STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_half_made_one_is_completed(uid: Any, way: str, step: str, when: str) -> None:
    template_for()
    real = getattr(databases, step)

    def fails(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            real(*args, **kwargs)
        raise KeyboardInterrupt

    chosen = migrated() if way == "migrated" else nullcontext()
    with chosen, patch.object(databases, step, fails), pytest.raises(KeyboardInterrupt):
        make_place("database", uid=uid)
    assert Place.objects.get(pk=uid).state == PlaceState.MAKING
    place = make_place("database", uid=uid)
    assert (place.state, place.error) == (PlaceState.READY, "")
    tenant = Tenant(pk=1, uid=uid, slug="acme", isolation="database")
    with tenant_context(tenant):
        assert Customer.objects.count() == 0


def test_a_half_made_one_is_no_home(uid: Any) -> None:
    with patch.object(databases, "_finish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        make_place("database", uid=uid)
    acme = Tenant(pk=1, uid=uid, slug="acme", isolation="database")
    with tenant_context(acme), pytest.raises(HomeMissing, match="it is not finished"):
        Customer.objects.count()


def test_one_that_appears_meanwhile_is_taken_up(uid: Any) -> None:
    with as_admin() as admin:
        admin.execute(f'CREATE DATABASE "{_name(uid)}" OWNER {ROLES.owner}')
    assert make_place("database", uid=uid).state == PlaceState.READY


def test_one_of_somebody_else_is_refused(uid: Any) -> None:
    with as_admin() as admin:
        admin.execute(f'CREATE DATABASE "{_name(uid)}"')
    with pytest.raises(Exception, match="which belongs to"):
        make_place("database", uid=uid)
    assert "which belongs to" in Place.objects.get(pk=uid).error
    with as_admin() as admin:
        admin.execute(f'DROP DATABASE "{_name(uid)}"')


def test_a_name_that_is_too_long_keeps_the_uid() -> None:
    uid = uuid7()
    name = database_name("a" * 60, uid)
    assert len(name) <= 63
    assert name.endswith(f"_t_{uid.hex}")
    assert name != database_name("a" * 59 + "b", uid)


def test_a_tenant_is_provisioned(settings: Any) -> None:
    tenant = provision("acme", "Acme", isolation="database")
    with tenant_context(tenant):
        Customer.objects.create(name="first")
        assert Customer.objects.using(tenant.home.database).get().tenant == tenant
    assert Place.objects.get(pk=tenant.uid).state == PlaceState.TAKEN
