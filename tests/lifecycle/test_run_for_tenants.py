"""run_for_tenants: which tenants, what one failure does to the others, and what is left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import BaseCommand, CommandError

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.models import Tenant, TenantStatus
from django_tenantkit.testing.tenants import make_tenant
from tests.lifecycle.helpers import Ran, erased
from tests.testapp.models import Customer

pytestmark = pytest.mark.django_db


def slug_now() -> str:
    tenant = get_current_tenant()
    return "" if tenant is None else tenant.slug


@pytest.fixture(autouse=True)
def tenants() -> None:
    make_tenant("acme")
    make_tenant("globex")
    make_tenant("initech", status=TenantStatus.SUSPENDED)
    make_tenant("umbrella", status=TenantStatus.PROVISIONING)
    erased("gone", days_ago=3)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Give the command `visit` a body; the list that is returned names the tenants it ran in."""

    def install(body: Callable[[BaseCommand], None] = lambda command: None) -> list[str]:
        visited: list[str] = []

        class Command(BaseCommand):
            def handle(self, *args: Any, **options: Any) -> None:
                visited.append(slug_now())
                body(self)

        import django.core.management as management

        load = management.load_command_class
        monkeypatch.setattr(
            management, "load_command_class", lambda app, name: Command() if name == "visit" else load(app, name)
        )
        commands = {**management.get_commands(), "visit": "tests.testapp"}
        monkeypatch.setattr(management, "get_commands", lambda: commands)
        monkeypatch.setattr("django_tenantkit.management.commands.run_for_tenants.get_commands", lambda: commands)
        return visited

    return install


def fail_in_acme(command: BaseCommand) -> None:
    if slug_now() == "acme":
        raise ValueError("no\nsuch luck")


Visit = Callable[..., list[str]]


def test_all_that_are_active(visit: Visit) -> None:
    visited = visit()
    assert Ran("run_for_tenants", "--all-tenants", "visit").code == 0
    assert visited == ["acme", "globex"]


def test_those_that_are_named_in_that_order_and_once(visit: Visit) -> None:
    visited = visit()
    named = ["--tenant", "initech", "--tenant", "acme", "--tenant", "umbrella", "--tenant", "acme"]
    assert Ran("run_for_tenants", *named, "visit").code == 0
    assert visited == ["initech", "acme", "umbrella"]


@pytest.mark.parametrize("slug", ["nobody", "gone"])
def test_an_unknown_or_erased_tenant_is_wrong_use_and_nothing_runs(visit: Visit, slug: str) -> None:
    visited = visit()
    ran = Ran("run_for_tenants", "--tenant", "acme", "--tenant", slug, "visit")
    assert (ran.code, visited) == (2, [])
    assert f"There is no tenant '{slug}'." in ran.complaint


def test_an_unknown_command_is_wrong_use() -> None:
    ran = Ran("run_for_tenants", "--all-tenants", "no_such_thing")
    assert (ran.code, ran.complaint) == (2, "There is no command 'no_such_thing'. `help` lists them.")


def test_what_it_writes_is_the_tenants(visit: Visit) -> None:
    visit(lambda command: Customer.objects.create(name=slug_now()) and None)
    Ran("run_for_tenants", "--all-tenants", "visit")
    with tenant_context(Tenant.objects.get(slug="globex")):
        assert [customer.name for customer in Customer.objects.all()] == ["globex"]


def test_the_command_gets_its_own_options() -> None:
    ran = Ran("run_for_tenants", "--tenant", "acme", "shell", "--no-imports", "-c", "print(6 * 7)", "--verbosity=0")
    assert (ran.code, ran.complaint) == (0, "")


def test_a_failure_does_not_keep_the_others_from_running(visit: Visit) -> None:
    visited = visit(fail_in_acme)
    ran = Ran("run_for_tenants", "--all-tenants", "visit")
    assert visited == ["acme", "globex"]
    assert ran.code == 3
    assert ran.complaint == "visit failed for 1 of 2 tenants: acme (ValueError: no such luck)"


def exits_with(code: Any) -> Callable[[BaseCommand], None]:
    def leave(command: BaseCommand) -> None:
        raise SystemExit(code)

    return leave


@pytest.mark.parametrize(("code", "ends_with"), [(0, 0), (None, 0), (4, 3), ("bye", 3)])
def test_a_command_that_exits_does_not_end_the_run(visit: Visit, code: Any, ends_with: int) -> None:
    visited = visit(exits_with(code))
    assert Ran("run_for_tenants", "--all-tenants", "visit").code == ends_with
    assert visited == ["acme", "globex"]


def test_wrong_options_of_the_command_fail_in_each_tenant(visit: Visit) -> None:
    visit()
    ran = Ran("run_for_tenants", "--all-tenants", "visit", "--nonsense")
    assert ran.code == 3
    assert "2 of 2 tenants" in ran.complaint


def test_a_refusal_by_the_command_is_told(visit: Visit) -> None:
    def refuse(command: BaseCommand) -> None:
        raise CommandError("not here")

    visit(refuse)
    assert "acme (CommandError: not here)" in Ran("run_for_tenants", "--tenant", "acme", "visit").complaint


def test_what_a_command_leaves_behind_does_not_reach_the_next_tenant(
    visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    globex = Tenant.objects.get(slug="globex")
    visited = visit(lambda command: tenant_context(globex).__enter__() and None)
    with caplog.at_level(logging.ERROR, "django_tenantkit"):
        ran = Ran("run_for_tenants", "--tenant", "acme", "--tenant", "initech", "visit")
    assert (ran.code, visited) == (0, ["acme", "initech"])
    assert get_current_tenant() is None
    assert "visit for acme left tenant globex behind" in caplog.text


def test_several_tenants_are_headed(visit: Visit) -> None:
    visit(lambda command: command.stdout.write("hello"))
    ran = Ran("run_for_tenants", "--all-tenants", "visit")
    assert ran.out == "[1/2] acme\nhello\n[2/2] globex\nhello\n"


def test_one_tenant_is_not(visit: Visit) -> None:
    visit(lambda command: command.stdout.write("hello"))
    assert Ran("run_for_tenants", "--tenant", "acme", "visit").out == "hello\n"


def test_as_json_with_what_was_printed(visit: Visit) -> None:
    def speak(command: BaseCommand) -> None:
        fail_in_acme(command)
        command.stdout.write("hello")
        print("there")

    visit(speak)
    ran = Ran("run_for_tenants", "--all-tenants", "--format", "json", "visit")
    assert ran.code == 3
    assert ran.json["command"] == "visit"
    assert ran.json["tenants"] == [
        {"slug": "acme", "ok": False, "error": "ValueError: no such luck", "output": ""},
        {"slug": "globex", "ok": True, "error": "", "output": "hello\nthere\n"},
    ]


def test_a_dry_run_runs_nothing(visit: Visit) -> None:
    visited = visit()
    ran = Ran("run_for_tenants", "--all-tenants", "--dry-run", "visit", "--verbosity", "2")
    assert (ran.code, visited) == (0, [])
    assert ran.out == "visit --verbosity 2: acme, globex\n"


def test_a_dry_run_as_json(visit: Visit) -> None:
    visit()
    ran = Ran("run_for_tenants", "--all-tenants", "--dry-run", "--format", "json", "visit")
    assert ran.json == {"dry_run": True, "command": "visit", "tenants": ["acme", "globex"]}
