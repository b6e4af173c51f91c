"""What the tour asks: what must work, and what nobody may get. Each part's docstring is its heading."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django_tenantkit.lifecycle.suspend import resume, start_maintenance
from example_project.shop.models import Customer, Order, Product
from example_project.users.factories import PASSWORD
from example_project.work.models import Project, Task

from .client import Answer
from .companies import ACME, COMMON_CUSTOMER, GLOBEX
from .fill import token_of
from .moves import moving
from .site import CUSTOM_DOMAIN
from .tour import Part, Tour

Check = Callable[[Answer], bool]


def own_data(tour: Tour) -> None:
    """Everybody sees their own"""
    acme, globex, site = tour.acme, tour.globex, tour.site
    anyone = tour.client("acme")
    login = {"username": ACME.admin_email, "password": PASSWORD}
    tour.ask("acme's catalogue, for everybody", 200, anyone, "GET /catalogue/", check=says(ACME.products[0][1]))
    tour.ask("projects, without a token", 401, anyone, "GET /api/projects/")
    tour.ask("a token for a wrong password", 400, anyone, "POST /api/token/", login | {"password": "guess"})
    tour.ask(
        "a token for the right one",
        200,
        anyone,
        "POST /api/token/",
        login,
        check=lambda a: a.json()["token"] == acme.token,
    )
    for client, tenant in ((acme, site.acme), (globex, site.globex)):
        for path, model in (("projects", Project), ("orders", Order)):
            number = tour.count(tenant, model)
            tour.ask(f"{tenant.slug} lists its {number} {path}", 200, client, f"GET /api/{path}/", check=counts(number))
    tour.ask(
        "acme's members: its own, and the freelancer",
        200,
        acme,
        "GET /api/members/",
        check=lambda a: counts(len(ACME.people) + 1)(a) and GLOBEX.admin_email not in a.text,
    )
    for host in ("acme", "globex"):
        both = tour.client(host, token_of(site.freelancer))
        tenant = getattr(site, host)
        number = tour.count(tenant, Customer)
        what = f"the freelancer of both, at {host}: {number} customers"
        tour.ask(what, 200, both, "GET /api/customers/", check=counts(number))


def writing(tour: Tour) -> None:
    """New rows belong to the tenant, and only its own values are taken"""
    acme, globex, site = tour.acme, tour.globex, tour.site
    project = {"key": "NEW", "name": "A new idea", "starts_on": "2026-01-15"}
    before = tour.count(site.globex, Project)
    tour.ask(
        "acme makes a project, and says it is globex's: it is acme's, and no tenant is in the answer",
        201,
        acme,
        "POST /api/projects/",
        project | {"tenant": site.globex.pk, "tenant_id": site.globex.pk},
        check=lambda a: (
            "tenant" not in a.text
            and tour.some(site.acme, Project, key="NEW").name == "A new idea"
            and tour.count(site.globex, Project) == before
        ),
    )
    tour.ask(
        "the same key again, at acme", 400, acme, "POST /api/projects/", project, check=lambda a: "key" in a.json()
    )
    tour.ask("the same key, at globex", 201, globex, "POST /api/projects/", project)
    customer = {"name": "Second Northwind", "email": COMMON_CUSTOMER[1]}
    tour.ask(
        "an e-mail address acme has",
        400,
        acme,
        "POST /api/customers/",
        customer,
        check=lambda a: "email" in a.json(),
    )
    tour.ask(
        "one that only globex has",
        201,
        acme,
        "POST /api/customers/",
        customer | {"email": tour.email_of_globex_alone()},
    )
    product = tour.some(site.acme, Product)
    order = {
        "number": "A-9001",
        "customer": tour.some(site.acme, Customer).pk,
        "lines": [{"product": product.pk, "quantity": 2}],
    }
    tour.ask(
        "an order with a line, and its total",
        201,
        acme,
        "POST /api/orders/",
        order,
        check=lambda a: a.json()["total"] == f"{2 * product.price:.2f}" and "tenant" not in a.text,
    )


def others_rows(tour: Tour) -> None:
    """Another tenant's row is the same as no row"""
    acme, globex, site = tour.acme, tour.globex, tour.site
    theirs, nobodys = tour.some(site.globex, Order), uuid.uuid4()
    for method, data in (("GET", None), ("PATCH", {"status": "cancelled"}), ("DELETE", None)):
        answer = tour.ask(f"acme: {method} globex's order", 404, acme, f"{method} /api/orders/{theirs.pk}/", data)
        tour.ask(
            f"acme: {method} an order that nobody has: the same bytes",
            404,
            acme,
            f"{method} /api/orders/{nobodys}/",
            data,
            check=same_as(answer),
        )
    tour.ask(
        "globex: the order is there, unchanged",
        200,
        globex,
        f"GET /api/orders/{theirs.pk}/",
        check=lambda a: a.json()["status"] == theirs.status,
    )
    tour.ask(
        "acme searches for a customer of globex",
        200,
        acme,
        f"GET /api/customers/?search={tour.email_of_globex_alone()}",
        check=counts(0),
    )
    tour.ask(
        "acme sorts and pages through orders",
        200,
        acme,
        "GET /api/orders/?ordering=total&page=2",
        check=counts(tour.count(site.acme, Order)),
    )


