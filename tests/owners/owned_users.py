"""Users of a tenant's own: they log in, act and are managed in their tenant and mean nothing elsewhere."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.access import allowed, own_users
from django_tenantkit.exceptions import ProvisioningRefused
from django_tenantkit.lifecycle.provision import prepare, provision
from django_tenantkit.lookup import tenants_of
from django_tenantkit.models import Membership
from django_tenantkit.testing.client import TenantClient
from tests.owners.conftest import log_in


def user_of(tenant, pk=5):
    with tenant_context(tenant):
        return User.objects.get(pk=pk)


def test_each_logs_in_at_their_own_tenant(clients):
    assert clients["acme"].get("/who/").content == b"ann at acme's site"
    assert clients["globex"].get("/who/").content == b"bob at globex's site"


def test_a_password_of_another_tenant_is_wrong(tenants):
    client = TenantClient(tenants["acme"])
    assert log_in(client, "globex").status_code == 200
    assert client.get("/who/").content == b"nobody at acme's site"


def test_a_session_is_nothing_elsewhere(clients):
    there = clients["acme"].cookies["sessionid"].value
    clients["globex"].cookies["sessionid"] = there
    assert clients["globex"].get("/who/").content == b"nobody at globex's site"
    assert clients["acme"].get("/who/").content == b"ann at acme's site"


def test_a_session_is_nothing_elsewhere_if_its_row_is_there_too(clients, tenants):
    with tenant_context(tenants["acme"]):
        row = Session.objects.get()
    with tenant_context(tenants["globex"]):
        Session.objects.all().delete()
        row.save(force_insert=True)
    clients["globex"].cookies["sessionid"] = row.pk
    assert clients["globex"].get("/who/").content == b"nobody at globex's site"


def test_a_session_is_bound_to_the_tenant_and_not_to_the_host_that_all_share(clients, tenants, settings):
    settings.TENANTKIT_RESOLVERS = ["django_tenantkit.resolvers.HeaderResolver"]
    client = Client(HTTP_HOST="example.com")
    headers = {slug: {"X-Tenant-ID": slug} for slug in tenants}
    with tenant_context(tenants["acme"]):
        client.force_login(user_of(tenants["acme"]))
        row = Session.objects.get(pk=client.session.session_key)
    with tenant_context(tenants["globex"]):
        row.save(force_insert=True)
    assert client.get("/who/", headers=headers["acme"]).content == b"ann at acme's site"
    assert client.get("/who/", headers=headers["globex"]).status_code == 404


def test_where_they_log_in_last_is_noted_in_their_tenant(clients, tenants):
    for slug in tenants:
        assert user_of(tenants[slug]).last_login is not None
    with tenant_context(tenants["acme"]):
        User.objects.update(last_login=None)
    assert user_of(tenants["globex"]).last_login is not None


def test_the_admin_lists_and_changes_its_own(clients, tenants):
    page = clients["acme"].get("/admin/auth/user/").content.decode()
    assert "ann@acme.org" in page
    assert "bob" not in page
    clients["acme"].post(
        "/admin/auth/user/5/change/",
        {"username": "anna", "date_joined_0": "2026-01-01", "date_joined_1": "10:00:00", "is_active": "on"},
    )
    assert user_of(tenants["acme"]).username == "anna"
    assert user_of(tenants["globex"]).username == "bob"


def test_permissions_are_the_tenants(tenants):
    for slug, tenant in tenants.items():
        with tenant_context(tenant):
            clerk = User.objects.create_user("clerk", pk=7, password=f"{slug}'s secret", is_staff=True)
    with tenant_context(tenants["globex"]):
        clerk.user_permissions.add(Permission.objects.get(codename="view_book"))
    seen = {}
    for slug, tenant in tenants.items():
        client = TenantClient(tenant)
        client.post("/admin/login/?next=/who/", {"username": "clerk", "password": f"{slug}'s secret"})
        seen[slug] = client.get("/admin/books/book/").status_code
    assert seen == {"acme": 403, "globex": 200}


def test_a_link_to_set_a_password_is_nothing_elsewhere(tenants):
    user = user_of(tenants["acme"])
    with tenant_context(tenants["acme"]):
        link = f"/reset/{urlsafe_base64_encode(force_bytes(user.pk))}/{default_token_generator.make_token(user)}/"
    assert TenantClient(tenants["globex"]).get(link).context["validlink"] is False
    assert TenantClient(tenants["acme"]).get(link, follow=True).context["validlink"] is True


def test_a_link_is_nothing_in_a_copy_of_the_tenant(tenants):
    user = user_of(tenants["acme"])
    with tenant_context(tenants["globex"]):
        User.objects.all().delete()
        user.save(force_insert=True)
    with tenant_context(tenants["acme"]):
        link = f"/reset/{urlsafe_base64_encode(force_bytes(user.pk))}/{default_token_generator.make_token(user)}/"
    assert TenantClient(tenants["globex"]).get(link).context["validlink"] is False
    assert TenantClient(tenants["acme"]).get(link, follow=True).context["validlink"] is True


def test_what_is_signed_is_nothing_elsewhere(tenants):
    with tenant_context(tenants["acme"]):
        signed = signing.dumps({"basket": 7})
        assert signing.loads(signed) == {"basket": 7}
    with tenant_context(tenants["globex"]), pytest.raises(signing.BadSignature):
        signing.loads(signed)
    with pytest.raises(signing.BadSignature):
        signing.loads(signed)


def test_the_policy_compares_more_than_the_key(tenants):
    ann, bob = user_of(tenants["acme"]), user_of(tenants["globex"])
    assert ann.pk == bob.pk
    assert own_users(ann, tenants["acme"])
    assert not own_users(ann, tenants["globex"])
    bob.username = ann.username
    assert not own_users(bob, tenants["acme"])


def test_answers_that_are_remembered_are_about_one_user(tenants):
    ann, bob = user_of(tenants["acme"]), user_of(tenants["globex"])
    assert allowed(bob, tenants["globex"])
    assert not allowed(ann, tenants["globex"])
    assert allowed(bob, tenants["globex"])


def test_who_is_not_active_may_not_act(tenants):
    ann = user_of(tenants["acme"])
    with tenant_context(tenants["acme"]):
        User.objects.update(is_active=False)
    assert not own_users(ann, tenants["acme"])


def test_operators_are_users_of_no_tenant(tenants):
    operator = User.objects.create_superuser("operator", pk=5)
    assert not own_users(operator, tenants["acme"])
    with tenant_context(tenants["acme"]):
        assert not User.objects.filter(username="operator").exists()


def test_a_session_of_an_operator_is_nothing_at_a_tenant(tenants):
    operator = User.objects.create_superuser("operator", pk=5)
    client = TenantClient(HTTP_HOST="example.com")
    client.force_login(operator)
    key = client.session.session_key
    row = Session.objects.get(pk=key)
    with tenant_context(tenants["acme"]):
        row.save(force_insert=True)
    guest = TenantClient(tenants["acme"])
    guest.cookies["sessionid"] = key
    assert guest.get("/who/").content == b"nobody at acme's site"


def test_their_tenant_is_the_only_one_they_can_choose(tenants):
    operator = User.objects.create_user("operator", pk=5)
    with unscoped(reason="a member"):
        Membership.objects.create(user=operator, tenant=tenants["globex"])
    with tenant_context(tenants["acme"]):
        assert tenants_of(user_of(tenants["acme"])) == [tenants["acme"]]
    assert tenants_of(operator) == [tenants["globex"]]


def test_a_tenant_deletes_its_own(tenants):
    with tenant_context(tenants["acme"]):
        User.objects.get(pk=5).delete()
        assert not User.objects.exists()
    assert user_of(tenants["globex"]).username == "bob"


def test_a_new_tenants_admin_may_do_everything_there(db):
    tenant = provision("initech", admin_email="boss@initech.org")
    with tenant_context(tenant):
        boss = User.objects.get()
        assert (boss.email, boss.is_superuser, boss.is_staff) == ("boss@initech.org", True, True)
    assert not Membership.objects.exists()


def test_a_row_tenant_is_refused_with_the_tables_it_would_share(db, settings):
    settings.TENANTKIT_ISOLATIONS = ["row", "schema"]
    with pytest.raises(ProvisioningRefused, match=r"auth_user.*books_book"):
        prepare("initech")


def test_an_address_that_is_none_is_refused(db):
    with pytest.raises(ProvisioningRefused, match="e-mail"):
        prepare("initech", admin_email="boss")
