"""`migrate_tenants`: exit codes, what it prints, waves, backwards, --fake, one statement for nothing to do."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection

from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.migrating.run import Options, migrate_tenants
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.testing.tenants import make_tenant
from tests.migrating.project import Project, add_thing, ask, catalog, recorded, run, things

ADD = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""
UNIQUE = """migrations.AddConstraint("thing", models.UniqueConstraint(fields=["tenant", "name"], name="one_name")),"""


@contextmanager
def messages() -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        sent.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


def test_nothing_to_do_is_one_statement(project: Project) -> None:
    project.tenants(3)
    with messages() as sent:
        report = migrate_tenants()
    assert len(sent) == 1
    assert (report.outcomes, report.states[0].places) == ([], 3)


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        ([], "Name tenants with --tenant SLUG, or say --all-tenants."),
        (["--tenant", "nobody"], "There is no tenant 'nobody'."),
        (["--all-tenants", "--target", "0001"], "--target needs --app-label"),
        (["--all-tenants", "--app-label", "nothing"], "There is no app 'nothing' with migrations."),
        (["--all-tenants", "--app-label", "evolving", "--target", "9"], "has not one migration whose name begins"),
        (["--all-tenants", "--workers", "0"], "0 is not 1 or more"),
        (["--all-tenants", "--stop-after-failures", "few"], "neither a number nor a percentage"),
    ],
)
def test_wrong_use(project: Project, arguments: list[str], because: str) -> None:
    project.tenants(1)
    ran = run(*arguments)
    assert ran.code in (1, 2)
    assert because in ran.complaint


def test_homes_do_not_overtake_the_main_database(project: Project) -> None:
    project.tenants(1)
    name = project.write(ADD)
    ran = run("--all-tenants")
    assert ran.code == 2
    assert ran.complaint.startswith(f"The main database lacks evolving.{name}. Run `migrate` first")


@pytest.mark.parametrize("arguments", [["--check"], ["--dry-run"], ["--plan"], ["--plan", "--check"]])
def test_what_only_looks_changes_nothing(project: Project, arguments: list[str]) -> None:
    tenants = project.tenants(2)
    assert run(*arguments).code == 0
    name = project.write(ADD)
    project.migrate()
    before = [catalog(tenant.uid) for tenant in tenants]
    ran = run(*arguments)
    assert ran.code == (1 if "--check" in arguments else 0)
    if "--plan" in arguments:
        assert f"evolving.{name}: recorded once" in ran.out
    else:
        assert ran.out == "3 homes lag behind, 2 of them tenants', in 1 states.\n"
    assert [catalog(tenant.uid) for tenant in tenants] == before
    assert run("--check", "--tenant", tenants[0].slug, "--format", "json").json["states"][0]["homes"] == 1


def test_one_tenant(project: Project) -> None:
    first, second = project.tenants(2)
    name = project.write(ADD)
    project.migrate()
    assert run("--tenant", second.slug).out == "Migrated 1 home.\n"
    assert [name in recorded(tenant.uid) for tenant in (first, second)] == [False, True]


def test_places_that_wait_are_migrated_along(project: Project) -> None:
    [tenant] = project.tenants(1)
    waiting = make_place("schema").uid
    project.write(ADD)
    project.migrate()
    assert run("--all-tenants").code == 0
    assert catalog(waiting) == catalog(tenant.uid)
    assert ask("SELECT DISTINCT state FROM django_tenantkit_place ORDER BY 1") == ["ready", "taken"]


def test_a_tenant_that_shares_tables_has_nothing_to_migrate(project: Project) -> None:
    make_tenant("shared")
    project.write(ADD)
    project.migrate()
    assert run("--tenant", "shared").out == "Nothing to do: all homes are as the migrations say.\n"


def test_a_failing_canary_keeps_the_others(project: Project) -> None:
    tenants = sorted(project.tenants(3), key=lambda tenant: tenant.uid)
    for _ in range(2):
        add_thing(tenants[0], "same")
    project.write(UNIQUE)
    project.migrate()
    ran = run("--all-tenants", "--canary", "1", "--format", "json")
    assert ran.code == 3
    assert ran.json["stopped"] == "a canary failed"
    assert [home["seconds"] is None for home in ran.json["homes"]] == [False, True, True]
    assert "2 homes were not reached: a canary failed" in ran.complaint
    assert [recorded(tenant.uid)[-1] for tenant in tenants[1:]] == ["0001_initial"] * 2


@pytest.mark.parametrize(("limit", "reached"), [("0", 1), ("1", 2), ("34%", 2), ("100%", 3)])
def test_it_stops_when_more_than_so_many_fail(project: Project, limit: str, reached: int) -> None:
    for tenant in project.tenants(3):
        for _ in range(2):
            add_thing(tenant, "same")
    project.write(UNIQUE)
    project.migrate()
    ran = run("--all-tenants", "--workers", "1", "--wave", "1", "--stop-after-failures", limit, "--format", "json")
    assert ran.code == 3
    assert sum(home["seconds"] is not None for home in ran.json["homes"]) == reached


def test_waves(project: Project) -> None:
    project.tenants(3)
    project.write(ADD)
    project.migrate()
    seen: list[tuple[int, int]] = []
    report = migrate_tenants(
        options=Options(canary=1, wave=1), progress=lambda done, total, label: seen.append((done, total))
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(report.done) == 3


def test_backwards_and_forwards_again(project: Project) -> None:
    tenants = project.tenants(3)
    for tenant in tenants:
        add_thing(tenant)
    before = catalog(tenants[0].uid)
    project.write(ADD)
    project.write("""migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop),""")
    project.write("""migrations.RenameField("thing", "name", "title"),""")
    project.migrate()
    assert run("--all-tenants").code == 0
    forwards = catalog(tenants[0].uid)
    ran = run("--all-tenants", "--app-label", "evolving", "--target", "0001", "--workers", "1")
    assert (ran.code, ran.out) == (0, "Migrated 3 homes.\n"), ran.complaint
    assert [catalog(tenant.uid) for tenant in tenants] == [before] * 3
    assert [things(tenant) for tenant in tenants] == [[tenant.slug] for tenant in tenants]
    assert run("--check").code == 1
    assert run("--all-tenants").code == 0
    assert [catalog(tenant.uid) for tenant in tenants] == [forwards] * 3


def test_to_a_target(project: Project) -> None:
    tenants = project.tenants(2)
    first, second = project.write(ADD), project.write(UNIQUE)
    project.migrate()
    assert run("--all-tenants", "--app-label", "evolving", "--target", first).code == 0
    assert [recorded(tenant.uid)[-1] for tenant in tenants] == [first] * 2
    assert run("--all-tenants", "--app-label", "evolving").code == 0
    assert [recorded(tenant.uid)[-1] for tenant in tenants] == [second] * 2


def test_what_cannot_be_undone_says_so(project: Project) -> None:
    project.tenants(2)
    project.write("migrations.RunSQL('SELECT 1'),")
    project.migrate()
    run("--all-tenants")
    ran = run("--all-tenants", "--app-label", "evolving", "--target", "0001")
    assert ran.code == 3
    assert "IrreversibleError" in ran.complaint


def test_fake(project: Project) -> None:
    tenants = project.tenants(3)
    name = project.write(ADD)
    project.migrate()
    before = catalog(tenants[0].uid)
    assert run("--all-tenants", "--fake").code == 0
    assert [name in recorded(tenant.uid) for tenant in tenants] == [True] * 3
    assert [catalog(tenant.uid) for tenant in tenants] == [before] * 3
    assert run("--check").code == 0


def test_squashed(project: Project) -> None:
    """New homes get the squashed migration, old ones put it on record; then what it replaces can go."""
    tenants = project.tenants(2)
    replaced = [project.write(ADD), project.write(UNIQUE)]
    project.migrate()
    assert run("--tenant", tenants[0].slug).code == 0
    last = project.last
    squashed = project.write(
        ADD + UNIQUE,
        name="0002_squashed",
        after="0001_initial",
        replaces=str([("evolving", name) for name in replaced]),
    )
    project.migrate()
    ran = run("--all-tenants")
    assert (ran.code, ran.out) == (0, "Migrated 3 homes.\n"), ran.complaint
    assert [recorded(tenant.uid) for tenant in tenants] == [sorted(["0001_initial", squashed, *replaced])] * 2
    assert catalog(tenants[0].uid) == catalog(tenants[1].uid)
    for name in replaced:
        (project.folder / f"{name}.py").unlink()
    file = project.folder / f"{squashed}.py"
    file.write_text(file.read_text().replace("replaces = [", "was = ["))
    assert run("--check").code == 0
    assert last != project.last


def test_migrate_says_that_homes_lag(project: Project) -> None:
    project.tenants(2)
    project.write(ADD)
    printed = io.StringIO()
    call_command("migrate", stdout=printed)
    assert printed.getvalue().endswith("2 tenants have homes that lag behind: `migrate_tenants --all-tenants`.\n")
    run("--all-tenants")
    printed = io.StringIO()
    call_command("migrate", stdout=printed)
    assert "lag" not in printed.getvalue()


def test_a_new_table_is_guarded(project: Project) -> None:
    tenants = project.tenants(2)
    project.write("""migrations.RunSQL("CREATE TABLE notes (id int)"),""")
    project.migrate()
    assert run("--all-tenants").code == 0
    for tenant in tenants:
        query = f"SELECT qual FROM pg_policies WHERE schemaname = '{schema_name(tenant.uid)}' AND tablename = 'notes'"
        said = f"(current_setting('tenantkit.home'::text, true) = '{schema_name(tenant.uid)}'::text)"
        assert any(said in condition for condition in ask(query))


def test_a_worker_connects_anew_after_so_many_homes(project: Project) -> None:
    """A backend remembers every table that it saw."""
    tenants = project.tenants(3)
    project.write(ADD)
    project.write("""migrations.RunSQL("CREATE TABLE made_by AS SELECT pg_backend_pid() AS pid"),""")
    project.migrate()
    with patch("django_tenantkit.lifecycle.migrating.run.HOMES_PER_CONNECTION", 1):
        assert run("--all-tenants", "--workers", "1").code == 0
    found = [ask(f"SELECT pid FROM {schema_name(tenant.uid)}.made_by")[0] for tenant in tenants]
    assert len(set(found)) == 3
