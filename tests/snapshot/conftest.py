"""Databases in which schemas are made, copied and compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from django_tenantkit.lifecycle.snapshot import Snapshot, take
from tests.roles import servers
from tests.roles.conftest import server as server  # the run's own, and a PostgreSQL 15
from tests.snapshot import odd

REFERENCE = "reference_1"


class Ground:
    """A database with our roles, and a schema with all odd things in it."""

    def __init__(self, place: servers.Place) -> None:
        self.place = place
        self.roles = place.roles
        place.set_up()
        with self.as_owner() as owner:
            owner.execute(odd.OUTSIDE)
            odd.make(owner, REFERENCE, self.roles)
            with owner.transaction():
                self.snapshot = take(owner.cursor(), REFERENCE, tenant_columns=odd.TENANT_COLUMNS, tenant=1)

    @contextmanager
    def as_owner(self) -> Iterator[psycopg.Connection[Any]]:
        """Connected as migrations are."""
        with self.place.connect(self.roles.system) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self.roles.owner)))
            yield connection


@pytest.fixture(scope="session")
def ground(server: servers.Server) -> Iterator[Ground]:
    with server.place() as place:
        yield Ground(place)


@pytest.fixture
def snapshot(ground: Ground) -> Snapshot:
    return ground.snapshot


@pytest.fixture
def owner(ground: Ground) -> Iterator[psycopg.Connection[Any]]:
    """The owner, in a transaction that is rolled back."""
    with ground.as_owner() as connection, connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
def admin(ground: Ground) -> Iterator[psycopg.Connection[Any]]:
    """A superuser, in a transaction that is rolled back."""
    with ground.place.connect() as connection, connection.transaction(force_rollback=True):
        yield connection
