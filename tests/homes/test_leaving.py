"""Databases that tenants leave: out of reach, brought back or dropped, and begun anew wherever that stopped."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from django.db import connections
from django.utils import timezone

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import HomeMissing, TenantkitError
from django_tenantkit.isolation.copying import push_changes
from django_tenantkit.isolation.entries import SHARED, database_alias, left_database_name
from django_tenantkit.lifecycle import databases, leaving
from django_tenantkit.lifecycle.leaving import drop_if_over, drop_left_places, leave_place, return_place
from django_tenantkit.lifecycle.places import make_place, take_place
from django_tenantkit.lifecycle.pool import fill_pool
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Place, PlaceState
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.lifecycle.helpers import Ran
from tests.operating import operated
from tests.testapp.models import Customer, Plan

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def acme(db: None) -> Any:
    """A suspended tenant, whose database is back in reach after the test, if it is there."""
    tenant = make_tenant("acme", isolation="database")
    with tenant_context(tenant):
        Customer.objects.create(name="kept", plan=Plan.objects.create(name="gold"))
    suspend(tenant)
    yield tenant
    with suppress(TenantkitError):
        return_place(tenant)


@pytest.fixture
def own(db: None) -> Any:
    """The same with a database that nobody needs after the test."""
    tenant = make_tenant("own", isolation="database", uid=make_place("database").uid)
    suspend(tenant)
    uid = tenant.uid
    yield tenant
    connections[database_alias(uid)].close()
    databases.drop_left(uid)
    databases.drop_database(uid)
    operated(Place.objects.filter(pk=uid).delete)


def state_of(tenant: Any) -> str:
    return str(operated(Place.objects.get, pk=tenant.uid).state)


def names_of(tenant: Any) -> tuple[str, str]:
    name = connections[tenant.home.database].settings_dict["NAME"]
    return name, left_database_name(name, tenant.uid)


def there(tenant: Any) -> set[str]:
    with as_admin() as admin:
        found = admin.execute("SELECT datname FROM pg_database WHERE datname = ANY (%s)", [list(names_of(tenant))])
        return {name for (name,) in found.fetchall()}


def kept(tenant: Any) -> list[str]:
    with tenant_context(tenant):
        return list(Customer.objects.values_list("name", flat=True))


def over(tenant: Any) -> None:
    operated(Place.objects.filter(pk=tenant.uid).update, drop_after=timezone.now() - timedelta(seconds=1))


#: The sessions of a database, with those that only a superuser may end.
ANYBODYS = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


class TestLeaving:
    def test_it_is_out_of_reach_and_comes_back_whole(self, acme: Any) -> None:
        place = leave_place(acme)
        assert (place.state, there(acme)) == (PlaceState.LEAVING, {names_of(acme)[1]})
        with tenant_context(acme), pytest.raises(HomeMissing, match="of the tenant 'acme' is not there"):
            Customer.objects.count()
        assert return_place(acme).state == PlaceState.TAKEN
        assert (there(acme), kept(acme)) == ({names_of(acme)[0]}, ["kept"])

    def test_nobody_connects_to_it_by_its_other_name(self, acme: Any) -> None:
        leave_place(acme)
        entry = connections[acme.home.database].settings_dict | {"NAME": names_of(acme)[1]}
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            psycopg.connect(dbname=entry["NAME"], host=entry["HOST"], port=entry["PORT"], user=entry["USER"])

    def test_whoever_is_connected_is_sent_away(self, acme: Any) -> None:
        entry = connections[acme.home.database].settings_dict
        with psycopg.connect(
            dbname=entry["NAME"], host=entry["HOST"], port=entry["PORT"], user=entry["USER"]
        ) as somebody:
            leave_place(acme)
            with pytest.raises(psycopg.OperationalError):
                somebody.execute("SELECT 1")

    def test_whom_the_system_may_not_send_away_is_named(self, acme: Any) -> None:
        with as_admin(names_of(acme)[0]) as admin:
            user = admin.info.user
            with pytest.raises(TenantkitError, match=f"{user} is still connected"):
                leave_place(acme)
            assert (state_of(acme), there(acme)) == ("leaving", {names_of(acme)[0]})
        leave_place(acme)
        assert there(acme) == {names_of(acme)[1]}

    def test_a_process_that_turns_out_to_be_anothers_is_named_too(self, acme: Any) -> None:
        """What is ended is another's by then, and PostgreSQL refuses."""
        anybodys = patch("django_tenantkit.sql.databases.ENDABLE", ANYBODYS)
        with as_admin(names_of(acme)[0]) as admin, anybodys:
            user = admin.info.user
            with pytest.raises(TenantkitError, match=f"{user} is still connected"):
                leave_place(acme)
        leave_place(acme)
        assert there(acme) == {names_of(acme)[1]}

    def test_what_changes_meanwhile_is_brought_when_it_is_back(self, acme: Any) -> None:
        leave_place(acme)
        Plan.objects.update(name="platinum")
        assert push_changes() == 0
        return_place(acme)
        with tenant_context(acme):
            assert Customer.objects.get(plan__name="platinum").name == "kept"

    def test_a_database_that_is_not_there_is_not_left(self, acme: Any) -> None:
        with patch.object(databases, "is_there", return_value=False), pytest.raises(HomeMissing, match="is not there"):
            leave_place(acme)
        assert state_of(acme) == "taken"

    def test_leaving_again_changes_nothing(self, acme: Any) -> None:
        first = leave_place(acme)
        assert leave_place(acme).drop_after == first.drop_after

    def test_a_database_of_each_name_is_an_error(self, acme: Any) -> None:
        left = names_of(acme)[1]
        with as_admin() as admin:
            admin.execute(f'CREATE DATABASE "{left}"')
            try:
                with pytest.raises(TenantkitError, match="There are both databases"):
                    leave_place(acme)
            finally:
                admin.execute(f'DROP DATABASE "{left}"')
        assert kept(acme) == ["kept"]


