"""A tenant's database on a second server: made, read, written, migrated, audited, taken away, brought back, dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from django_tenantkit.testing import embedded
from tests.databases import ROLES
from tests.migrating.project import Project


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.EmbeddedServer]:
    """Another server, with the same roles."""
    with embedded.start() as started:
        started.make_database("roles", ROLES, web_may_operate=True)
        yield started


def test_a_tenant_lives_on_another_server(project: Project, server: embedded.EmbeddedServer) -> None:
    eu = {"HOST": str(server.socket_directory), "PORT": ""}
    isolations = ["row", "schema", "database"]
    with project.child("tests.migrating.other_server", isolations=isolations, servers={"eu": eu}) as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert told["made"]["code"] == 0
    assert (told["refused"]["code"], "row tenants share the tables" in told["refused"]["out"]) == (2, True)
    assert told["there"][0] != told["main"][0]
    assert told["there"][1] == str(server.socket_directory) != told["main"][1]
    assert (told["read"], told["pushed"], told["each"]) == ([["first", "gold"]], "platinum", [1])
    assert told["migrated"]["code"] == 0
    assert told["audited"] == {
        "code": 0,
        "out": "Looked at 1 databases of tenants.\nFound 0 errors, 0 warnings, 0 notices.",
    }
    assert told["a fault"]["code"] == 1
    assert "ERROR rls.off: In the database of the tenant initech: " in told["a fault"]["out"]
    assert "The database of initech is leaving" in told["away"]["out"]
    assert told["back"]["out"] == "The database of initech is taken."
    assert told["kept"] == 1
    assert "1 dropped" in told["dropped"]["out"]
    assert (told["state"], told["on the main server"]) == ("gone", 0)
    with psycopg.connect(server.url()) as there:
        names = [
            name for (name,) in there.execute("SELECT datname FROM pg_database WHERE datname ~ '_t_[0-9a-f]{32}$'")
        ]
    assert names == []
