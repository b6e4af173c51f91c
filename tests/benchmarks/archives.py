"""`python -m tests.benchmarks.archives`: a tenant's rows into an archive against COPY TO of the same rows into a file,
and out of it against COPY FROM of the same file, with the same indexes and references; and how long it takes to erase
them. Ends with 1 where a target is missed."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import django
from django.db import connection, connections, transaction

from tests import databases

#: What is reached: parts of the speed of COPY, and the memory of the process.
EXPORT, IMPORT, MEGABYTES = 1 / 2, 1 / 3, 200

FILL = """
INSERT INTO {invoice} (id, tenant_id, customer_id, number, amount, due)
SELECT gen_random_uuid(), %s, %s, 'INV-' || n, n %% 1000 + 0.25, CURRENT_DATE + n %% 365
FROM generate_series(1, %s) AS n
"""
COLUMNS = "number, amount, due"


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.archives", description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000, metavar="N")
    options.add_argument("--blocks", type=int, default=3, metavar="N", help="each is A B")
    arguments = options.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    run = databases.begin_run()
    try:
        return measured(arguments)
    finally:
        connections.close_all()
        databases.end_run(run)


def measured(arguments: argparse.Namespace) -> int:
    django.setup()
    from django_tenantkit.lifecycle.archive.exporting import export_tenant
    from django_tenantkit.lifecycle.archive.importing import import_tenant
    from django_tenantkit.testing.tenants import make_tenant

    databases.clone(connection, "benchmarks")
    tenant, other = make_tenant("acme"), make_tenant("other")
    customer, theirs = fill(tenant, arguments.rows), fill(other, 0)
    ratios: dict[str, list[float]] = {"export": [], "import": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_to(tenant, folder / "rows")
        export_tenant(tenant, folder / "first.tar")  # reads tables and catalogs for the first time
        for block in range(arguments.blocks):
            bare = seconds(lambda: copy_to(tenant, folder / "rows"))
            file = folder / f"{block}.tar"
            ours = seconds(lambda file=file: export_tenant(tenant, file))
            ratios["export"].append(bare / ours)
            print(f"COPY TO {bare:.2f} s, export {ours:.2f} s, {resident()} MB", flush=True)
            bare = seconds(lambda: copy_from(other, theirs, folder / "rows"))
            empty(other)
            ours = seconds(lambda file=file, block=block: import_tenant(file, f"copy{block}", remap=False))
            ratios["import"].append(bare / ours)
            empty_slug(f"copy{block}")
            print(f"COPY FROM {bare:.2f} s, import {ours:.2f} s, {resident()} MB", flush=True)
    from django_tenantkit.lifecycle.erase.run import erase

    took = seconds(lambda: erase(tenant, now=True))
    print(f"erased in {took:.2f} s, {arguments.rows / took:,.0f} rows a second, searched in texts too")
    del customer
    missed = [
        said(f"{name}, by the speed of COPY", median(ratios[name]), least)
        for name, least in (("export", EXPORT), ("import", IMPORT))
    ]
    print(f"resident memory: {resident()} MB (at most {MEGABYTES})")
    return int(any(missed) or resident() > MEGABYTES)


def fill(tenant: Any, rows: int) -> Any:
    from django_tenantkit import tenant_context
    from tests.benchmarks.models import Customer, Invoice

    with tenant_context(tenant):
        customer = Customer.objects.create(name="one")
    table = connection.ops.quote_name(Invoice._meta.db_table)
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(FILL.format(invoice=table), [tenant.pk, customer.pk, rows])
        cursor.execute("VACUUM ANALYZE")
    return customer.pk


def copy_to(tenant: Any, file: Path) -> None:
    from tests.benchmarks.models import Invoice

    rows = f"SELECT id, customer_id, {COLUMNS} FROM {Invoice._meta.db_table} WHERE tenant_id = {tenant.pk}"
    statement = f"COPY ({rows}) TO STDOUT"
    with connection.as_system(), connection.cursor() as cursor, open(file, "wb") as out, cursor.copy(statement) as copy:
        for data in copy:
            out.write(data)


def copy_from(tenant: Any, customer: Any, file: Path) -> None:
    """Rows with keys of their own: the others are there."""
    from tests.benchmarks.models import Invoice

    table = Invoice._meta.db_table
    with connection.as_system(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ALTER tenant_id SET DEFAULT {tenant.pk}")
        cursor.execute(f"ALTER TABLE {table} ALTER customer_id SET DEFAULT '{customer}'")
        cursor.execute(f"ALTER TABLE {table} ALTER id SET DEFAULT gen_random_uuid()")
        with cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN") as copy, open(file, "rb") as rows:
            for line in rows:
                copy.write(line.split(b"\t", 2)[2])
        for column in ("tenant_id", "customer_id", "id"):
            cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {table} ALTER {column} DROP DEFAULT")


def empty(tenant: Any) -> None:
    from tests.benchmarks.models import Invoice

    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Invoice._meta.db_table} WHERE tenant_id = %s", [tenant.pk])
        cursor.execute(f"VACUUM ANALYZE {Invoice._meta.db_table}")


def empty_slug(slug: str) -> None:
    from django_tenantkit.models import Tenant

    empty(Tenant.objects.get(slug=slug))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def said(name: str, ratio: float, least: float) -> bool:
    print(f"{name}: {ratio:.2f} (at least {least:.2f}){'  MISSED' if ratio < least else ''}")
    return ratio < least


if __name__ == "__main__":
    sys.exit(main())