class TestDropping:
    def test_it_is_dropped_when_its_grace_is_over(self, own: Any) -> None:
        leave_place(own)
        assert drop_left_places() == []
        over(own)
        assert [place.uid for place in fill_pool().dropped] == [own.uid]
        assert (state_of(own), there(own)) == ("gone", set())
        assert operated(take_place, "database", uid=own.uid) != own.uid

    def test_its_copies_are_forgotten(self, own: Any) -> None:
        leave_place(own, days=0)
        drop_left_places()
        with connections[SHARED].as_system(), connections[SHARED].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tenantkit.copies WHERE home LIKE %s", [f"%{own.uid.hex}%"])
            assert cursor.fetchone() == (0,)

    def test_one_that_cannot_be_dropped_keeps_nothing_else(self, own: Any, acme: Any) -> None:
        leave_place(acme, days=1)
        leave_place(own, days=0)
        with patch.object(databases, "drop_left", side_effect=RuntimeError("disk on fire")):
            done = fill_pool()
        assert done.failed == {f"place {own.uid}": "disk on fire"}
        assert operated(Place.objects.get, pk=own.uid).error == "RuntimeError: disk on fire"
        assert [place.uid for place in fill_pool().dropped] == [own.uid]


class TestCommand:
    def test_it_takes_it_away_and_brings_it_back(self, acme: Any) -> None:
        assert "The database of acme is leaving; it is dropped after" in self._retired("--yes-retire", "acme").out
        assert "The database of acme is taken." in self._retired("--undo").out
        assert kept(acme) == ["kept"]

    def test_a_dry_run_changes_nothing(self, acme: Any) -> None:
        ran = self._retired("--yes-retire", "acme", "--dry-run")
        assert "The database of acme would be put out of reach." in ran.out
        assert (state_of(acme), there(acme)) == ("taken", {names_of(acme)[0]})
        leave_place(acme)
        assert "would be brought back" in self._retired("--undo", "--dry-run").out
        assert (state_of(acme), there(acme)) == ("leaving", {names_of(acme)[1]})

    def test_a_dry_run_says_what_would_be_refused(self, acme: Any) -> None:
        ran = self._retired("--undo", "--dry-run")
        assert (ran.code, "that is leaving" in ran.complaint) == (2, True)

    def test_one_in_use_is_refused(self, db: None) -> None:
        make_tenant("acme", isolation="database")
        for more in ([], ["--dry-run"]):
            ran = self._retired("--yes-retire", "acme", *more)
            assert (ran.code, "suspend_tenant acme" in ran.complaint) == (2, True)

    def _retired(self, *arguments: str) -> Ran:
        return Ran("retire_home", "acme", *arguments)


STEPS = ("_note", "allow_connections", "end_sessions", "rename", "_tell_copies")


def stopped(step: str, when: str, number: int) -> Any:
    """The process ends before or after a step; a step that happens twice the second time, if `number` is 2."""
    owner: Any = next(one for one in (leaving, databases, databases.sql) if hasattr(one, step))
    real, calls = getattr(owner, step), []

    def stops(*args: Any, **kwargs: Any) -> Any:
        calls.append(step)
        if len(calls) < number:
            return real(*args, **kwargs)
        if when == "after":
            real(*args, **kwargs)
        raise KeyboardInterrupt

    return patch.object(owner, step, stops)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_leaving_goes_on_where_it_stopped(acme: Any, step: str, when: str) -> None:
    with stopped(step, when, 1), pytest.raises(KeyboardInterrupt):
        leave_place(acme)
    assert leave_place(acme).state == PlaceState.LEAVING
    assert there(acme) == {names_of(acme)[1]}
    return_place(acme)
    assert kept(acme) == ["kept"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("step", "number"), [("_note", 1), ("_note", 2), ("rename", 1), ("allow_connections", 1)])
def test_coming_back_goes_on_where_it_stopped(acme: Any, step: str, number: int, when: str) -> None:
    leave_place(acme, days=0)
    with stopped(step, when, number), pytest.raises(KeyboardInterrupt):
        return_place(acme)
    if (step, number, when) != ("_note", 1, "before"):
        assert drop_left_places() == []  # whose grace is over, if somebody had not begun to bring it back
    if state_of(acme) != "taken":
        return_place(acme)
    assert (state_of(acme), there(acme), kept(acme)) == ("taken", {names_of(acme)[0]}, ["kept"])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["drop_left", "_tell_copies", "_note"])
def test_dropping_goes_on_where_it_stopped(own: Any, step: str, when: str) -> None:
    leave_place(own, days=0)
    number = 2 if step == "_tell_copies" else 1  # the first is that of putting it away, which is looked at again
    with stopped(step, when, number), pytest.raises(KeyboardInterrupt):
        drop_if_over(own.uid)
    drop_left_places()
    assert (state_of(own), there(own)) == ("gone", set())


def test_one_that_was_not_put_away_yet_is_before_it_is_dropped(own: Any) -> None:
    with stopped("_note", "after", 1), pytest.raises(KeyboardInterrupt):
        leave_place(own)
    assert drop_left_places() == []
    assert there(own) == {names_of(own)[1]}
