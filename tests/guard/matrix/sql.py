"""How the tables write a way that is SQL. Parameters are named as `Ground.parameters` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection

from .ground import Ground

Run = Callable[[Ground], Any]


def ask(query: str, parameters: Any = None) -> Any:
    """The rows of a query in an order of their own, or how many rows a statement reached."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return sorted(cursor.fetchall(), key=repr) if cursor.description else cursor.rowcount


def sql(*queries: str) -> Run:
    """The results of statements that are sent one after another."""

    def run(ground: Ground) -> Any:
        return [ask(query, ground.parameters) for query in queries]

    return run
