"""The ground, and the ways to it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests import databases

from . import ground as grounds


@pytest.fixture(scope="module")
def ground(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[grounds.Ground]:
    """Tenants with rows that are known, in a database of its own."""
    if databases.configured()["ENGINE"] != databases.POSTGRESQL:
        pytest.skip("this run has no PostgreSQL")
    with django_db_blocker.unblock(), grounds.prepared(os.environ.get("PYTEST_XDIST_WORKER", "main")) as made:
        yield made
