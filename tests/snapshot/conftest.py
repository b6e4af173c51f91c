"""Databases in which schemas are made, copied and compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.roles import servers
from tests.roles.conftest import server as server  # the run's own, and a PostgreSQL 15
from tests.snapshot import odd

REFERENCE = "reference_1"


class Ground:
    """A database with our roles. `owner` is connected as migrations are."""

    def __init__(self, place: servers.Place) -> None:
        self.place = place
        self.roles = place.roles
        place.set_up()
        with place.connect() as admin:
            admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self.roles.owner)))
            admin.execute(odd.OUTSIDE)

    @contextmanager
    def as_owner(self) -> Iterator[psycopg.Connection[Any]]:
        with self.place.connect(self.roles.system) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self.roles.owner)))
            yield connection


@pytest.fixture(scope="session")
def ground(server: servers.Server) -> Iterator[Ground]:
    """A database with the odd schema in it."""
    with server.place() as place:
        ground = Ground(place)
        with ground.as_owner() as owner:
            odd.make(owner, REFERENCE, ground.roles)
        yield ground


@pytest.fixture
def owner(ground: Ground) -> Iterator[psycopg.Connection[Any]]:
    """The owner in a transaction that is rolled back."""
    with ground.as_owner() as connection, connection.transaction(force_rollback=True):
        yield connection
