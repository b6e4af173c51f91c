"""One process at a time at work on a place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from ..sql import places as sql


@contextmanager
def alone(connection: Any, uid: UUID) -> Iterator[None]:
    """One process at a time works on a place; the others wait for it."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK, [str(uid)])
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(sql.UNLOCK, [str(uid)])
