"""kill -9 at random points of making a tenant's database, of taking it away, of bringing it back and of dropping it: a
rerun completes it, each tenant is there once, and nothing remains half."""

from __future__ import annotations

import json

from tests.migrating.project import Project

#: Of making, and then as many of moving; those of dropping come on top.
KILLS = 25


def test_fifty_kills(project: Project) -> None:
    with project.child(
        "tests.migrating.killed_databases", str(KILLS), "7", isolations=["row", "schema", "database"]
    ) as process:
        printed, complained = process.communicate()
    assert process.returncode == 0, complained or printed
    told = json.loads(printed.splitlines()[-1])
    assert told["kills"] >= 2 * KILLS
    made = sorted(told["made"])
    assert sorted(name for name in told["there"] if not name.startswith("p_")) == [f"t_{uid}" for uid in made]
    assert sum(name.startswith("p_") for name in told["there"]) == 1
    assert told["places"] == dict.fromkeys(made, "taken")
    assert told["jobs"] == ["done"]
    assert told["findings"] == []
    kept, *others = told["made"]
    assert told["kept"] == ["kept"]
    assert [name for name in told["left"] if not name.startswith("p_")] == [f"t_{kept}"]
    assert told["gone"] == sorted(others)
    assert told["copies"] == [f"tenantkit_{kept}"]
