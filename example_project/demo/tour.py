"""Requests to the running site, each printed with its result. What is asked: `attempts.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

from django_tenantkit.context import tenant_context
from django_tenantkit.models import AbstractTenant
from example_project.shop.models import Customer
from example_project.users.models import User

from .client import Answer, Client
from .companies import COMPANIES
from .fill import token_of
from .site import Site


class Tour:
    """Sends requests, compares, prints and counts. `write` gets one line each."""

    def __init__(self, site: Site, port: int, write: Callable[[str], object]) -> None:
        self.site = site
        self.port = port
        self.write = write
        self.requests = 0
        self.unexpected = 0
        self.acme = self.client("acme", token=self.token_of("acme"))
        self.globex = self.client("globex", token=self.token_of("globex"))
        self.initech = self.client("initech", token=self.token_of("initech"))

    def run(self, parts: Iterable[Part]) -> None:
        """All attempts, part by part."""
        for part in parts:
            self.write(f"\n{(part.__doc__ or '').strip()}")
            part(self)
        self.write("")

    def client(self, host: str, token: str = "") -> Client:
        """Somebody at a tenant's address (`acme`), at the base domain (``) or at any host (`a.example`)."""
        full = host if "." in host else f"{host}.localhost".removeprefix(".")
        return Client(self.port, full, token)

    def token_of(self, slug: str) -> str:
        """The token of a tenant's admin."""
        company = next(company for company in COMPANIES if company.slug == slug)
        return token_of(User.objects.get(email=company.admin_email))

    def count(self, tenant: AbstractTenant, model: Any) -> int:
        """How many rows the tenant has, asked in the database."""
        with tenant_context(tenant):
            return int(model.objects.count())

    def some(self, tenant: AbstractTenant, model: Any, **wanted: Any) -> Any:
        """One of the tenant's rows."""
        with tenant_context(tenant):
            row: models.Model = model.objects.filter(**wanted).order_by("pk")[:1].get()
        return row

    def email_of_globex_alone(self) -> str:
        """The address of a customer whom globex has and acme has not."""
        with tenant_context(self.site.acme):
            known = list(Customer.objects.values_list("email", flat=True))
        with tenant_context(self.site.globex):
            return Customer.objects.exclude(email__in=known).values_list("email", flat=True)[0]

    def ask(
        self,
        what: str,
        expected: int,
        client: Client,
        request: str,
        data: Any = None,
        *,
        tenant: str = "",
        form: bool = False,
        check: Callable[[Answer], bool] | None = None,
    ) -> Answer:
        """Send one request, such as `GET /api/projects/`; it is as expected when the status is, and
        `check(answer)` holds."""
        method, path = request.split(" ", 1)
        return self.judge(what, expected, client.send(method, path, data, tenant=tenant, form=form), check)

    def judge(self, what: str, expected: int, answer: Answer, check: Callable[[Answer], bool] | None = None) -> Answer:
        """Print and count an answer."""
        right = answer.status == expected and (check is None or _holds(check, answer))
        self.requests += 1
        self.unexpected += not right
        self.write(f"{self.requests:4}  {'ok   ' if right else 'WRONG'} {answer.status}  {what}")
        if not right:
            self.write(f"      expected {expected}; got {answer.status} {answer.body[:300]!r}")
        return answer


#: Some attempts that belong together; the docstring is their heading.
Part = Callable[[Tour], None]


def _holds(check: Callable[[Answer], bool], answer: Answer) -> bool:
    try:
        return check(answer)
    except (ValueError, KeyError, TypeError, IndexError):  # the answer has another shape than it should
        return False
