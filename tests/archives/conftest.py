"""Two tenants with rows of every kind, and archives of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from django_tenantkit.lifecycle.archive.exporting import export_tenant
from tests.isolation.world import World

#: What tells rows of the test's shared models apart.
KEYS = {"testapp.Plan": ["name"], "testapp.Region": ["name"]}

postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="archives need PostgreSQL")


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.TENANTKIT_ARCHIVE_KEYS = dict(KEYS)


@pytest.fixture
def two(transactional_db: None) -> World:
    world = World()
    world.add_globex()
    return world


@pytest.fixture(scope="module")
def lasting(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[tuple[World, Path]]:
    """A world and acme's archive for the tests of a module that change nothing."""
    with django_db_blocker.unblock(), override_settings(TENANTKIT_ARCHIVE_KEYS=KEYS):
        world, file = World(), tmp_path_factory.mktemp("archives") / "acme.tar"
        world.add_globex()
        export_tenant(world.acme, file)
        yield world, file
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def archive(two: World, tmp_path: Path) -> Path:
    """An archive of acme, which has rows of every kind."""
    file = tmp_path / "acme.tar"
    export_tenant(two.acme, file)
    return file
