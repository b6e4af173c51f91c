"""A page of five queries, as it is written with tenant models and as it is written by hand."""

from __future__ import annotations

from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse

from django_tenantkit.models import Tenant

from .method import Work
from .models import Customer, Invoice, Line, PlainCustomer, PlainInvoice, PlainLine
from .requests import TENANT, Requests


def page(request: HttpRequest) -> HttpResponse:
    """The middleware knows the tenant."""
    customer = Customer.objects.get(name="Customer 7")
    invoices = list(Invoice.objects.select_related("customer")[:20])
    count = Invoice.objects.count()
    total = Invoice.objects.aggregate(total=Sum("amount"))["total"]
    line = Line.objects.create(text="New", invoice=invoices[0])
    return _answer(request, customer, invoices, count, total, line)


def plain_page(request: HttpRequest, tenant: int) -> HttpResponse:
    """The URL names the tenant's key, which costs nothing to find out."""
    customers, bills, lines = (
        model._default_manager.db_manager("plain") for model in (PlainCustomer, PlainInvoice, PlainLine)
    )
    customer = customers.get(tenant=tenant, name="Customer 7")
    invoices = list(bills.filter(tenant=tenant).select_related("customer")[:20])
    count = bills.filter(tenant=tenant).count()
    total = bills.filter(tenant=tenant).aggregate(total=Sum("amount"))["total"]
    line = lines.create(tenant_id=tenant, text="New", invoice=invoices[0])
    return _answer(request, customer, invoices, count, total, line)


def _answer(
    request: HttpRequest, customer: Any, invoices: list[Any], count: int, total: Any, line: Any
) -> HttpResponse:
    return HttpResponse(f"{request.user}: {customer.name}, {len(invoices)} of {count}, {total}, {line.pk}")


class Pages(Requests):
    """Requests of a member, whom the view asks for on both sides."""

    def plain(self, tenant: Tenant) -> Work:
        """Through sessions and authentication."""
        return self._request(f"/plain/{tenant.pk}/", self.cookies, ())

    def ours(self) -> Work:
        """Through our middleware too."""
        return self._request("/page/", self.cookies, (TENANT,))
