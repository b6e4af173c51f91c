"""Who may act in a tenant, and when that is decided."""

from __future__ import annotations

import logging
from importlib.util import find_spec

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils.functional import SimpleLazyObject

from django_tenantkit import access, require_tenant
from django_tenantkit.context import guarded_context
from django_tenantkit.exceptions import TenantAccessDenied, TenantSuspended
from django_tenantkit.models import Membership, TenantStatus
from tests.requests.conftest import logged_in
from tests.testapp.models import Customer

ACME = {"host": "acme.example.com"}
BY_HEADER = {"host": "example.com", "x-tenant-id": "acme"}
HEADER = ["django_tenantkit.resolvers.SubdomainResolver", "django_tenantkit.resolvers.HeaderResolver"]

drf = pytest.mark.skipif(not find_spec("rest_framework"), reason="needs Django REST framework")


@pytest.fixture
def by_header(settings):
    settings.TENANTKIT_RESOLVERS = HEADER


def nobody(user, tenant):
    """A policy."""
    return False


def everybody(user, tenant):
    """A policy."""
    return True


def test_a_member_may_act(acme, member):
    assert logged_in(member, acme).get("/", headers=ACME).json()["customers"] == 1


def test_a_stranger_may_not_although_the_host_named_the_tenant(acme, stranger):
    assert logged_in(stranger, acme).get("/", headers=ACME).status_code == 404


def test_a_view_that_touches_no_data_is_closed_to_strangers_too(acme, stranger):
    assert logged_in(stranger, acme).get("/plain/", headers=ACME).status_code == 404


def test_an_anonymous_user_may_act_where_the_host_named_the_tenant(client, acme):
    assert client.get("/", headers=ACME).json()["customers"] == 1


@pytest.mark.parametrize("path", ["/", "/plain/", "/streamed/", "/nosuch/"])
def test_an_anonymous_user_may_not_where_the_client_named_it(client, acme, by_header, path):
    assert client.get(path, headers=BY_HEADER).status_code == 404


def test_a_member_may_act_where_the_client_named_it(acme, member, by_header):
    assert logged_in(member).get("/", headers=BY_HEADER).json()["customers"] == 1


def test_a_member_of_another_tenant_may_not(globex, member, by_header):
    answer = logged_in(member).get("/", headers={"host": "example.com", "x-tenant-id": "globex"})
    assert answer.status_code == 404


def test_a_superuser_is_no_exception(acme):
    root = get_user_model().objects.create_superuser("root")
    assert logged_in(root, acme).get("/", headers=ACME).status_code == 404


def test_the_policy_is_a_setting(acme, member, stranger, settings):
    settings.TENANTKIT_ACCESS_POLICY = "tests.requests.test_access.nobody"
    assert logged_in(member, acme).get("/", headers=ACME).status_code == 404
    settings.TENANTKIT_ACCESS_POLICY = "tests.requests.test_access.everybody"
    assert logged_in(stranger, acme).get("/", headers=ACME).status_code == 200


def test_the_policy_is_asked_once_in_a_while(acme, member, django_assert_num_queries):
    assert access.allowed(member, acme)
    with django_assert_num_queries(0):
        assert access.allowed(member, acme)


def test_answers_of_the_policy_last_for_a_stated_time(acme, member, settings, django_assert_num_queries):
    assert access.allowed(member, acme)
    settings.TENANTKIT_ACCESS_SECONDS = 0
    with django_assert_num_queries(1):
        assert access.allowed(member, acme)


def test_a_new_membership_counts_at_once(acme, stranger):
    assert not access.allowed(stranger, acme)
    Membership.objects.create(user=stranger, tenant=acme)
    assert access.allowed(stranger, acme)


def test_an_ended_membership_counts_at_once(acme, member):
    client = logged_in(member, acme)
    assert client.get("/", headers=ACME).status_code == 200
    Membership.objects.get(user=member).delete()
    assert client.get("/", headers=ACME).status_code == 404


def test_a_change_of_the_user_counts_at_once(acme, member):
    assert access.allowed(member, acme)
    member.is_active = False
    member.save()
    assert not access.allowed(member, acme)


def test_answers_on_others_are_kept(acme, globex, member, stranger, django_assert_num_queries):
    assert access.allowed(member, acme)
    Membership.objects.create(user=stranger, tenant=globex)
    with django_assert_num_queries(0):
        assert access.allowed(member, acme)


def test_a_user_without_a_key_is_asked_for_each_time(acme, settings):
    settings.TENANTKIT_ACCESS_POLICY = "tests.requests.test_access.everybody"
    assert access.allowed(get_user_model()(username="unsaved"), acme)


def test_users_of_another_class_are_not_taken_for_ours(acme, member):
    class TokenUser(AnonymousUser):
        is_authenticated = True
        is_active = True

    user = TokenUser()
    user.pk = member.pk
    assert not access.members_only(user, acme)


def test_who_tries_to_cross_is_logged(acme, stranger, caplog):
    client = logged_in(stranger, acme)
    with caplog.at_level(logging.WARNING, "django_tenantkit.security"):
        client.get("/plain/", headers=ACME)
    assert [record.getMessage() for record in caplog.records if record.name == "django_tenantkit.security"] == [
        f"user {stranger.pk} may not act in tenant acme: '/plain/'"
    ]


