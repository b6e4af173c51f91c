"""Which tenant a request means, and who is let in: over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .conftest import Site


@pytest.mark.parametrize("host", ["ACME.localhost", "acme.localhost.", "Acme.LocalHost"])
def test_a_host_is_the_same_however_it_is_written(site: Site, host: str) -> None:
    assert replace(site.acme, host=host).send("GET", "/api/projects/").status == 200


@pytest.mark.parametrize("host", ["nobody.localhost", "acme.acme.localhost", "-.localhost", "xn--acme.localhost"])
def test_a_host_of_nobody_is_not_found(site: Site, host: str) -> None:
    assert replace(site.acme, host=host).send("GET", "/api/projects/").status == 404


@pytest.mark.parametrize("value", ["acme globex", "acme,globex", "' OR 1=1", "../acme", "1", "acme\u00e9", " "])
def test_a_header_that_can_be_no_name_is_malformed(site: Site, value: str) -> None:
    base = replace(site.acme, host="localhost")
    assert base.send("GET", "/api/projects/", further={"X-Tenant-ID": value}).status == 400


def test_an_api_that_needs_a_tenant_is_not_on_the_base_domain(site: Site) -> None:
    assert replace(site.acme, host="localhost").send("GET", "/api/projects/").status == 404


def test_a_refusal_is_the_same_as_nobody_at_every_path(site: Site) -> None:
    for path in ("/", "/api/", "/api/orders/", "/admin/", "/no/such/page/"):
        denied = replace(site.acme, host="globex.localhost").send("GET", path)
        nobody = replace(site.acme, host="nobody.localhost").send("GET", path)
        if path.startswith("/api/") and path != "/api/":
            assert denied.status == nobody.status == 404
            assert denied.body == nobody.body


def test_answers_vary_by_the_header_that_was_asked(site: Site) -> None:
    answer = site.acme.send("GET", "/api/projects/")
    assert "X-Tenant-ID" in answer.headers["Vary"]


def test_a_session_counts_where_it_was_begun(site: Site) -> None:
    browser = site.log_in("acme.localhost", "sam@carter.example")
    assert browser.send("GET", "/").status == 200
    elsewhere = replace(browser, host="globex.localhost")
    assert elsewhere.send("GET", "/").headers["Location"].startswith("/login/")


def test_a_header_does_not_move_a_session(site: Site) -> None:
    browser = site.log_in("acme.localhost", "sam@carter.example")
    assert browser.send("GET", "/", tenant="globex").status == 400


def test_an_operator_is_a_stranger_to_tenants(site: Site) -> None:
    assert site.api("acme.localhost", "operator@workbench.example").send("GET", "/api/projects/").status == 404


def test_operators_tenants_are_not_on_a_tenants_address(site: Site) -> None:
    operator = site.api("acme.localhost", "operator@workbench.example")
    assert operator.send("GET", "/api/tenants/").status == 404


@pytest.mark.parametrize("path", ["/healthz", "/static/pages/workbench.css"])
@pytest.mark.parametrize("host", ["localhost", "acme.localhost"])
def test_what_needs_no_tenant_is_there_for_everybody(site: Site, host: str, path: str) -> None:
    assert site.visitor(host).send("GET", path).status == 200
