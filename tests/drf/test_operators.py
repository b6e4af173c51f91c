"""Operators list, make, suspend and resume tenants, and nobody else does."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from django_tenantkit import tenant_context
from django_tenantkit.models import Job, JobState, Membership, Tenant, TenantStatus
from tests.drf.operators import TenantViewSet

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings, with_middleware):
    settings.ROOT_URLCONF = "tests.drf.operators"


def client(user=None, host="example.com"):
    made = APIClient(headers={"host": host})
    if user is not None:
        made.force_authenticate(user)
    return made


@pytest.fixture
def root(db):
    return get_user_model().objects.create(username="root", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(db):
    return get_user_model().objects.create(username="staff", is_staff=True)


@pytest.fixture
def api(root):
    return client(root)


def allow(user, *codenames):
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def test_list(api, acme, globex):
    (first, second) = api.get("/tenants/").json()
    assert first == {
        "uid": str(acme.uid),
        "slug": "acme",
        "name": "Acme",
        "plan": "",
        "isolation": "row",
        "status": "active",
        "created_at": acme.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert second["slug"] == "globex"


def test_create_provisions(api):
    response = api.post("/tenants/", {"slug": "new", "name": "New", "plan": "pro", "admin_email": "a@new.org"})
    assert response.status_code == 201
    assert response.json()["status"] == "active"
    tenant = Tenant.objects.get(slug="new")
    assert (tenant.name, tenant.plan) == ("New", "pro")
    assert Membership.objects.get(tenant=tenant).user.email == "a@new.org"


def test_a_tenant_that_has_to_wait_for_a_schema(api, settings):
    settings.TENANTKIT_ISOLATIONS = ["row", "schema"]
    response = api.post("/tenants/", {"slug": "new", "isolation": "schema"})
    assert response.status_code == 202
    assert (response.json()["uid"], response.json()["status"]) == (None, "provisioning")
    assert Job.objects.get().state == JobState.WAITING
    assert not Tenant.objects.filter(slug="new").exists()


def test_an_isolation_that_there_is_not(api):
    assert "TENANTKIT_ISOLATIONS" in str(api.post("/tenants/", {"slug": "new", "isolation": "schema"}).json())


def test_create_with_a_domain(api):
    assert api.post("/tenants/", {"slug": "new", "domain": "new.org"}).status_code == 201
    assert [domain.domain for domain in Tenant.objects.get(slug="new").domains.all()] == ["new.org"]


@pytest.mark.parametrize(
    "body",
    [
        {"slug": "acme"},
        {"slug": "www"},
        {"slug": "7"},
        {"slug": "new", "domain": "x.example.com"},
        {"slug": "new", "admin_email": "nobody"},
        {},
    ],
)
def test_what_cannot_be_had_is_a_400_and_changes_nothing(body, api, acme):
    response = api.post("/tenants/", body)
    assert response.status_code == 400
    assert [Tenant.objects.count(), Job.objects.count()] == [1, 0]


def test_a_step_that_fails_is_a_500_and_the_same_request_goes_on(api, settings):
    settings.TENANTKIT_DEFAULT_DATA = f"{__name__}.fail"
    response = api.post("/tenants/", {"slug": "new"})
    assert response.status_code == 500
    assert str(Job.objects.get().uid) in response.json()["detail"]
    settings.TENANTKIT_DEFAULT_DATA = None
    assert api.post("/tenants/", {"slug": "new"}).status_code == 201
    assert Tenant.objects.get().status == TenantStatus.ACTIVE


def fail(tenant):
    raise RuntimeError("no data")


def test_suspend_and_resume(api, acme):
    assert api.post("/tenants/acme/suspend/").json()["status"] == "suspended"
    assert Tenant.objects.get().status == TenantStatus.SUSPENDED
    assert api.post("/tenants/acme/resume/").json()["status"] == "active"
    assert Tenant.objects.get().status == TenantStatus.ACTIVE


def test_what_the_status_does_not_allow_is_a_409(api, acme):
    response = api.post("/tenants/acme/resume/")
    assert response.status_code == 409
    assert "active" in response.json()["detail"]


def test_an_unknown_tenant_is_a_404(api):
    assert api.post("/tenants/nobody/suspend/").status_code == 404


@pytest.mark.parametrize("method", ["delete", "put", "patch", "get"])
def test_there_is_nothing_else(method, api, acme):
    assert getattr(api, method)("/tenants/acme/").status_code == 404
    assert Tenant.objects.get() == acme


@pytest.mark.parametrize("method", ["delete", "put", "patch"])
def test_the_list_takes_get_and_post_only(method, api, acme):
    assert getattr(api, method)("/tenants/").status_code == 405


ACTIONS = {
    "view_tenant": lambda api: api.get("/tenants/"),
    "add_tenant": lambda api: api.post("/tenants/", {"slug": "new"}),
    "change_tenant": lambda api: api.post("/tenants/acme/suspend/"),
}

every_action = pytest.mark.parametrize(("permission", "act"), ACTIONS.items(), ids=ACTIONS)


@every_action
def test_anonymous_users_may_not(permission, act, acme):
    assert act(client()).status_code == 403


@every_action
def test_being_staff_is_not_enough(permission, act, acme, staff):
    allow(staff, *(set(ACTIONS) - {permission}))
    assert act(client(staff)).status_code == 403


@every_action
def test_staff_with_the_permission_may(permission, act, acme, staff):
    allow(staff, permission)
    assert act(client(staff)).status_code < 300


@every_action
def test_having_the_permission_is_not_enough(permission, act, acme, staff):
    allow(staff, permission)
    staff.is_staff = False
    assert act(client(staff)).status_code == 403


@every_action
def test_nobody_may_at_a_tenants_host(permission, act, acme, root):
    Membership.objects.create(user=root, tenant=acme)
    assert act(client(root, "acme.example.com")).status_code == 403


@every_action
def test_nobody_may_inside_a_tenant(permission, act, acme, root, without_middleware):
    with tenant_context(acme):
        assert act(client(root)).status_code == 403


def test_the_page_of_the_browsable_api(api, acme):
    page = api.get("/tenants/", headers={"accept": "text/html"}).content.decode()
    assert 'name="slug"' in page
    assert 'name="uid"' not in page


def test_provisioning_is_not_inside_the_requests_transaction():
    assert "default" in TenantViewSet.as_view({"post": "create"})._non_atomic_requests
