"""A tenant's database is migrated by `migrate_tenants` too: what `with_database.py` saw there."""

from __future__ import annotations

import json
from typing import Any

from tests.migrating.project import Project

FIRST, SIZE, MARK = "0001_initial", "0002_size", "0003_mark"

#: What is on record, the column that the second migration makes, and the rows, which the third one looks at.
EXPECTED = {
    "forwards": ([FIRST, SIZE, MARK], ["size"], ["marked by initech"]),
    "backwards": ([FIRST], [], ["unmarked"]),
    "on record": ([FIRST, SIZE], [], ["unmarked"]),
    "off the record": ([FIRST], [], ["unmarked"]),
    "one of two": ([FIRST, SIZE], ["size"], ["unmarked"]),
    "again": ([FIRST, SIZE, MARK], ["size"], ["marked by initech"]),
    "after the failure": ([FIRST, SIZE, MARK], ["size"], ["marked by initech"]),
}

#: How many schemas are ready in the project, in which it runs as well.
SCHEMAS = 3


def test_databases_go_forwards_backwards_and_on_record(project: Project) -> None:
    with project.child("tests.migrating.with_database", isolations=["row", "schema", "database"]) as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    failed = told.pop("failed")
    assert "initech: DataError: division by zero" in failed
    expected = {name: dict(zip(("applied", "columns", "rows"), what, strict=True)) for name, what in EXPECTED.items()}
    assert told == expected
    here = [line.split()[1:] for line in printed.splitlines() if line.startswith("HERE")]
    assert [who for alias, *who in here if alias == "default"] == [["acme"], *[[]] * SCHEMAS * 2]  # forwards twice
    assert {tuple(who) for alias, *who in here if alias != "default"} == {("initech",)}


def test_workers_are_at_work_in_several_databases_at_once(project: Project) -> None:
    with project.child("tests.migrating.with_two_databases", isolations=["row", "schema", "database"]) as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert json.loads(printed.splitlines()[-1]) == {"t0": "", "t1": ""}
