"""The pages and the admin, in a browser that keeps cookies: over HTTP."""

from __future__ import annotations

import re

import pytest

from example_project.demo.client import Client

from .conftest import Site


@pytest.mark.parametrize("path", ["/", "/orders/", "/orders/?page=2", "/customers/", "/catalogue/"])
def test_each_tenant_has_pages_of_its_own(path: str, ada: Client, greta: Client) -> None:
    ours, theirs = (client.send("GET", path) for client in (ada, greta))
    assert (ours.status, theirs.status) == (200, 200)
    assert "Acme Tools" in ours.text
    assert "Globex" not in ours.text
    assert "Globex Energy" in theirs.text
    assert "Acme" not in theirs.text


@pytest.mark.parametrize("path", ["/", "/orders/", "/customers/"])
def test_pages_are_for_members(path: str, site: Site) -> None:
    answer = site.visitor("acme.localhost").send("GET", path)
    assert answer.status == 302
    assert answer.headers["Location"].startswith("/login/")


def test_the_catalogue_is_for_everybody(site: Site) -> None:
    assert "Smoothing plane" in site.visitor("acme.localhost").send("GET", "/catalogue/").text


def test_another_tenants_project_has_no_page(ada: Client, greta: Client) -> None:
    found = re.search(r"/projects/[0-9a-f-]+/", greta.send("GET", "/").text)
    assert found
    assert greta.send("GET", found[0]).status == 200
    assert ada.send("GET", found[0]).status == 404


def test_a_stranger_is_refused_like_a_wrong_password(site: Site) -> None:
    answers = [
        site.visitor("acme.localhost").log_in("greta@globex.example", password) for password in ("demo", "wrong")
    ]
    shown = [re.sub(r'csrfmiddlewaretoken" value="\w+"', "", answer.text) for answer in answers]
    assert [answer.status for answer in answers] == [200, 200]
    assert shown[0] == shown[1]


def test_the_admin_is_for_those_who_manage_the_tenant(site: Site, ada: Client) -> None:
    member = site.log_in("acme.localhost", "milan@acme.example")
    assert ada.send("GET", "/admin/").status == 200
    assert member.send("GET", "/admin/").status == 302


@pytest.mark.parametrize("path", ["work/task", "work/project", "shop/order", "shop/customer", "shop/product"])
def test_the_admin_lists_and_adds_in_the_tenant(path: str, ada: Client, greta: Client) -> None:
    assert ada.send("GET", f"/admin/{path}/").status == 200
    assert ada.send("GET", f"/admin/{path}/add/").status == 200
    theirs = re.findall(rf"/admin/{path}/([0-9a-f-]{{36}})/change/", greta.send("GET", f"/admin/{path}/").text)
    assert theirs
    for page in (f"/admin/{path}/", f"/admin/{path}/add/"):
        shown = ada.send("GET", page).text
        assert not [key for key in theirs if key in shown]
        assert "Greta" not in shown
    assert ada.send("GET", f"/admin/{path}/{theirs[0]}/change/").status == 302
    assert ada.send("GET", f"/admin/{path}/{theirs[0]}/delete/").status == 302


def test_the_admins_suggestions_are_the_tenants(ada: Client, greta: Client) -> None:
    query = "/admin/autocomplete/?app_label=shop&model_name=order&field_name=customer&term="
    ours, theirs = ({row["id"] for row in client.send("GET", query).json()["results"]} for client in (ada, greta))
    assert ours
    assert theirs
    assert not ours & theirs


def test_the_landing_page_leads_to_an_address(site: Site) -> None:
    visitor = site.visitor("localhost")
    assert visitor.send("GET", "/open/?name=Acme").headers["Location"] == f"http://acme.localhost:{site.port}/"
    assert visitor.send("GET", "/open/?name=evil.example/").headers["Location"] == "/"


def test_the_operators_admin_shows_tenants_and_people(site: Site) -> None:
    operator = site.visitor("localhost")
    page = operator.send("GET", "/admin/login/")
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    login = {"username": "operator@workbench.example", "password": "demo", "csrfmiddlewaretoken": token[1]}
    assert operator.send("POST", "/admin/login/?next=/admin/", login, form=True).status == 302
    assert "globex" in operator.send("GET", "/admin/django_tenantkit/tenant/").text
    people = operator.send("GET", "/admin/users/user/").text
    person = re.search(r"/admin/users/user/(\w+)/change/", people)
    assert person
    assert operator.send("GET", f"/admin/users/user/{person[1]}/change/").status == 200
    assert operator.send("GET", f"/admin/users/user/{person[1]}/delete/").status == 403