def others_values(tour: Tour) -> None:
    """Another tenant's row as a value is the same as a value that does not exist"""
    acme, site = tour.acme, tour.site
    theirs, nobodys = tour.some(site.globex, Project).pk, uuid.uuid4()
    task = {"title": "Look around", "project": theirs}
    answer = tour.ask("a task in globex's project", 400, acme, "POST /api/tasks/", task)
    expected = answer.body.replace(str(theirs).encode(), str(nobodys).encode())
    tour.ask(
        "a task in nobody's project: the same bytes",
        400,
        acme,
        "POST /api/tasks/",
        task | {"project": nobodys},
        check=lambda a: a.body == expected,
    )
    tour.ask("tasks filtered by globex's project", 400, acme, f"GET /api/tasks/?project={theirs}")
    own = tour.some(site.acme, Order)
    customer, product = tour.some(site.globex, Customer).pk, tour.some(site.globex, Product).pk
    tour.ask("an own order, for globex's customer", 400, acme, f"PATCH /api/orders/{own.pk}/", {"customer": customer})
    order = {"number": "A-9002", "customer": own.customer_id, "lines": [{"product": product, "quantity": 1}]}
    tour.ask("a new order of globex's product", 400, acme, "POST /api/orders/", order)
    stranger = site.operator.pk
    task = {"title": "Spy", "project": tour.some(site.acme, Project).pk, "assignee": stranger}
    tour.ask("a task for somebody who is no member", 400, acme, "POST /api/tasks/", task)


def other_tenants(tour: Tour) -> None:
    """A tenant one may not enter is the same as one that does not exist"""
    acme, site = tour.acme, tour.site
    at_globex = tour.client("globex", acme.token)
    denied = tour.ask("acme's token at globex's address", 404, at_globex, "GET /api/projects/")
    nowhere = tour.client("initrode", acme.token)
    tour.ask("and where no tenant lives: the same bytes", 404, nowhere, "GET /api/projects/", check=same_as(denied))
    base = tour.client("", acme.token)
    number = tour.count(site.acme, Project)
    tour.ask("acme named by the header, by slug", 200, base, "GET /api/projects/", tenant="acme", check=counts(number))
    tour.ask(
        "acme named by the header, by uid",
        200,
        base,
        "GET /api/projects/",
        tenant=str(site.acme.uid),
        check=counts(number),
    )
    denied = tour.ask("globex named by the header", 404, base, "GET /api/projects/", tenant="globex")
    tour.ask(
        "nobody named by the header: the same bytes",
        404,
        base,
        "GET /api/projects/",
        tenant="initrode",
        check=same_as(denied),
    )
    tour.ask("acme's address, globex in the header", 400, acme, "GET /api/projects/", tenant="globex")
    tour.ask("acme's address, acme in the header", 200, acme, "GET /api/projects/", tenant="acme", check=counts(number))
    tour.ask("a header that can be no name", 400, base, "GET /api/projects/", tenant="../globex")
    tour.ask("the header, without a token", 404, tour.client(""), "GET /api/projects/", tenant="acme")
    tour.ask("a host that is nobody's domain", 400, tour.client("evil.example"), "GET /")
    tour.ask(
        "a name of acme under another one", 404, tour.client("acme.globex.localhost", acme.token), "GET /api/projects/"
    )
    operator = tour.client("acme", token_of(site.operator))
    tour.ask("the operators' token at acme: no member", 404, operator, "GET /api/projects/")
    own_domain = tour.client(CUSTOM_DOMAIN)
    tour.ask("acme's own domain", 200, own_domain, "GET /catalogue/", check=says(ACME.products[0][1]))


