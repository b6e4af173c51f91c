"""The ground: committed rows of two tenants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from .ground import Ground


@pytest.fixture(scope="module")
def ground(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Ground]:
    """The rows of acme and globex, committed; whatever a test leaves, the next one finds what was kept."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no guard of its own")
    with django_db_blocker.unblock():
        made = Ground()
        try:
            yield made
        finally:
            made.remove()
            connection.close()
