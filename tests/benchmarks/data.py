"""The rows that the benchmarks read: many tenants, each with the same rows in both worlds."""

from __future__ import annotations

from typing import Any

from django.db import connection, models

from django_tenantkit.context import tenant_context, unscoped
from django_tenantkit.lifecycle.places import make_place, take_place
from django_tenantkit.models import Tenant
from tests.databases import ISOLATION

from .models import Customer, Entry, Invoice, Line, PlainCustomer, PlainEntry, PlainInvoice, PlainLine

#: Tenants, and how many of them have rows in each table but the large one.
TENANTS = 1_000
FILLED = 200
ROWS = 100
#: Rows of each tenant in the large table.
ENTRIES = 1_000

#: The tenants' rows lie between each other's, as they do where all of them write.
_LARGE = """
INSERT INTO {table} (id, tenant_id, amount)
SELECT gen_random_uuid(), tenant.id, number %% 100
FROM generate_series(1, %s) AS number CROSS JOIN django_tenantkit_tenant AS tenant ORDER BY number
"""


def fill() -> Tenant:
    """Write all rows, and return the tenant in whose context is measured: one with a schema in a run with those."""
    made = [Tenant(slug=f"tenant-{number}", name=f"Tenant {number}") for number in range(TENANTS)]
    measured = made[FILLED // 2]
    if ISOLATION != "row":
        measured.uid, measured.isolation = make_place("schema").uid, "schema"
        with unscoped(reason="set-up of the benchmarks"):
            take_place("schema", uid=measured.uid)
    tenants = Tenant.objects.bulk_create(made)
    for tenant in tenants[:FILLED]:
        with tenant_context(tenant):
            _fill_tenant()
    for source, copy in ((Customer, PlainCustomer), (Invoice, PlainInvoice), (Line, PlainLine)):
        with connection.as_system():
            _copy(source, copy)
        if measured.home is not None:
            with connection.in_home(measured.home.schema):
                _copy(source, copy)
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return measured


def fill_large() -> None:
    """Write the rows of the large table and of its twin."""
    for model in (Entry, PlainEntry):
        table = connection.ops.quote_name(model._meta.db_table)
        with connection.as_system(), connection.cursor() as cursor:
            cursor.execute(_LARGE.format(table=table), [ENTRIES])
            cursor.execute(f"VACUUM ANALYZE {table}")


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
