"""What the tests of the guard share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.guard.audited import Audited, audited
from tests.guard.migrating import Project
from tests.isolation.world import World, kinds_of_test


@pytest.fixture
def guarded() -> Iterator[Audited]:
    """A guarded database of this test's own."""
    with audited() as database:
        yield database


@pytest.fixture
def project(transactional_db: None) -> Iterator[Project]:
    """An app whose models are told in the test, on PostgreSQL."""
    if connection.vendor != "postgresql":
        pytest.skip("policies and references with the tenant are PostgreSQL's")
    found = Project()
    yield found
    found.drop()


@pytest.fixture
def two(db):
    """A world of two tenants, both with rows."""
    world = World()
    world.add_globex()
    return world


@pytest.fixture
def on_one_connection(db):
    """Both with rows, and whatever a connection has in common: in shared tables where they would have databases."""
    kinds = kinds_of_test()
    world = World(("row", "row") if "database" in kinds else kinds)
    world.add_globex()
    return world


@pytest.fixture
def together(db):
    """Both with rows, in shared tables, also where others could live apart."""
    world = World(("row", "row"))
    world.add_globex()
    return world
