"""What follows migrations in each home, content types and permissions for one, is done where there is something."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.models.signals import post_migrate

from django_tenantkit.lifecycle.kinds import heard
from django_tenantkit.lifecycle.migrating.plans import Wanted, plan_from
from django_tenantkit.lifecycle.migrating.sharing import changes_kinds
from tests.migrating.project import Project, recorded, run

ADD = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""
OPTIONS = """migrations.AlterModelOptions("thing", options={"verbose_name": "item"}),"""

SIZE = models.IntegerField(null=True)
INDEX = models.Index(fields=["size"], name="by_size")


def test_they_are_made_where_models_change_and_within_the_same_message(project: Project) -> None:
    with project.child("tests.migrating.with_kinds", tenant_apps=["contenttypes", "auth"]) as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert json.loads(printed.splitlines()[-1]) == {
        "0002_columns": {"rows": [[0, 0]] * 3, "messages": [1, 1]},
        "0003_options": {"rows": [[1, 4]] * 3, "messages": [1, 1]},
    }


@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        (migrations.AddField("thing", "size", SIZE), False),
        (migrations.AddIndex("thing", INDEX), False),
        (migrations.AlterModelTable("thing", "things"), False),
        (migrations.SeparateDatabaseAndState(state_operations=[migrations.AddField("thing", "size", SIZE)]), False),
        (migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("thing")]), True),
        (migrations.CreateModel("thing", [("size", SIZE)]), True),
        (migrations.RenameModel("thing", "item"), True),
        (migrations.AlterModelOptions("thing", {"permissions": [("lend", "Can lend")]}), True),
        (migrations.RunSQL("DELETE FROM auth_permission"), True),
        (migrations.RunPython(migrations.RunPython.noop), True),
        (type("OfItsOwn", (migrations.AddField,), {})("thing", "size", SIZE), True),
    ],
)
def test_what_may_change_them(operation: migrations.operations.base.Operation, changes: bool) -> None:
    migration = Migration("0002_next", "evolving")
    migration.operations = [operation]
    assert changes_kinds(migration) is changes


@pytest.fixture
def listening(project: Project, settings: object) -> Iterator[list[object]]:
    """Somebody listens to `post_migrate` of the app; the homes in which it was heard."""
    settings.TENANTKIT_TENANT_APPS = ["evolving"]
    found: list[object] = []

    def hear(using: str, plan: object, **kwargs: object) -> None:
        found.append([migration.name for migration, _ in plan])

    post_migrate.connect(hear, sender=apps.get_app_config("evolving"))
    yield found
    post_migrate.disconnect(hear, sender=apps.get_app_config("evolving"))


def test_who_listens_is_told_in_each_home(project: Project, listening: list[object]) -> None:
    tenants = project.tenants(3)
    name = project.write(ADD)
    project.migrate()
    listening.clear()
    assert run("--all-tenants").code == 0
    assert listening == [[name]] * 3
    assert [recorded(tenant.uid)[-1] for tenant in tenants] == [name] * 3


def test_who_only_does_what_we_did_is_not(project: Project, settings: object) -> None:
    settings.TENANTKIT_TENANT_APPS = ["evolving"]
    assert heard(["evolving", "auth", "nothing"]) == set()


def test_a_chain_is_behind_until_they_are_made(project: Project, settings: object) -> None:
    """A process that is killed between two migrations comes back to a plan that has only the second."""
    settings.TENANTKIT_TENANT_APPS = ["contenttypes", "evolving"]
    before = [f"{app}.{name}" for app, name in plan_from([], Wanted()).loader.graph.nodes]
    project.write(OPTIONS)
    project.write(ADD)
    plan = plan_from(before, Wanted())
    assert [step.makes_kinds for step in plan.steps] == [False, True]
    assert [step.noted for step in plan.steps] == [plan.digest, plan.end]
    assert not plan.finishes
