"""Tenants of the main database and of a shard behind PgBouncer in transaction mode: no answer is another tenant's."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from django_tenantkit.testing import embedded
from tests import databases
from tests.migrating.project import Project
from tests.services import pgbouncer
from tests.shards.conftest import Tell

#: Processes at a time, each with four threads, and the pooler's connections to each database.
PROCESSES, CONNECTIONS = 2, 2


#: Requests of each thread, and as many as find out a database that keeps nothing apart.
REQUESTS, FEWER = 80, 25


@pytest.mark.services
def test_every_answer_is_right_behind_a_pooler(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    if pgbouncer.find() is None:
        pytest.skip(pgbouncer.HOW_TO_INSTALL)
    told(begun(project, "settle"))
    direct = databases.configured()
    with pgbouncer.start(direct, CONNECTIONS) as pooled:
        entry = direct | {"HOST": pooled["HOST"], "PORT": pooled["PORT"], "CONN_MAX_AGE": None}
        monkeypatch.setenv(databases.HANDED_DOWN, json.dumps(entry))
        seen = hammered(project, REQUESTS)
        monkeypatch.setenv(databases.HANDED_DOWN, json.dumps(direct))
        found = told(begun(project, "written"))
        told(begun(project, "blind"))
        monkeypatch.setenv(databases.HANDED_DOWN, json.dumps(entry))
        control = hammered(project, FEWER)

    assert [line for one in seen for line in one["wrong"]] == []
    asked = sum((Counter(one["asked"]) for one in seen), Counter[str]())
    print(f"\nA shard behind PgBouncer: {asked.total()} requests of {len(asked)} kinds, none wrong")
    assert len(asked) == 9 * 3  # each kind of request in each kind of home
    written = sum((Counter(one["written"]) for one in seen), Counter[str]())
    assert found == {"written": dict(sorted(written.items())), "strange": []}
    assert {line.split()[1] for one in control for line in one["wrong"]} == {"by_name"}


def test_the_system_goes_to_the_server_itself(tell: Tell, server: embedded.EmbeddedServer) -> None:
    itself = {"HOST": str(server.socket_directory), "PORT": ""}
    seen = tell("pooled", eu={"HOST": "/no/pooler", "PORT": "6432", "SYSTEM": itself})
    assert seen["made"] == "ready"
    assert seen["asked"].startswith("TenantUnavailable: ")
    assert "/no/pooler" in seen["asked"]


def hammered(project: Project, requests: int) -> list[dict[str, Any]]:
    """What processes see that all ask at the same time."""
    begun_ones = [begun(project, "hammer", f"{requests}.{number}", str(requests)) for number in range(PROCESSES)]
    return [told(one) for one in begun_ones]


def begun(project: Project, *arguments: str) -> subprocess.Popen[str]:
    return project.child(
        "tests.shards.hammer", *arguments, isolations=["row", "schema", "database"], servers={"two": {}}
    )


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    with process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found
