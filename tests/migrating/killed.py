"""`python -m tests.migrating.killed KILLS SEED [WORKERS]`: runs `migrate_tenants` forwards, backwards, and forwards
again. Each time kills it with signal 9 at a statement chosen at random: before it is sent, when it was sent and not
answered, or afterwards. Prints how many were killed when and how many ended by themselves."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import count
from threading import Lock
from typing import Any
from unittest.mock import patch

import django
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.pq import TransactionStatus
from psycopg.sql import Composable

MOMENTS = ("before", "sent", "after")

_execute, _commit = CursorWrapper._execute, BaseDatabaseWrapper._commit


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def send(connection: Any, text: str) -> None:
    """Hand a statement to the server, and wait for nothing."""
    pgconn = connection.pgconn
    if not connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
        text = f"BEGIN; {text}"
    pgconn.send_query(text.encode())
    while pgconn.flush():
        pass


def run(place: int, moment: str, arguments: Sequence[str]) -> None:
    """Run a command, and end at that statement."""
    numbers, lock = count(1), Lock()

    def is_now() -> bool:
        with lock:
            return next(numbers) == place

    def at(connection: Any, text: str, go_on: Any) -> Any:
        now = is_now()
        if now and moment == "before":
            kill()
        if now and moment == "sent":
            send(connection, text)
            kill()
        result = go_on()
        if now:
            kill()
        return result

    def execute(self: Any, sql: Any, params: Any, *rest: Any) -> Any:
        composed = sql.as_string(self.cursor.connection) if isinstance(sql, Composable) else str(sql)
        text = composed if params is None else self.cursor.mogrify(sql, params)
        return at(self.cursor.connection, text, lambda: _execute(self, sql, params, *rest))

    def commit(self: Any) -> Any:
        return at(self.connection, "COMMIT", lambda: _commit(self)) if self.connection is not None else None

    with patch.object(CursorWrapper, "_execute", execute), patch.object(BaseDatabaseWrapper, "_commit", commit):
        call_command(*arguments)


def killed(place: int, moment: str, arguments: Sequence[str], *, may_fail: bool = False) -> bool:
    """Whether a process that did this was killed before it had ended. One that failed ends everything, if it may
    not."""
    connections.close_all()
    if (pid := os.fork()) == 0:
        code = 1
        try:
            run(place, moment, arguments)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) and not may_fail:
        sys.exit(f"statement {place}, {moment}: exit code {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


def main(kills: int, seed: int, workers: int = 2) -> None:
    django.setup()
    chance = random.Random(seed)
    command = ["migrate_tenants", "--wait", "60", "--all-tenants", "--workers", str(workers)]
    directions = [command, [*command, "--app-label", "evolving", "--target", "0001"]]
    found: Counter[str] = Counter()
    while sum(found[moment] for moment in MOMENTS) < kills:
        moment = chance.choice(MOMENTS)
        if killed(chance.randint(1, 60), moment, directions[0]):
            found[moment] += 1
        else:
            found["ended"] += 1
            directions.reverse()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
