"""0 leaks and 0 faults with the ORM's scoping switched off: the database alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from django_tenantkit.exceptions import AcrossDatabases
from tests.isolation.world import has_database

from .cases import ACROSS_DATABASES, ALONE, CASES, DIFFERENT, IN_A_DATABASE, NO_TENANT, SCOPED, WAYS, Case, in_place
from .crossing import GENERIC
from .ground import FINE, Ground

#: The folder of the project.
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", in_place(ALONE))
def test_the_database_alone(ground: Ground, name: str) -> None:
    assert Case(name, ALONE).judge(ground) == FINE


@pytest.mark.parametrize("name", in_place(NO_TENANT))
def test_the_database_alone_where_there_is_no_tenant(ground: Ground, name: str) -> None:
    assert Case(name, NO_TENANT).judge(ground) == FINE


@pytest.mark.parametrize("name", in_place(SCOPED))
def test_the_orms_scoping_too(ground: Ground, name: str) -> None:
    assert Case(name, SCOPED).judge(ground) == FINE


@pytest.mark.parametrize("name", ACROSS_DATABASES)
def test_what_would_need_both_databases_raises(ground: Ground, name: str) -> None:
    if not has_database(ground.acme):
        pytest.skip("there is one database")
    assert isinstance(ground.run(WAYS[name], ground.acme, scoped=True).error, AcrossDatabases)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no guard of its own")
def test_the_command_tries_them() -> None:
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("TENANTKIT_TEST_", "PYTEST_"))}
    command = [sys.executable, "-m", "tests.guard.matrix", "read: everything"]
    found = subprocess.run(command, env=alone, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "3 cases: leaks 0, faults 0" in found.stdout, found.stdout + found.stderr


def test_the_ways_are_many_and_the_exceptions_few() -> None:
    assert len(WAYS) >= 700
    assert len(CASES) >= 2000
    assert len(DIFFERENT) == 2
    assert len(IN_A_DATABASE) == 14
    assert len(GENERIC) == 10
