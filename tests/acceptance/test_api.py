"""The API over HTTP: what a client gets, and what it cannot get."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from example_project.demo.client import Client

LISTS = ("projects", "tasks", "labels", "customers", "products", "orders")

every_list = pytest.mark.parametrize("path", LISTS)


def rows(client: Client, path: str) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    found: list[dict[str, Any]] = []
    address: str | None = f"/api/{path}/"
    while address:
        answer = client.send("GET", address).json()
        found += answer["results"]
        address = answer["next"] and answer["next"].split(f":{client.port}", 1)[1]
    return found


@every_list
def test_two_tenants_have_no_row_in_common(path: str, acme: Client, globex: Client) -> None:
    ours, theirs = ({row["id"] for row in rows(client, path)} for client in (acme, globex))
    assert ours
    assert theirs
    assert not ours & theirs


@every_list
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_another_tenants_row_is_answered_like_no_row(path: str, method: str, acme: Client, globex: Client) -> None:
    theirs = rows(globex, path)[0]["id"]
    answers = [acme.send(method, f"/api/{path}/{key}/", {}) for key in (theirs, uuid.uuid4())]
    assert answers[0].status == answers[1].status
    assert answers[0].status in ((404, 200) if method == "OPTIONS" else (404,))
    assert answers[0].body == answers[1].body
    assert {row["id"] for row in rows(globex, path)} >= {theirs}


@every_list
def test_the_tenant_is_not_in_the_output(path: str, acme: Client) -> None:
    assert all("tenant" not in row for row in rows(acme, path))


@every_list
def test_the_browsable_api_offers_only_own_choices(path: str, acme: Client, globex: Client) -> None:
    page = acme.send("GET", f"/api/{path}/", further={"Accept": "text/html"}).text
    theirs = {row["id"] for other in LISTS for row in rows(globex, other)}
    assert "<form" in page
    assert not [key for key in theirs if key in page]
    assert "Greta" not in page


@pytest.mark.parametrize(
    ("path", "field", "other"),
    [
        ("tasks", "project", "projects"),
        ("tasks", "labels", "labels"),
        ("orders", "customer", "customers"),
    ],
)
def test_another_tenants_row_is_no_value(path: str, field: str, other: str, acme: Client, globex: Client) -> None:
    own, theirs = rows(acme, path)[0]["id"], rows(globex, other)[0]["id"]
    bodies = []
    for key in (theirs, str(uuid.uuid4())):
        answer = acme.send("PATCH", f"/api/{path}/{own}/", {field: [key] if field == "labels" else key})
        assert answer.status == 400
        bodies.append(answer.text.replace(key, ""))
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    "query", ["tasks/?project={projects}", "tasks/?labels={labels}", "orders/?customer={customers}"]
)
def test_a_filter_does_not_know_another_tenants_row(query: str, acme: Client, globex: Client) -> None:
    theirs = {path: rows(globex, path)[0]["id"] for path in LISTS}
    assert acme.send("GET", f"/api/{query.format(**theirs)}").status == 400


def test_a_search_finds_own_rows_only(acme: Client, globex: Client) -> None:
    sku = rows(globex, "products")[1]["sku"]
    assert globex.send("GET", f"/api/products/?search={sku}").json()["count"] == 1
    assert acme.send("GET", f"/api/products/?search={sku}").json()["count"] == 0


def test_a_duplicate_is_an_error_of_its_field(acme: Client) -> None:
    taken = rows(acme, "customers")[0]
    answer = acme.send("POST", "/api/customers/", {"name": "Twin", "email": taken["email"]})
    assert answer.status == 400
    assert list(answer.json()) == ["email"]


def test_a_product_stands_in_one_line_of_an_order(acme: Client) -> None:
    product, customer = rows(acme, "products")[0]["id"], rows(acme, "customers")[0]["id"]
    lines = [{"product": product, "quantity": 1}] * 2
    answer = acme.send("POST", "/api/orders/", {"number": "A-8001", "customer": customer, "lines": lines})
    assert answer.status == 400
    assert list(answer.json()) == ["lines"]


def test_the_lines_of_an_order_are_replaced_as_a_whole(acme: Client) -> None:
    products, customer = rows(acme, "products"), rows(acme, "customers")[0]["id"]
    lines = [{"product": product["id"], "quantity": 2} for product in products[:2]]
    order = acme.send("POST", "/api/orders/", {"number": "A-8002", "customer": customer, "lines": lines}).json()
    changed = acme.send("PATCH", f"/api/orders/{order['id']}/", {"lines": lines[:1]}).json()
    assert len(order["lines"]) == 2
    assert [line["product"] for line in changed["lines"]] == [products[0]["id"]]


def test_members_are_those_of_the_tenant(acme: Client) -> None:
    emails = {member["email"] for member in rows(acme, "members")}
    assert {email.split("@")[1] for email in emails} == {"acme.example", "carter.example"}


def test_a_stranger_can_be_given_no_task(acme: Client, globex: Client) -> None:
    greta = next(member["id"] for member in rows(globex, "members") if member["email"].startswith("greta"))
    task = rows(acme, "tasks")[0]["id"]
    assert acme.send("PATCH", f"/api/tasks/{task}/", {"assignee": greta}).status == 400
