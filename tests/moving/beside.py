"""Others at work while a job runs, and who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.databases import as_admin
from tests.moving.ground import application

#: Who waits for a lock of whom now, with what both do, where just one of them is among some backends.
WAITING = """
SELECT a.pid = ANY (%(theirs)s), a.query, b.query
FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) AS blocking JOIN pg_stat_activity b ON b.pid = blocking
WHERE (a.pid = ANY (%(theirs)s)) <> (b.pid = ANY (%(theirs)s))
"""

#: What takes a table for a moment, in a transaction of its own and with NOWAIT: making and dropping triggers and
#: policies, and seeing that nobody writes.
FOR_A_MOMENT = ("tenantkit.set_fence(", "tenantkit.set_noting(", "BEGIN LOCK TABLE")


class Writer(threading.Thread):
    """Another process of a tenant: does `work(connection, number)` again and again until it is stopped, or refused."""

    def __init__(self, tenant: Any, work: Callable[[Any, int], None], pause: float = 0) -> None:
        super().__init__(daemon=True)
        self.connection = application(tenant)
        self.pid = self.connection.info.backend_pid
        self.work, self.pause = work, pause
        self.stopped = threading.Event()
        self.done = 0
        self.error: psycopg.Error | None = None

    def run(self) -> None:
        with self.connection as connection:
            try:
                while not self.stopped.wait(self.pause):
                    self.work(connection, self.done)
                    connection.commit()
                    self.done += 1
            except psycopg.Error as error:
                self.error = error
                connection.rollback()


class Sampler(threading.Thread):
    """Looks at locks again and again: whether one of `theirs`, backends, waits for another, or another for them."""

    def __init__(self, theirs: list[int]) -> None:
        super().__init__(daemon=True)
        self.theirs = theirs
        self.stopped = threading.Event()
        self.samples = 0
        #: How many samples show a wait: of others for the job, while it has a table for a moment and while it does
        #: anything else, and of the job for others.
        self.moments = self.blocked = self.waited = 0
        #: Whether another waited, the statement that waited, and the one that it waited for.
        self.waits: set[tuple[bool, str, str]] = set()

    def run(self) -> None:
        with as_admin() as admin:
            while not self.stopped.wait(0.002):
                found = admin.execute(WAITING, {"theirs": self.theirs}).fetchall()
                self.samples += 1
                blocking = [blocker for is_theirs, _, blocker in found if is_theirs]
                short = [query for query in blocking if any(one in query for one in FOR_A_MOMENT)]
                self.moments += bool(short)
                self.blocked += len(blocking) > len(short)
                self.waited += len(found) > len(blocking)
                self.waits |= {row for row in found if not (row[0] and row[2] in short)}


@contextmanager
def at_work(*writers: Writer) -> Iterator[Sampler]:
    """They write meanwhile; the last one is another tenant's, whose waits are looked at."""
    sampler = Sampler([writers[-1].pid])
    for thread in (*writers, sampler):
        thread.start()
    try:
        yield sampler
    finally:
        for thread in (sampler, *writers):
            thread.stopped.set()
        for thread in (sampler, *writers):
            thread.join()
