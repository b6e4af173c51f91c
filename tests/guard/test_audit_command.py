"""check_tenants: what it prints, how it ends, and what it finds in a database that was migrated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction

from django_tenantkit.conf import conf
from django_tenantkit.lifecycle.audit.finding import Finding, Severity
from django_tenantkit.lifecycle.audit.run import CHECKS, POOLER, ROWS, Report, audit_database
from tests.lifecycle.helpers import Ran

COMMAND = "django_tenantkit.management.commands.check_tenants.audit_database"

needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")

ERROR = Finding("rls.off", Severity.ERROR, "public.note", "public.note has none.", "ALTER TABLE public.note;")
WARNING = Finding("role.login", Severity.WARNING, "owner", "owner can log in.", "ALTER ROLE owner;", "Soon.")
NOTICE = Finding("trigger.event", Severity.NOTICE, "log", "There is one.", advice="See what it does.")
CROSSING = Finding("rows.crossing", Severity.ERROR, "shop.X", "1 row.", rows=({"row": "1", "tenant": "2"},))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the audit is going to find."""
    findings: list[Finding] = []
    report = lambda alias, checks, progress: Report(tuple(findings), ("2 tables", "the rows"))  # noqa: E731
    monkeypatch.setattr(COMMAND, report)
    monkeypatch.setattr(f"{COMMAND}s", lambda *options: Report((), ()))  # those of tenants
    return findings


def test_nothing_found_is_exit_code_0(found: list[Finding]) -> None:
    ran = Ran("check_tenants")
    assert (ran.code, ran.out) == (0, "Looked at 2 tables; the rows.\nFound 0 errors, 0 warnings, 0 notices.\n")


def test_each_finding_is_the_fact_and_then_what_to_type(found: list[Finding]) -> None:
    found += [ERROR, WARNING, NOTICE]
    assert Ran("check_tenants").out.splitlines()[1:] == [
        "ERROR rls.off: public.note has none.",
        "    ALTER TABLE public.note;",
        "WARNING role.login: owner can log in.",
        "    ALTER ROLE owner;",
        "    Soon.",
        "NOTICE trigger.event: There is one.",
        "    See what it does.",
        "Found 1 error, 1 warning, 1 notice.",
    ]


@pytest.mark.parametrize(
    ("finding", "arguments", "code"),
    [
        (ERROR, [], 1),
        (ERROR, ["--strict"], 1),
        (WARNING, [], 0),
        (WARNING, ["--strict"], 1),
        (NOTICE, [], 0),
        (NOTICE, ["--strict"], 0),
    ],
    ids=lambda value: getattr(value, "severity", None) or str(value),
)
def test_the_exit_code(found: list[Finding], finding: Finding, arguments: list[str], code: int) -> None:
    found.append(finding)
    assert Ran("check_tenants", *arguments).code == code


def test_an_exit_code_of_1_is_one_line_of_complaint(found: list[Finding]) -> None:
    found.append(ERROR)
    assert Ran("check_tenants").complaint == "default: 1 error, 0 warnings, 0 notices."


def test_as_json(found: list[Finding]) -> None:
    found += [CROSSING, NOTICE]
    shown = Ran("check_tenants", "--format", "json").json
    assert (shown["database"], shown["looked_at"]) == ("default", ["2 tables", "the rows"])
    assert (shown["errors"], shown["warnings"], shown["notices"]) == (1, 0, 1)
    assert shown["findings"][0] == {
        "id": "rows.crossing",
        "severity": "error",
        "object": "shop.X",
        "fact": "1 row.",
        "cure": "",
        "advice": "",
        "rows": [{"row": "1", "tenant": "2"}],
        "tenant": "",
    }


@pytest.mark.parametrize("arguments", [["--database", "other"], ["--only", "rls.of"], ["--skip", "nothing"]], ids=str)
def test_a_name_that_there_is_not_is_wrong_use(arguments: list[str]) -> None:
    ran = Ran("check_tenants", *arguments)
    assert (ran.code, ran.out) == (2, "")


def test_a_dry_run_shows_what_would_be_looked_for() -> None:
    ran = Ran("check_tenants", "--dry-run", "--skip", "pooler", "--no-rows")
    wanted = [check.id for check in CHECKS if check not in (*POOLER, *ROWS)]
    assert (ran.code, ran.out.splitlines()) == (0, wanted)


def test_a_dry_run_as_json() -> None:
    shown = Ran("check_tenants", "--dry-run", "--only", "rls", "--format", "json").json
    assert shown == {"database": "default", "dry_run": True, "ids": ["rls.off", "rls.unforced"]}


@pytest.mark.skipif(connection.vendor == "postgresql", reason="needs another database")
def test_another_database_has_no_guard_that_could_be_audited() -> None:
    ran = Ran("check_tenants")
    assert (ran.code, "has no guard that could be audited" in ran.complaint) == (2, True)


@needs_postgresql
@pytest.mark.django_db
def test_inside_a_transaction_it_is_refused() -> None:
    with transaction.atomic():
        ran = Ran("check_tenants")
    assert (ran.code, "outside of atomic()" in ran.complaint) == (2, True)


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_migrated_has_no_faults() -> None:
    report = audit_database("default")
    assert report.findings == ()
    assert " tenant tables of " in report.looked_at[0]
    assert report.looked_at[2].startswith("connections: ")


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_fault_in_a_database_that_was_migrated_is_found() -> None:
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE testapp_note NO FORCE ROW LEVEL SECURITY")
    try:
        shown = Ran("check_tenants", "--format", "json")
        finding = shown.json["findings"][0]
        home = conf.ROW_SCHEMA or "public"
        assert (shown.code, finding["id"], finding["object"]) == (1, "rls.unforced", f"{home}.testapp_note")
    finally:
        with connection.as_system(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE testapp_note FORCE ROW LEVEL SECURITY")


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_the_login_of_the_settings_can_be_left_to_the_environment(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PGUSER", connection.settings_dict["USER"])
    monkeypatch.setitem(connection.settings_dict, "USER", "")
    ran = Ran("check_tenants", "--only", "role", "--format", "json")
    assert json.loads(ran.out)["findings"] == []


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_system_that_cannot_act_as_the_owner_is_one_line_with_the_next_step(settings: Any) -> None:
    settings.TENANTKIT_OWNER_ROLE = "nobody"
    ran = Ran("check_tenants")
    assert (ran.code, ran.out) == (2, "")
    assert "This needs the system's login, which acts as nobody." in ran.complaint
    assert "`manage.py setup_roles" in ran.complaint
