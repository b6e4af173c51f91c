"""Other tenants work on while one moves: no statement of theirs waits for a lock of the job."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.move.run import move
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.moving.ground import fill, fresh, movers, rows
from tests.moving.test_fence import application
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]

#: Who has waited for a lock for longer than a change of the catalog takes, and for whom.
WAITING = """
SELECT a.query, b.query FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) AS blocking JOIN pg_stat_activity b
ON b.pid = blocking WHERE a.datname = %s AND clock_timestamp() - a.state_change > '0.2 s'
"""


class Beside(threading.Thread):
    """Writes and reads as another tenant until told to stop, and never waits for a lock for long."""

    def __init__(self, tenant: Any, stop: threading.Event) -> None:
        super().__init__()
        self.connection = application(tenant)
        self.tenant, self.stop = tenant, stop
        self.done = 0
        self.error: psycopg.Error | None = None

    def run(self) -> None:
        with self.connection as connection:
            connection.execute("SET lock_timeout = '1s'")
            connection.commit()
            try:
                while not self.stop.is_set():
                    connection.execute("UPDATE testapp_customer SET name = name")
                    connection.execute(
                        "INSERT INTO testapp_tag (tenant_id, label) VALUES (%s, %s)",
                        [self.tenant.pk, f"beside {self.done}"],
                    )
                    connection.execute("SELECT count(*) FROM testapp_customer").fetchall()
                    connection.commit()
                    self.done += 1
            except psycopg.Error as error:
                self.error = error


def test_nobody_else_waits() -> None:
    with movers("row", "row") as (tenant, other):
        fill(other, 1)
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=f"{n}") for n in range(20_000))
        stop = threading.Event()
        threads = [Beside(other, stop)]
        waited: list[Any] = []
        name = threads[0].connection.info.dbname

        def sample() -> None:
            with as_admin() as admin:
                while not stop.is_set():
                    waited.extend(admin.execute(WAITING, [name]).fetchall())

        threads.append(threading.Thread(target=sample))
        for thread in threads:
            thread.start()
        try:
            for to in ("schema", "row", "database", "row"):
                before = threads[0].done
                move(fresh(tenant), to, remap=True)
                assert threads[0].done > before
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert threads[0].error is None
        assert waited == []
        assert len(rows(tenant)["testapp.Customer"]) == 20_000
