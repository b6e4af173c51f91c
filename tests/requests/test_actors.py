"""Who acts in a request, as PostgreSQL is told: raw SQL of views, which only the database's policies hold."""

from __future__ import annotations

import pytest
from django.db import connection
from django.http import JsonResponse
from django.urls import path

from django_tenantkit.models import Membership
from tests.requests.conftest import logged_in
from tests.testapp.models import Customer

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only")]

ACME = {"host": "acme.example.com"}
BY_HEADER = {"host": "example.com", "x-tenant-id": "acme"}


def told():
    """What the database knows of the request, and how many customers it shows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenantkit.current_tenant(), tenantkit.current_user_id(), current_setting('tenantkit.roles'), "
            f"tenantkit.has_role('admin', 'owner'), (SELECT count(*) FROM {Customer._meta.db_table})"
        )
        return dict(zip(("tenant", "user", "roles", "is_admin", "customers"), cursor.fetchone(), strict=True))


def page(request):
    return JsonResponse(told())


urlpatterns = [path("told/", page)]

try:
    from rest_framework.decorators import api_view, authentication_classes
    from rest_framework.response import Response

    from tests.requests.api_urls import NameAuthentication
except ImportError:
    api_view = None
else:

    @api_view(["GET"])
    @authentication_classes([NameAuthentication])
    def api(request):
        return Response(told())

    urlpatterns.append(path("api/told/", api))

drf = pytest.mark.skipif(api_view is None, reason="needs Django REST framework")


@pytest.fixture(autouse=True)
def _told(settings):
    settings.ROOT_URLCONF = __name__
    settings.TENANTKIT_RESOLVERS = [
        "django_tenantkit.resolvers.SubdomainResolver",
        "django_tenantkit.resolvers.HeaderResolver",
    ]


def test_a_visitor_acts_in_the_hosts_tenant_as_nobody(client, acme, globex):
    found = client.get("/told/", headers=ACME).json()
    assert found == {"tenant": str(acme.pk), "user": None, "roles": "", "is_admin": False, "customers": 1}


def test_a_member_acts_with_their_key_and_role(acme, globex, member):
    Membership.objects.update(role="admin")
    found = logged_in(member, acme).get("/told/", headers=ACME).json()
    assert found == {
        "tenant": str(acme.pk), "user": str(member.pk), "roles": "admin", "is_admin": True, "customers": 1,
    }  # fmt: skip


def roles_of_two(user, tenant):
    return {"billing"}


def test_a_policy_can_say_the_roles(acme, stranger, settings):
    settings.TENANTKIT_ACCESS_POLICY = f"{__name__}.roles_of_two"
    assert logged_in(stranger, acme).get("/told/", headers=ACME).json()["roles"] == "billing"


@drf
@pytest.mark.parametrize("named", [ACME, BY_HEADER], ids=["by host", "by header"])
def test_the_owner_of_a_token_acts_from_the_first_statement_on(client, acme, globex, member, named):
    found = client.get("/api/told/", headers={**named, "authorization": "member"}).json()
    assert (found["tenant"], found["user"], found["roles"], found["customers"]) == (
        str(acme.pk), str(member.pk), "member", 1,
    )  # fmt: skip


@drf
def test_raw_sql_of_a_view_tells_a_stranger_nothing(client, acme, stranger):
    assert client.get("/api/told/", headers={**BY_HEADER, "authorization": "stranger"}).status_code == 404


def test_with_no_tenant_raw_sql_sees_nothing(client, acme):
    found = client.get("/told/", headers={"host": "example.com"}).json()
    assert (found["tenant"], found["customers"]) == (None, 0)
