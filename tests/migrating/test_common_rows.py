"""Copies of rows of nobody in homes, while their app is migrated: up to date at the end, whoever was killed on the way.

The app `evolving` stands for one with such rows; the rows themselves are those of another app."""

from __future__ import annotations

from collections.abc import Iterator
from signal import SIGKILL
from typing import Any
from unittest.mock import patch

import pytest
from django.apps import apps

from tests.migrating.project import Project, ask, recorded, run, tell

ADD = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""


@pytest.fixture(autouse=True)
def with_rows_of_nobody(project: Project) -> Iterator[None]:
    thing = apps.get_model("evolving", "Thing")
    with patch("django_tenantkit.lifecycle.migrating.plans.common_models", return_value=[thing]):
        yield


def make_stale(tenant: Any) -> None:
    """As a home has them whose column is new: another value than where they are written."""
    tell(f"UPDATE t_{tenant.uid.hex}.presets_rate SET name = 'not yet'")


def rates(tenant: Any) -> list[str]:
    return ask(f"SELECT name FROM t_{tenant.uid.hex}.presets_rate")


@pytest.fixture
def tenants(project: Project) -> list[Any]:
    """Two tenants with a copy of one row, which is out of date, and a migration to run."""
    found = project.tenants(2)
    tell("INSERT INTO rows.presets_rate (id, name) VALUES (gen_random_uuid(), 'full')")
    assert [rates(tenant) for tenant in found] == [["full"], ["full"]]
    for tenant in found:
        make_stale(tenant)
    project.write(ADD)
    project.migrate()
    return found


def test_a_migration_brings_them_up_to_date(tenants: list[Any]) -> None:
    assert run("--all-tenants").code == 0
    assert [rates(tenant) for tenant in tenants] == [["full"], ["full"]]


def test_a_run_that_was_killed_before_is_finished_by_the_next(project: Project, tenants: list[Any]) -> None:
    for _ in tenants:
        with project.child("tests.migrating.killed_common") as process:
            printed, _ = process.communicate()
        assert process.returncode == -SIGKILL, printed
    assert project.last in recorded(tenants[0].uid)
    assert rates(tenants[0]) == ["not yet"]
    assert run("--check").code == 1
    assert run("--all-tenants", "--wait", "60").code == 0
    assert [rates(tenant) for tenant in tenants] == [["full"], ["full"]]
    assert run("--check").code == 0
