"""Deleting what other tenants may depend on: the client gets an answer that a person understands."""

from __future__ import annotations

import logging
from importlib.util import find_spec

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.urls import include, path

from django_tenantkit.models import Membership, Tenant
from tests.requests.conftest import logged_in
from tests.requests.test_responses import ACME, BROWSER, PROGRAM, bytes_of

User = get_user_model()

SAID = "More than one account may depend on this, so it cannot be deleted here."


def delete_user(request):
    User.objects.get(username="other").delete()
    return HttpResponse("deleted")


def delete_tenant(request):
    request.tenant.delete()
    return HttpResponse("deleted")


urlpatterns = [path("", include("tests.urls")), path("user/", delete_user), path("tenant/", delete_tenant)]

if find_spec("rest_framework"):
    from rest_framework.decorators import api_view

    urlpatterns.append(path("api/", api_view(["DELETE"])(delete_user)))


@pytest.fixture(autouse=True)
def _here(settings, _urls):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def other(acme, globex):
    """A user of both tenants."""
    user = User.objects.create_user("other")
    for tenant in (acme, globex):
        Membership.objects.create(user=user, tenant=tenant)
    return user


@pytest.fixture
def boss(acme):
    """A client of acme's administrator."""
    user = User.objects.create_superuser("boss")
    Membership.objects.create(user=user, tenant=acme)
    return logged_in(user, acme)


def is_refused(response) -> bool:
    return response.status_code == 403 and SAID in response.content.decode()


def test_the_admins_page_that_asks_says_so(boss, other):
    answer = boss.get(f"/admin/auth/user/{other.pk}/delete/", headers=ACME)
    assert is_refused(answer)
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("confirmed", [{}, {"post": "yes"}], ids=["asked", "confirmed"])
def test_the_admins_action_says_so(boss, other, confirmed):
    data = {"action": "delete_selected", "_selected_action": [other.pk], **confirmed}
    assert is_refused(boss.post("/admin/auth/user/", data, headers=ACME))
    assert User.objects.filter(pk=other.pk).exists()


def test_nothing_is_deleted(boss, other):
    assert is_refused(boss.post(f"/admin/auth/user/{other.pk}/delete/", {"post": "yes"}, headers=ACME))
    assert User.objects.filter(pk=other.pk).exists()


def test_the_answer_does_not_tell_whether_others_depend_on_it(boss, other):
    users = [other, User.objects.create_user("lonely")]
    answers = [boss.get(f"/admin/auth/user/{user.pk}/delete/", headers=ACME) for user in users]
    assert is_refused(answers[0])
    assert bytes_of(answers[0]) == bytes_of(answers[1])


@pytest.mark.parametrize("headers", [ACME, {"host": "example.com"}], ids=["in a tenant", "with no tenant"])
def test_a_view_of_the_projects_own_is_answered_for(client, other, headers):
    assert is_refused(client.get("/user/", headers=headers))


def test_a_tenant_is_not_deleted_either(client, acme):
    assert is_refused(client.get("/tenant/", headers=ACME))
    assert Tenant.objects.filter(pk=acme.pk).exists()


def test_a_program_gets_json(client, other):
    assert client.get("/user/", headers={**ACME, **PROGRAM}).json()["detail"].startswith(SAID)


@pytest.mark.skipif(not find_spec("rest_framework"), reason="Django REST framework is not installed")
def test_the_client_of_an_api_gets_json(other):
    client = logged_in(other)
    answer = client.delete("/api/", headers=ACME)
    assert (answer.status_code, list(answer.json())) == (403, ["detail"])
    assert client.delete("/api/", headers={**ACME, **BROWSER})["Content-Type"].startswith("text/html")


def test_the_log_names_the_model_and_the_cure(client, other, caplog):
    with caplog.at_level(logging.WARNING, "django_tenantkit"):
        client.get("/user/", headers=ACME)
    assert "auth.User is shared by all tenants" in caplog.text
    assert "unscoped(reason=" in caplog.text


def test_it_can_be_another_status(client, other, settings):
    settings.TENANTKIT_RESPONSES = {"deletion": 409}
    assert client.get("/user/", headers=ACME).status_code == 409


def test_who_may_not_act_in_the_tenant_hears_nothing_of_it(stranger, acme, other):
    assert logged_in(stranger, acme).get("/user/", headers=ACME).status_code == 404
