"""Maintenance: a 503 for those who are let in, except for whom the bypass names; nobody else learns of it."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.core.checks import run_checks

from django_tenantkit.models import Membership, Tenant, TenantStatus
from tests.aio import in_this_thread
from tests.lifecycle.helpers import Ran
from tests.operating import operated
from tests.requests.conftest import AsyncHostClient, logged_in

ACME = {"host": "acme.example.com"}
STAFF = "django_tenantkit.access.staff"
asked: list[tuple[str, str]] = []


def admins_of_the_tenant(user, tenant):
    """A bypass that asks the database, and depends on the tenant."""
    asked.append((user.username, tenant.slug))
    return tenant.memberships.filter(user=user, role="admin").exists()


@pytest.fixture
def closed(acme):
    asked.clear()
    assert Ran("suspend_tenant", "acme", "--maintenance", "--reason", "moving").code == 0
    return acme


@pytest.fixture
def clerk(closed, member):
    """A member who may use the admin."""
    member.is_staff = True
    member.save()
    return member


def test_without_a_bypass_everybody_waits(closed, member):
    answer = logged_in(member, closed).get("/", headers=ACME)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "120")


@pytest.mark.parametrize("path", ["/", "/plain/", "/streamed/"])
def test_chosen_users_act_as_ever(closed, clerk, settings, path):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    assert logged_in(clerk, closed).get(path, headers=ACME).status_code == 200


def test_other_members_wait(closed, member, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    assert logged_in(member, closed).get("/", headers=ACME).status_code == 503


def test_anonymous_visitors_wait(client, closed, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    assert client.get("/", headers=ACME).status_code == 503
    assert client.get("/plain/", headers=ACME).status_code == 503


def test_who_is_not_let_in_learns_nothing(closed, stranger, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    stranger.is_staff = True
    stranger.save()
    client = logged_in(stranger, closed)
    answer = client.get("/", headers=ACME)
    other = client.get("/", headers={"host": "nosuch.example.com"})
    assert (answer.status_code, answer.content, answer.headers) == (404, other.content, other.headers)


def test_the_bypass_is_asked_of_those_who_are_let_in_alone(closed, stranger, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = f"{__name__}.admins_of_the_tenant"
    logged_in(stranger, closed).get("/", headers=ACME)
    assert asked == []


def test_a_bypass_may_depend_on_the_tenant(closed, member, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = f"{__name__}.admins_of_the_tenant"
    client = logged_in(member, closed)
    assert client.get("/", headers=ACME).status_code == 503
    Membership.objects.update(role="admin")
    assert client.get("/", headers=ACME).status_code == 200


@in_this_thread
async def test_under_asgi_too(closed, member, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = f"{__name__}.admins_of_the_tenant"
    client = AsyncHostClient()
    client.cookies = (await sync_to_async(logged_in)(member, closed)).cookies
    for path in ("/", "/ahome/"):
        assert (await client.get(path, headers=ACME)).status_code == 503
    await Membership.objects.aupdate(role="admin")
    for path in ("/", "/ahome/"):
        assert (await client.get(path, headers=ACME)).status_code == 200


def test_it_is_no_way_into_a_suspended_tenant(closed, clerk, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    Ran("suspend_tenant", "acme")
    assert logged_in(clerk, closed).get("/", headers=ACME).status_code == 403


def test_nor_into_one_that_is_being_erased(closed, clerk, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    client = logged_in(clerk, closed)
    tenant = Tenant.objects.get()
    tenant.status = TenantStatus.ERASING
    operated(tenant.save)
    assert client.get("/", headers=ACME).status_code == 404


def test_when_it_is_over_all_act_again(closed, member, settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = STAFF
    assert Ran("resume_tenant", "acme").code == 0
    assert logged_in(member, closed).get("/", headers=ACME).json()["customers"] == 1


def test_a_bypass_that_is_not_there_is_found_by_the_check(settings):
    settings.TENANTKIT_MAINTENANCE_BYPASS = "tests.nowhere"
    assert "tenantkit.E203" in [message.id for message in run_checks()]
