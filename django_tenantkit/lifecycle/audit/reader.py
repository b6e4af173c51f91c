"""Reading a database without being able to write to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from ...sql.audit import PATH, PINNED, READ_ONLY

Connection = psycopg.Connection[Any]


class Reader:
    """Reads through one connection, in READ ONLY transactions: PostgreSQL refuses whatever would write.

    Takes any open connection of psycopg, Django's too (`connection.connection`, as the system); inside a
    transaction it uses a savepoint. `statements` counts what was asked.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.statements = 0
        self._inside = False
        self._path = ""

    @contextmanager
    def transaction(self, *, pinned: bool = True) -> Iterator[None]:
        """One in which nothing can be written, and that is rolled back; the one that is open already, inside
        of another. `pinned`: names without a schema are PostgreSQL's own, and others are printed with theirs."""
        if self._inside:
            yield
            return
        self._inside = True
        try:
            with self.connection.transaction(force_rollback=True):
                self._path = self.rows(READ_ONLY)[0].path
                if pinned:
                    self.rows(PINNED)
                yield
        finally:
            self._inside = False

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside leaves the transaction as it was."""
        with self.transaction(), self.connection.transaction():
            yield

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """The rows of a statement, as named tuples. Cursors are psycopg's own: those of our backend would
        send a tenant's context."""
        with self.transaction():
            self.statements += 1
            cursor = psycopg.ClientCursor(self.connection, row_factory=namedtuple_row)
            return cursor.execute(statement.encode(), parameters).fetchall()

    def plan(self, table: str, expression: str) -> list[str] | None:
        """How this server understands an expression over a table, or None where it does not. Names in it are
        found as they were when somebody wrote it: by the path of the connection."""
        statement = f"EXPLAIN (VERBOSE, COSTS OFF) SELECT ({expression}) AS answer FROM {table}"
        try:
            with self.transaction(), self.connection.transaction(force_rollback=True):  # to the path of before
                self.rows(PATH, {"path": self._path})
                lines = [line for (line,) in self.rows(statement)]
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.ProgrammingError:
            return None
        return [line for line in lines if not line.startswith("Query Identifier")]
