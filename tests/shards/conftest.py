"""Two servers, and a project on the first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from django_tenantkit.testing import embedded
from tests.databases import ROLES
from tests.migrating.conftest import project, template
from tests.migrating.project import Project

__all__ = ["project", "template"]

#: Runs a story of `stories.py`, given its name, and returns what it saw.
Tell = Callable[..., dict[str, Any]]


@pytest.fixture(scope="package")
def server() -> Iterator[embedded.EmbeddedServer]:
    """Another server, with the same roles."""
    with embedded.start() as started:
        started.make_database("roles", ROLES, web_may_operate=True)
        yield started


@pytest.fixture
def tell(project: Project, server: embedded.EmbeddedServer) -> Tell:
    """The stories, with the other server as `eu`, and one more database of the main server as `two`."""
    eu = {"HOST": str(server.socket_directory), "PORT": ""}

    def told(story: str, **servers: Any) -> dict[str, Any]:
        process = project.child(
            "tests.shards.stories",
            story,
            isolations=["row", "schema", "database"],
            servers=servers or {"eu": eu, "two": {}},
        )
        with process:
            printed, _ = process.communicate()
        assert process.returncode == 0, printed
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return found

    return told
