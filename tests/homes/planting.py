"""What the system does to homes, for tests of what is noticed of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def by_system(*statements: str) -> None:
    """Run statements as the system."""
    with connection.as_system(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def planted(fault: str, undo: str) -> Iterator[None]:
    """A fault meanwhile."""
    by_system(fault)
    try:
        yield
    finally:
        by_system(undo)