def in_the_browser(tour: Tour) -> None:
    """A login counts at the address where it was made"""
    site = tour.site
    browser = tour.client("acme")
    tour.judge("acme's admin logs in", 302, browser.log_in(ACME.admin_email, PASSWORD))
    tour.ask("acme's dashboard", 200, browser, "GET /", check=says(ACME.projects[0].name))
    elsewhere = tour.client("globex")
    elsewhere.cookies = dict(browser.cookies)
    tour.ask(
        "acme's cookie at globex: not logged in",
        302,
        elsewhere,
        "GET /",
        check=lambda a: "/login/" in a.headers["Location"],
    )
    project = tour.some(site.globex, Project, key="SCH")
    tour.ask("globex's project, on acme's page", 404, browser, f"GET /projects/{project.pk}/")
    number = tour.count(site.acme, Order)
    tour.ask(
        f"the admin lists acme's {number} orders",
        200,
        browser,
        "GET /admin/shop/order/",
        check=says(f"{number} orders"),
    )
    order = tour.some(site.globex, Order)
    tour.ask("the admin does not know globex's order", 302, browser, f"GET /admin/shop/order/{order.pk}/change/")
    person = tour.client("globex")
    answer = person.log_in(ACME.admin_email, PASSWORD)
    tour.judge("acme's admin logs in at globex: refused like a wrong password", 200, answer, says("correct"))


def operators(tour: Tour) -> None:
    """Operators run tenants from the base domain"""
    site = tour.site
    visitor, member = tour.client(""), tour.client("", tour.acme.token)
    operator = tour.client("", token_of(site.operator))
    tour.ask("the landing page", 200, visitor, "GET /", check=says("Projects and orders"))
    tour.ask("the health probe", 200, visitor, "GET /healthz")
    tour.ask("tenants, asked by acme's admin", 403, member, "GET /api/tenants/")
    tour.ask("tenants, asked by an operator", 200, operator, "GET /api/tenants/", check=says("initech"))
    for slug in ("www", "xn--acme", "acme", "42"):
        tour.ask(f"a new tenant named {slug!r}", 400, operator, "POST /api/tenants/", {"slug": slug, "name": "No"})
    tour.ask("a new tenant: hooli", 201, operator, "POST /api/tenants/", {"slug": "hooli", "name": "Hooli"})
    tour.ask(
        "hooli's page, at once, and empty", 200, tour.client("hooli"), "GET /catalogue/", check=says("Nothing here")
    )
    tour.ask("nobody deletes a tenant", 404, operator, "DELETE /api/tenants/hooli/")


def locked(tour: Tour) -> None:
    """Suspended tenants, and tenants in maintenance"""
    initech, operator = tour.initech, tour.client("", token_of(tour.site.operator))
    stranger = tour.client("", tour.acme.token)
    tour.ask("an operator suspends initech", 200, operator, "POST /api/tenants/initech/suspend/")
    tour.ask("initech's own people are told", 403, initech, "GET /api/projects/")
    tour.ask("a stranger who names it is not", 404, stranger, "GET /api/projects/", tenant="initech")
    tour.ask("an operator resumes initech", 200, operator, "POST /api/tenants/initech/resume/")
    number = tour.count(tour.site.initech, Task)
    tour.ask("everything is there", 200, initech, "GET /api/tasks/", check=counts(number))
    start_maintenance(tour.site.initech)
    tour.ask("in maintenance", 503, initech, "GET /api/tasks/", check=lambda a: int(a.headers["Retry-After"]) > 0)
    resume(tour.site.initech)
    tour.ask("and back", 200, initech, "GET /api/tasks/", check=counts(number))


PARTS: tuple[Part, ...] = (
    own_data,
    writing,
    others_rows,
    others_values,
    other_tenants,
    in_the_browser,
    operators,
    locked,
    moving,
)


def says(text: str) -> Check:
    """A check: the answer contains the text."""
    return lambda answer: text in answer.text


def counts(number: int) -> Check:
    """A check: a list that has so many rows in all."""
    return lambda answer: answer.json()["count"] == number


def same_as(other: Answer) -> Check:
    """A check: the answer cannot be told from the other."""
    return lambda answer: answer.body == other.body
