"""Several homes in one message, a transaction for each."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest

from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.migrating.replaying import send_together
from tests.migrating.project import Project, add_thing, ask, catalog, recorded, run, tell

FIELD = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""
UNIQUE = """migrations.AddConstraint("thing", models.UniqueConstraint(fields=["tenant", "name"], name="one_name")),"""
SENT = "django_tenantkit.lifecycle.migrating.run.send_together"


def test_they_are_as_the_first_one(project: Project) -> None:
    tenants = project.tenants(9)
    project.write(FIELD)
    project.migrate()
    with patch(SENT, wraps=send_together) as sent:
        ran = run("--all-tenants", "--workers", "1")
    assert (ran.code, ran.out) == (0, "Migrated 9 homes.\n")
    assert [len(call.args[0]) for call in sent.call_args_list] == [3, 2]
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first] * 8
    assert ask("SELECT count(DISTINCT migrations) FROM django_tenantkit_place WHERE state = 'taken'") == [1]
    assert run("--check").code == 0


@pytest.mark.parametrize("which", [2, 3, 8])
def test_one_that_fails_keeps_none_of_the_others(project: Project, which: int) -> None:
    tenants = sorted(project.tenants(9), key=lambda tenant: tenant.uid)
    bad = tenants.pop(which)
    for _ in range(2):
        add_thing(bad, "same")
    name = project.write(UNIQUE)
    project.migrate()
    ran = run("--all-tenants", "--workers", "1")
    assert ran.code == 3
    assert ran.complaint.startswith(f"1 of 9 homes failed: {bad.slug} (IntegrityError: could not create unique index")
    assert [name in recorded(tenant.uid) for tenant in tenants] == [True] * 8
    assert name not in recorded(bad.uid)
    tell(f"UPDATE {schema_name(bad.uid)}.evolving_thing SET name = id::text")
    assert run("--resume").out == "Migrated 1 home.\n"


def test_one_that_somebody_else_has_migrated_keeps_none_of_the_others(project: Project) -> None:
    tenants = sorted(project.tenants(9), key=lambda tenant: tenant.uid)
    project.write(FIELD)
    project.migrate()
    assert run("--tenant", tenants[3].slug).code == 0
    tell(
        f"UPDATE django_tenantkit_place SET migrations = (SELECT migrations FROM django_tenantkit_place WHERE uid = "
        f"'{tenants[0].uid}') WHERE uid = '{tenants[3].uid}'"
    )
    ran = run("--all-tenants", "--workers", "1")
    assert (ran.code, ran.out) == (0, "Migrated 9 homes.\n"), ran.complaint
    assert len({str(catalog(tenant.uid)) for tenant in tenants}) == 1
    assert run("--check").code == 0


def test_twenty_kills(project: Project) -> None:
    tenants = project.tenants(12)
    project.write(FIELD)
    project.write("""migrations.AddIndex("thing", models.Index(fields=["name"], name="thing_name")),""")
    project.migrate()
    with project.child("tests.migrating.killed", "20", "3", "1") as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert sum(json.loads(printed.splitlines()[-1]).get(moment, 0) for moment in ("before", "sent", "after")) == 20
    assert run("--all-tenants", "--wait", "60").code == 0
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first] * 11
    assert [len(recorded(tenant.uid)) for tenant in tenants] == [3] * 12


def test_a_run_that_is_killed_before_it_notes_asks_the_homes(project: Project) -> None:
    tenants = project.tenants(3)
    project.write(FIELD)
    project.migrate()
    with patch("django_tenantkit.lifecycle.migrating.notes.Notes.write"):
        assert run("--all-tenants").code == 0
    assert run("--check").code == 1
    ran = run("--all-tenants")
    assert (ran.code, ran.out) == (0, "Migrated 3 homes.\n")
    assert [len(recorded(tenant.uid)) for tenant in tenants] == [2] * 3
    assert run("--check").code == 0
