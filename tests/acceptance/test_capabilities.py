"""Rows of docs/reference/capabilities.md that can be seen from outside, by their ids. More on each: the other files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from example_project.demo.client import Client

from .conftest import Site


@pytest.fixture(scope="module")
def operator(site: Site) -> Client:
    return site.api("localhost", "operator@workbench.example")


def test_a1_a_tenant_has_name_slug_plan_and_status(operator: Client) -> None:
    tenants = {tenant["slug"]: tenant for tenant in operator.send("GET", "/api/tenants/").json()["results"]}
    acme = tenants["acme"]
    assert (acme["name"], acme["plan"], acme["status"]) == ("Acme Tools", "pro", "active")


def test_a3_rows_are_filtered_and_filled_in(acme: Client, globex: Client) -> None:
    made = acme.send("POST", "/api/labels/", {"name": "a3"}).json()
    assert acme.send("GET", f"/api/labels/{made['id']}/").status == 200
    assert globex.send("GET", f"/api/labels/{made['id']}/").status == 404


@pytest.mark.parametrize(("host", "header"), [("localhost", "acme"), ("acme.localhost", ""), ("api.localhost", "acme")])
def test_a4_a_tenant_is_named_by_header_or_subdomain(site: Site, host: str, header: str) -> None:
    assert replace(site.acme, host=host).send("GET", "/api/projects/", tenant=header).status == 200


@pytest.mark.parametrize("host", ["www.localhost", "api.localhost", "localhost"])
def test_a4_reserved_names_are_no_tenants(site: Site, host: str) -> None:
    assert "Projects and orders in one place" in site.visitor(host).send("GET", "/").text


def test_a4_a_tenant_is_named_by_a_domain_of_its_own(site: Site) -> None:
    assert replace(site.acme, host="tools.acme.example").send("GET", "/api/projects/").status == 200


def test_a5_tenants_are_for_operators(site: Site, operator: Client) -> None:
    assert operator.send("GET", "/api/tenants/").status == 200
    assert replace(site.acme, host="localhost").send("GET", "/api/tenants/").status == 403
    assert site.visitor("localhost").send("GET", "/api/tenants/").status == 401


def test_a6_the_tenant_is_set_and_not_exposed(site: Site, acme: Client) -> None:
    made = acme.send("POST", "/api/labels/", {"name": "a6", "tenant": 2, "tenant_id": 2}).json()
    assert list(made) == ["id", "name"]
    assert acme.send("GET", f"/api/labels/{made['id']}/").status == 200


def test_f5_resolvers_form_a_chain_and_may_not_disagree(site: Site) -> None:
    assert site.acme.send("GET", "/api/projects/", tenant="acme").status == 200
    assert site.acme.send("GET", "/api/projects/", tenant="globex").status == 400


def test_f10_provisioning_makes_tenant_admin_and_default_data_in_one_step(site: Site, operator: Client) -> None:
    wanted = {"slug": "pied-piper", "name": "Pied Piper", "admin_email": "ada@acme.example"}
    assert operator.send("POST", "/api/tenants/", wanted).status == 201
    labels = replace(site.acme, host="pied-piper.localhost").send("GET", "/api/labels/").json()
    assert labels["count"] == 5


def test_e6_a_malformed_id_is_refused(site: Site) -> None:
    base = replace(site.acme, host="localhost")
    assert base.send("GET", "/api/projects/", tenant="not a name").status == 400


def test_e6_nothing_is_left_for_the_next_request(site: Site) -> None:
    base = replace(site.acme, host="localhost")
    assert base.send("GET", "/api/projects/", tenant="acme").status == 200
    assert base.send("GET", "/api/projects/").status == 404


def test_e10_a_tenant_id_is_not_trusted_without_a_membership(site: Site) -> None:
    assert replace(site.acme, host="localhost").send("GET", "/api/projects/", tenant="globex").status == 404
