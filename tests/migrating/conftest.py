from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

from django_tenantkit.lifecycle.places import make_place
from tests.migrating.project import Project, database, in_project


@pytest.fixture(scope="package")
def template(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with the first migration of the app, and nobody connected."""
    if connection.vendor != "postgresql":
        pytest.skip("schemas are PostgreSQL's")
    with django_db_blocker.unblock(), database(connection.settings_dict["TEST"]["NAME"]) as name:
        project = Project(tmp_path_factory.mktemp("first"))
        with in_project(project.package):
            project.migrate()
            for _ in range(3):
                make_place("schema")
            connections.close_all()
        project.close()
        before = connection.settings_dict["NAME"]
        yield name
        connection.settings_dict["NAME"] = before


@pytest.fixture
def project(template: str, django_db_blocker: DjangoDbBlocker, tmp_path: Path) -> Iterator[Project]:
    """A project in a database of its own."""
    with django_db_blocker.unblock(), database(template):
        made = Project(tmp_path)
        with in_project(made.package):
            yield made
            connections.close_all()
        made.close()
