"""Models that change in random steps: whatever the way, the tables are what they are if made at once."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from django.db import models
from django.db.migrations.optimizer import MigrationOptimizer

from django_tenantkit.constraints import GlobalRows, TenantPolicy, TenantUniqueConstraint
from django_tenantkit.fields import TenantField
from tests.guard.migrating import Project, Version, catalog

CASCADE = models.CASCADE

#: What can be one way or another, the first at the beginning.
FEATURES: dict[str, list[Any]] = {
    "party": ["Party", "Buyer"],
    "table": [None, "guarded_x"],
    "key": [models.AutoField, models.BigAutoField],
    "rows": ["own", "shared"],
    "version": [1, 2],
    "field": ["party", "buyer"],
    "target": ["party", "note", "region"],
    "kind": [models.ForeignKey, models.OneToOneField],
    "empty": [True, False],
    "column": [None, "the_tenant"],
    "guests": [False, True],
    "similar": [False, True],
    "child": [None, "Vip", "Friend"],
    "unique": [False, True],
}

Choice = dict[str, Any]


def version_of(choice: Choice) -> Version:
    version, meta = Version(), {}
    if choice["table"]:
        meta["db_table"] = choice["table"]
    shared = choice["rows"] == "shared"
    policy = GlobalRows if shared else TenantPolicy
    constraints: list[Any] = [policy(version=choice["version"])]
    if choice["unique"]:
        constraints.append(TenantUniqueConstraint(fields=["name"], name="unique_name"))
    more: dict[str, Any] = {"tenant": TenantField(null=True)} if shared else {}
    if choice["similar"]:
        more["similar"] = models.ManyToManyField("self")
    version.shared("Region", id=models.AutoField(primary_key=True))
    version.model("Note", id=models.AutoField(primary_key=True))
    party = version.model(
        choice["party"],
        id=choice["key"](primary_key=True),
        name=models.CharField(max_length=20, default=""),
        meta={**meta, "constraints": constraints},
        **more,
    )
    if choice["child"]:
        version.model(choice["child"], party, points=models.IntegerField(default=0))
    targets = {"party": choice["party"], "note": "Note", "region": "Region"}
    fields: dict[str, Any] = {
        choice["field"]: choice["kind"](f"guarded.{targets[choice['target']]}", CASCADE, null=choice["empty"])
    }
    if choice["guests"]:
        fields["guests"] = models.ManyToManyField(f"guarded.{choice['party']}", related_name="+")
    if choice["column"]:
        fields["tenant"] = TenantField(db_column=choice["column"])
    version.model("Order", **fields)
    return version


def nameless(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """A catalog without the names of constraints, indexes and triggers, which keep those of older versions."""
    constraints = [(table, text, valid) for table, _, text, valid in map(eval, found["constraints"])]
    return {
        **found,
        "constraints": sorted(constraints),
        "indexes": sorted(re.sub(r"INDEX \S+ ON", "INDEX ON", row) for row in found["indexes"]),
        "triggers": sorted(re.sub(r"TRIGGER \S+ ", "TRIGGER ", row) for row in found["triggers"]),
    }


def walk(seed: int, steps: int) -> list[Choice]:
    rng = random.Random(seed)
    choices: list[Choice] = [{name: values[0] for name, values in FEATURES.items()}]
    for _ in range(steps):
        name = rng.choice([name for name in FEATURES if name != "empty" and _may_change(name, choices)])
        others = [value for value in FEATURES[name] if value != choices[-1][name]]
        choices.append({**choices[-1], name: rng.choice(others)})
    return choices


def _may_change(name: str, choices: list[Choice]) -> bool:
    """Django renames no parent in multi-table inheritance, and squashes no model that gets its old name back."""
    had_child = any(choice["child"] for choice in choices)
    return name != "party" or (choices[-1][name] == "Party" and not had_child)


def squashed(operations: list[Any]) -> list[Any]:
    return MigrationOptimizer().optimize(operations, "guarded")


@pytest.mark.parametrize("seed", range(6))
def test_all_ways_lead_to_the_same_tables(project: Project, seed: int) -> None:
    choices = walk(seed, 5)
    stepwise, operations = [], []
    for choice in choices:
        migrations_ = project.changes(version_of(choice), default=1)
        for migration in migrations_:
            operations += migration.operations
        project.operate(*(operation for migration in migrations_ for operation in migration.operations))
        assert project.changes(version_of(choice)) == []
        stepwise.append(nameless(catalog()))
    while project.applied:
        project.back()
        if project.applied:
            assert nameless(catalog()) == stepwise[len(project.applied) - 1], f"back to {len(project.applied)}"
    assert catalog()["columns"] == []
    for number, choice in enumerate(choices):
        made = [operation for migration in project.changes(version_of(choice)) for operation in migration.operations]
        project.operate(*made)
        fresh = nameless(catalog())
        assert fresh == stepwise[number], f"step {number}"
        project.back()
    project.operate(*operations)
    assert nameless(catalog()) == stepwise[-1], "in one migration"
    project.back()
    project.operate(*squashed(operations))
    assert nameless(catalog()) == stepwise[-1], "squashed"
    project.back()
    assert catalog()["columns"] == []
