"""What a migration sends to a home, recorded where Django sends it. `sqlmigrate` would not do: it leaves out what
depends on the catalog, and says of a `RunPython` in another operation that there was nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import ClientCursor
from psycopg.sql import Composable

_DIVIDES = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT) ", re.IGNORECASE)
_READS = re.compile(r"\(*\s*(SELECT|WITH|SHOW|VALUES|TABLE|EXPLAIN)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|setval)\b", re.IGNORECASE)
_SOURCE = re.compile(r"\b(?:FROM|JOIN)\s+(?:LATERAL\s+)?([\w.\"]+)", re.IGNORECASE)
_OF_CATALOG = re.compile(r"\"?(pg_|information_schema\.|unnest$|generate_|jsonb?_|SELECT$)", re.IGNORECASE)

#: What cannot be a part of a message with others, or would outlive it.
_ALONE = re.compile(
    r"\bCONCURRENTLY\b|\bADD\s+VALUE\b"
    r"|(?:^|;)\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|PREPARE|VACUUM|COPY|LISTEN|SET\s+(?!CONSTRAINTS)|RESET)\b",
    re.IGNORECASE,
)


class Recording:
    """The statements of one migration, with their parameters written out. `obstacle` says what keeps them from
    being sent to other homes; empty if nothing does."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.statements: list[str] = []
        self.obstacle = ""

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Called by Django for each statement."""
        result = execute(sql, params, many, context)
        for given in params if many else [params]:
            self._note(self._written(sql, given))
        return result

    def _written(self, sql: Any, params: Any) -> str:
        physical = self.connection.connection
        if params is None:
            return sql.as_string(physical) if isinstance(sql, Composable) else str(sql)
        return ClientCursor(physical).mogrify(sql, params)

    def _note(self, statement: str) -> None:
        text = statement.strip().rstrip(";")
        if _DIVIDES.match(text):
            return
        if _READS.match(text) and not _WRITES.search(text):
            sources = [name for name in _SOURCE.findall(text) if not _OF_CATALOG.match(name)]
            if sources:
                self.obstacle = self.obstacle or f"it reads {sources[0]}"
            if sources or _SOURCE.search(text):
                return  # what Django or the package asked of the catalog; a function that is called is kept
        if found := _ALONE.search(text):
            self.obstacle = self.obstacle or f"{found[0].strip('; ')} is not sent together with others"
        self.statements.append(text)


@contextmanager
def recorded(connection: Any) -> Iterator[Recording]:
    """What is sent through a connection meanwhile."""
    recording = Recording(connection)
    with connection.execute_wrapper(recording):
        yield recording
