"""The two worlds, made once for a module, on every engine that the run has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tests import databases

from .worlds import PLAIN, SCOPED, Worlds

PLAIN_ENGINES = {
    databases.POSTGRESQL: "tests.comparison.plain.postgresql",
    databases.SQLITE: "tests.comparison.plain.sqlite3",
}


@pytest.fixture(scope="module", params=[databases.POSTGRESQL, databases.SQLITE], ids=["postgresql", "sqlite"])
def worlds(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Worlds]:
    """Two databases with rows in them, under aliases of their own."""
    engine: str = request.param
    if engine == databases.POSTGRESQL and databases.configured()["ENGINE"] != engine:
        pytest.skip("this run has no PostgreSQL")
    entry = databases.configured() if engine == databases.POSTGRESQL else {}
    try:
        for alias, its_engine in ((SCOPED, engine), (PLAIN, PLAIN_ENGINES[engine])):
            entries = {"default": {}, alias: {**entry, "ENGINE": its_engine}}
            if engine == databases.POSTGRESQL and alias == PLAIN:
                entries[alias] |= databases.unguarded(entry)
            connections.settings[alias] = connections.configure_settings(entries)[alias]
        with django_db_blocker.unblock():
            if engine == databases.POSTGRESQL:
                worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
                for alias in (SCOPED, PLAIN):
                    databases.clone(connections[alias], f"{worker}_{alias}")
            else:
                _make_files(tmp_path_factory.mktemp("worlds"))
            yield Worlds()
    finally:
        for alias in (SCOPED, PLAIN):
            connections[alias].close()
            del connections[alias], connections.settings[alias]


def _make_files(directory: Path) -> None:
    """One database is migrated, and the other is a copy of it."""
    for alias in (SCOPED, PLAIN):
        connections[alias].settings_dict["NAME"] = str(directory / alias)
        connections[alias].settings_dict["OPTIONS"] = {"init_command": "PRAGMA synchronous=OFF"}
    call_command("migrate", database=SCOPED, verbosity=0)
    call_command("migrate", database=SCOPED, verbosity=0, run_syncdb=True)
    connections[SCOPED].close()
    shutil.copy(directory / SCOPED, directory / PLAIN)
