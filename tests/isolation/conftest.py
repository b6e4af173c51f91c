"""A world of two tenants."""

from __future__ import annotations

import pytest

from tests.isolation.world import World


@pytest.fixture
def world(db):
    """Acme has rows, globex has none yet."""
    return World()


@pytest.fixture
def two(world):
    """Both have rows."""
    world.add_globex()
    return world


@pytest.fixture
def together(db):
    """Both have rows, in shared tables, also where others could live apart: what unscoped code reaches."""
    world = World(("row", "row"))
    world.add_globex()
    return world
