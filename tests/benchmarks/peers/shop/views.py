"""A page of five queries, and the rows that it reads."""

from __future__ import annotations

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.urls import path

from .models import Customer, Order, Visit

ROWS = 100


def page(request: HttpRequest) -> HttpResponse:
    customer = Customer.objects.get(email="c7@example.com")
    orders = list(Order.objects.select_related("customer")[:20])
    count = Order.objects.count()
    total = Order.objects.aggregate(total=Sum("total"))["total"]
    visit = Visit.objects.create(customer=customer, page="/")
    return HttpResponse(f"{customer.name}, {len(orders)} of {count}, {total}, {visit.pk}")


def fill() -> None:
    """Write the rows."""
    customers = Customer.objects.bulk_create(
        Customer(name=f"Customer {n}", email=f"c{n}@example.com") for n in range(ROWS)
    )
    Order.objects.bulk_create(Order(customer=customers[n // 4], number=f"{n:05}", total=n) for n in range(ROWS))


urlpatterns = [path("page/", page)]
