"""The rows that the benchmarks read: many tenants, each with the same rows in both worlds."""

from __future__ import annotations

from typing import Any

from django.db import connection, models

from django_tenantkit.context import tenant_context
from django_tenantkit.models import Tenant

from .models import Customer, Invoice, Line, PlainCustomer, PlainInvoice, PlainLine

TENANTS = 200
ROWS = 100


def fill() -> Tenant:
    """Write all rows, and return the tenant in whose context is measured."""
    tenants = Tenant.objects.bulk_create(
        Tenant(slug=f"tenant-{number}", name=f"Tenant {number}") for number in range(TENANTS)
    )
    for tenant in tenants:
        with tenant_context(tenant):
            _fill_tenant()
    for source, copy in ((Customer, PlainCustomer), (Invoice, PlainInvoice), (Line, PlainLine)):
        _copy(source, copy)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return tenants[TENANTS // 2]


def _fill_tenant() -> None:
    """A customer of four has four invoices, an invoice of two has two lines."""
    customers = Customer.objects.bulk_create(
        Customer(name=f"Customer {i}", email=f"{i}@example.com", active=i % 2 == 0) for i in range(ROWS)
    )
    invoices = Invoice.objects.bulk_create(
        Invoice(number=f"{i:05}", amount=i, customer=customers[i // 4]) for i in range(ROWS)
    )
    Line.objects.bulk_create(Line(text=f"Line {i}", invoice=invoices[i // 2]) for i in range(ROWS))


def _copy(source: type[models.Model], copy: type[models.Model]) -> None:
    """The twin's rows, with the same keys."""
    columns = ", ".join(connection.ops.quote_name(field.column) for field in _fields(source))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {copy._meta.db_table} ({columns}) SELECT {columns} FROM {source._meta.db_table}")


def _fields(model: type[models.Model]) -> list[Any]:
    return list(model._meta.local_concrete_fields)
