"""`python -m tests.benchmarks.moving`: a tenant's rows from one home to another, compared on both sides, against the
bare statements that copy them, with the same indexes and references; and with `--online` moves beside two writers, the
tenant and another one. Ends with 1 where a target is missed."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import django
from django.db import connection, connections

#: What is reached: parts of the speed of a bare INSERT ... SELECT, twice, and of a bare COPY through a pipe.
TARGETS = {"within a database": 0.8, "into a fresh schema": 2.0, "between databases": 0.6}

FILL = """
INSERT INTO {invoice} (id, tenant_id, customer_id, number, amount, due)
SELECT gen_random_uuid(), %s, %s, 'INV-' || n, n %% 1000 + 0.25, CURRENT_DATE + n %% 365
FROM generate_series(1, %s) AS n
"""


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.moving", description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000, metavar="N")
    options.add_argument("--blocks", type=int, default=3, metavar="N", help="each is A B")
    options.add_argument("--online", action="store_true", help="moves beside writers, and nothing else")
    options.add_argument("--rate", type=int, default=1000, metavar="N", help="how often each of them writes a second")
    arguments = options.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    os.environ["TENANTKIT_TEST_ISOLATION"] = "mixed"
    from tests import databases

    run = databases.begin_run()
    try:
        django.setup()
        databases.clone(connection, "benchmarks")
        return online(arguments) if arguments.online else measured(arguments)
    finally:
        connections.close_all()
        databases.end_run(run)


def measured(arguments: argparse.Namespace) -> int:
    from django_tenantkit.isolation.entries import SHARED
    from django_tenantkit.lifecycle.move.making import bring_shared, make_place
    from django_tenantkit.lifecycle.move.sides import Spot, opened
    from django_tenantkit.testing.tenants import make_tenant

    one, other = make_tenant("acme", isolation="row"), make_tenant("other", isolation="row")
    shared, schema, database = (Spot(kind, "", one.uid) for kind in ("row", "schema", "database"))
    fill(one, arguments.rows)
    fill(other, arguments.rows // 10)
    for spot in (schema, database):
        make_place(spot)
    ratios: dict[str, list[float]] = {name: [] for name in TARGETS}
    with opened(shared, schema, database) as (_, (rows, own, apart)):
        bring_shared(rows, apart, one)
        for _ in range(arguments.blocks):
            for name, source, target in (
                ("into a fresh schema", rows, own),
                ("between databases", rows, apart),
            ):
                compare(name, source, target, one, ratios[name])
        keep(rows, own, one)
        for _ in range(arguments.blocks):
            compare("within a database", own, rows, one, ratios["within a database"])
    connections[SHARED].close()
    missed = [said(name, median(ratios[name]), least) for name, least in TARGETS.items()]
    return int(any(missed))


def online(arguments: argparse.Namespace) -> int:
    """A move into a schema and one back into shared tables, while the tenant and another one write."""
    from django_tenantkit.lifecycle.move.run import move
    from django_tenantkit.models import Tenant
    from django_tenantkit.testing.tenants import make_tenant
    from tests.moving.beside import at_work

    one, other = make_tenant("acme", isolation="row"), make_tenant("other", isolation="row")
    fill(one, arguments.rows)
    fill(other, arguments.rows // 10)
    missed = 0
    for to in ("schema", "row"):
        tenant = Tenant.objects.get(pk=one.pk)
        writers = [writing(tenant, arguments.rate), writing(other, arguments.rate)]
        with at_work(*writers) as sampler:
            job = move(tenant, to, online=True)
        took = {step["name"]: step["seconds"] for step in job.steps}
        found = job.result["online"]
        part = found["left"] / found["rows"]
        frozen = sum(took[name] for name in ("freeze", "fence", "move_rows", "leave", "tell_stores", "thaw"))
        print(
            f"to {to} beside {writers[0].done} and {writers[1].done} writes: copied {found['rows']} rows in "
            f"{took['copy_beside']:.1f} s and {found['rounds']} rounds; {found['left']} left at the freeze, {part:.2%} "
            f"(at most 1 %); frozen for {frozen:.2f} s, of which switching {took['move_rows']:.2f} s\n"
            f"  {sampler.samples} samples of locks: {sampler.blocked} in which the other waits for the job, "
            f"{sampler.waited} in which the job waits for the other, {sampler.moments} in which the other waits while "
            "a table is taken for a moment",
            flush=True,
        )
        missed += part > 0.01 or bool(sampler.waits) or writers[1].error is not None
    connections.close_all()
    return int(bool(missed))


def writing(tenant: Any, rate: int) -> Any:
    """Somebody who changes rows of the tenant and makes new ones."""
    from tests.benchmarks.models import Customer, Invoice
    from tests.moving.beside import Writer

    customers, invoices = (connection.ops.quote_name(model._meta.db_table) for model in (Customer, Invoice))
    insert = (
        f"INSERT INTO {invoices} (id, tenant_id, customer_id, number, amount, due) "
        f"SELECT gen_random_uuid(), tenant_id, id, %s, 1, NULL FROM {customers} LIMIT 1 RETURNING id"
    )
    keys: list[Any] = []

    def work(its: Any, number: int) -> None:
        if number % 2:
            its.execute(f"UPDATE {invoices} SET amount = amount + 1 WHERE id = %s", [random.choice(keys)])
        else:
            keys.append(its.execute(insert, [f"NEW-{number}"]).fetchone()[0])

    return Writer(tenant, work, 1 / rate)


def compare(name: str, source: Any, target: Any, tenant: Any, ratios: list[float]) -> None:
    """Both ways, and neither stays."""
    from django_tenantkit.lifecycle.move.transfer import Transfer

    transfer = Transfer(source, target, str(tenant.pk))
    bare = seconds(lambda: undone(transfer, lambda: copy(transfer)))
    swept(transfer)
    ours = seconds(lambda: undone(transfer, lambda: transfer.run()))
    swept(transfer)
    ratios.append(bare / ours)
    print(f"{name}: bare {bare:.2f} s, compared {ours:.2f} s", flush=True)


def copy(transfer: Any) -> None:
    """The bare statements."""
    if transfer.target.spot.is_shared:
        transfer.target.raw.execute("SET CONSTRAINTS ALL DEFERRED")
    for content, copied in transfer.tables:
        if content.label in ("benchmarks.Customer", "benchmarks.Invoice"):
            if transfer.source.raw is transfer.target.raw:
                transfer.target.raw.execute(copied.insert())
                continue
            with (
                transfer.source.raw.cursor() as reader,
                transfer.target.raw.cursor() as writer,
                reader.copy(copied.copy_out()) as rows,
                writer.copy(copied.copy_in()) as taken,
            ):
                for row in rows:
                    taken.write(row)
    transfer.target.raw.execute("SET CONSTRAINTS ALL IMMEDIATE")


def undone(transfer: Any, work: Callable[[], object]) -> None:
    with transfer.target.raw.transaction(force_rollback=True):
        work()


def swept(transfer: Any) -> None:
    """The tables as they were: whoever comes next would walk through the dead rows of the last one."""
    for content, copied in transfer.tables:
        if content.label in ("benchmarks.Customer", "benchmarks.Invoice"):
            transfer.target.raw.execute(f"VACUUM (INDEX_CLEANUP ON) {copied.target}")


def fill(tenant: Any, rows: int) -> None:
    from django_tenantkit import tenant_context
    from tests.benchmarks.models import Customer, Invoice

    with tenant_context(tenant):
        customer = Customer.objects.create(name="one")
    table = connection.ops.quote_name(Invoice._meta.db_table)
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(FILL.format(invoice=table), [tenant.pk, customer.pk, rows])
        cursor.execute("VACUUM ANALYZE")


def keep(source: Any, target: Any, tenant: Any) -> None:
    """Move the rows, so that they can be moved back."""
    from django_tenantkit.lifecycle.move.transfer import Transfer

    transfer = Transfer(source, target, str(tenant.pk))
    with target.raw.transaction():
        transfer.run()
    for _, copied in reversed(transfer.tables):
        source.raw.execute(f"DELETE FROM {copied.source.replace(' AS s', ' s')}")
        source.raw.execute(f"VACUUM ANALYZE {copied.source.split(' ')[0]}")
    for content, _ in transfer.tables:
        target.raw.execute(f"VACUUM ANALYZE {target.path(content.table)}")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def said(name: str, ratio: float, least: float) -> bool:
    missed = "  MISSED" if ratio < least else ""
    print(f"{name}, by the speed of the bare statements: {ratio:.2f} (at least {least:.2f}){missed}")
    return ratio < least


if __name__ == "__main__":
    sys.exit(main())