def test_logging_in_where_one_may_not_be_ends_logged_out(client, acme, stranger):
    assert client.get("/log-in/?user=stranger", headers=ACME).status_code == 404
    assert "_auth_user_id" not in client.session
    assert client.get("/plain/", headers=ACME).status_code == 200


@pytest.mark.parametrize("path", ["/log-in/", "/log-in-optional/"])
def test_a_member_can_log_in_at_the_tenants_host(client, acme, member, path):
    assert client.get(f"{path}?user=member", headers=ACME).status_code == 302
    assert client.get("/", headers=ACME).status_code == 200
    assert client.session["_auth_user_id"] == str(member.pk)


# -- the guard


class Request:
    def __init__(self, user):
        self.user = user
        self.path = "/"


def test_tenant_data_is_out_of_reach_until_the_user_is_known(acme, member):
    request = Request(AnonymousUser())
    guard = access.Access(request, acme, by_client=True)
    with guarded_context(acme, guard):
        with pytest.raises(TenantAccessDenied):
            Customer.objects.count()
        with pytest.raises(TenantAccessDenied):
            require_tenant()
        request.user = member
        assert Customer.objects.count() == 1


def test_another_user_of_the_same_request_is_decided_on_anew(acme, member, stranger):
    request = Request(member)
    with guarded_context(acme, access.Access(request, acme, by_client=False)):
        assert Customer.objects.count() == 1
        request.user = stranger
        with pytest.raises(TenantAccessDenied):
            Customer.objects.create(name="x")


def test_the_guard_asks_once_for_each_user(acme, member, django_assert_num_queries):
    guard = access.Access(Request(member), acme, by_client=False)
    guard()
    access.forget()
    with django_assert_num_queries(0):
        guard()
    assert guard.is_settled()


def test_who_is_let_in_may_hear_that_the_tenant_is_suspended(acme, member, stranger):
    acme.status = TenantStatus.SUSPENDED
    with pytest.raises(TenantSuspended):
        access.Access(Request(member), acme, by_client=True)()
    with pytest.raises(TenantAccessDenied):
        access.Access(Request(stranger), acme, by_client=True)()


def test_a_request_without_authentication_is_anonymous(client, acme, settings):
    settings.MIDDLEWARE = ["django_tenantkit.middleware.TenantMiddleware"]
    settings.TENANTKIT_RESOLVERS = HEADER
    assert client.get("/", headers=ACME).json()["customers"] == 1
    assert client.get("/", headers=BY_HEADER).status_code == 404


# -- users who become known in the view


@drf
@pytest.mark.parametrize("path", ["customers", "open-customers", "no-data", "required"])
@pytest.mark.parametrize("named", [ACME, BY_HEADER], ids=["by host", "by header"])
def test_a_token_of_a_member_opens_the_tenant(client, acme, member, by_header, path, named):
    assert client.get(f"/api/{path}/", headers={**named, "authorization": "member"}).status_code == 200


@drf
@pytest.mark.parametrize("path", ["customers", "open-customers", "no-data", "required"])
@pytest.mark.parametrize("named", [ACME, BY_HEADER], ids=["by host", "by header"])
def test_a_token_of_a_stranger_does_not(client, acme, stranger, by_header, path, named):
    assert client.get(f"/api/{path}/", headers={**named, "authorization": "stranger"}).status_code == 404


@drf
@pytest.mark.parametrize("token", [{}, {"authorization": "nosuch"}, {"authorization": "stranger"}])
@pytest.mark.parametrize("path", ["customers", "open-customers", "no-data", "required", "optional"])
def test_the_api_denies_a_tenant_as_if_it_were_unknown(client, acme, stranger, by_header, path, token):
    denied, unknown = (
        client.get(f"/api/{path}/", headers={"host": "example.com", "x-tenant-id": name, **token})
        for name in ("acme", "nosuch")
    )
    assert denied.content == unknown.content
    assert dict(denied.headers) == dict(unknown.headers)


@drf
def test_a_token_that_is_wrong_is_unauthorized_where_the_host_named_the_tenant(client, acme):
    assert client.get("/api/customers/", headers={**ACME, "authorization": "nosuch"}).status_code == 401


@drf
def test_the_attribute_of_a_drf_view_says_that_it_needs_a_tenant(client, db):
    assert client.get("/api/required/", headers={"host": "example.com"}).status_code == 400
    assert client.get("/api/optional/", headers={"host": "example.com"}).json() == {"tenant": None}


# -- users who become known in other middleware


class TokenMiddleware:
    """An adopter's own: `X-User: <name>`, looked up when somebody asks."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if name := request.headers.get("X-User"):
            request.user = SimpleLazyObject(lambda: get_user_model().objects.get(username=name))
        return self.get_response(request)


@pytest.mark.parametrize(("name", "status"), [("member", 200), ("stranger", 404)])
@pytest.mark.parametrize("path", ["/", "/plain/"])
@pytest.mark.parametrize("place", [5, 6])
def test_a_user_of_other_middleware_is_decided_on_too(
    client, acme, member, stranger, settings, name, status, path, place
):
    settings.MIDDLEWARE = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE.insert(place, "tests.requests.test_access.TokenMiddleware")
    assert client.get(path, headers={**ACME, "x-user": name}).status_code == status


def test_who_reads_the_log_cannot_be_misled(acme, stranger, caplog):
    logged_in(stranger, acme).get("/plain/%0Auser 1 was let in", headers=ACME)
    assert "\n" not in next(r.getMessage() for r in caplog.records if r.name == "django_tenantkit.security")
