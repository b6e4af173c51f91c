"""The pytest plugin, as pytest loads it for an adopter, and the test cases beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import TestCase, TransactionTestCase

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.context import contained
from django_tenantkit.models import AbstractTenant, Tenant
from django_tenantkit.testing.cases import TenantTestCase, TenantTransactionTestCase
from django_tenantkit.testing.client import TenantAsyncClient, TenantClient
from django_tenantkit.testing.tenants import make_tenant
from tests.testapp.models import Customer

ROOT = Path(__file__).parent.parent
SAMPLE = Path(__file__).parent / "adopter" / "fixtures_sample.py"
FIXTURES = ["tenant", "other_tenant", "in_tenant", "tenant_client", "async_tenant_client"]
PLUGINS = ["pytest_django.plugin", "pytest_asyncio.plugin", "django_tenantkit.testing.plugin"]


def run_pytest(directory: Path, *arguments: str, plugins: list[str] = PLUGINS) -> str:
    """The output of a pytest of its own, in that directory, on SQLite."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        f"--rootdir={directory}",
        *arguments,
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "TENANTKIT_TEST_ENGINE": "sqlite",
    }
    loaded = [argument for plugin in plugins for argument in ("-p", plugin)]
    done = subprocess.run(
        [*command, *loaded], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each test of the adopter ended."""
    directory = tmp_path_factory.mktemp("adopter")
    (directory / "test_sample.py").write_text(SAMPLE.read_text())
    (directory / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    output = run_pytest(directory, "--ds=tests.settings")
    found = dict(re.findall(r"::(\w+) (PASSED|FAILED|ERROR|SKIPPED)", output))
    return {"output": output} | found


@pytest.mark.parametrize("name", re.findall(r"def (test_\w+)", SAMPLE.read_text()))
def test_an_adopter_has_the_fixtures(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes.get(name) in ("PASSED", "SKIPPED"), outcomes["output"]


def test_the_entry_point_is_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"django_tenantkit": PLUGINS[-1]}


def test_importing_the_plugin_imports_no_django() -> None:
    code = f"import sys, {PLUGINS[-1]}; print(*(name for name in sys.modules if name.split('.')[0] == 'django'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("plugins", [PLUGINS[-1:], PLUGINS[:1] + PLUGINS[-1:]], ids=["alone", "with pytest-django"])
def test_a_project_without_django_is_left_alone(tmp_path: Path, plugins: list[str]) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(request):\n    request.getfixturevalue('tenant')\n")
    output = run_pytest(tmp_path, plugins=plugins)
    assert "fixture 'tenant' not found" in output


def test_a_fixture_in_conftest_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef tenant():\n    return 'their own'\n")
    (tmp_path / "test_it.py").write_text("def test_it(tenant):\n    assert tenant == 'their own'\n")
    assert "1 passed" in run_pytest(tmp_path, "--ds=tests.settings")


def test_every_fixture_is_documented(tmp_path: Path) -> None:
    output = run_pytest(tmp_path, "--fixtures", "--ds=tests.settings")
    ours = output.partition("fixtures defined from django_tenantkit.testing.fixtures")[2].split("\n---")[0]
    assert re.findall(r"^(\w+) -- .*\n    (?!no docstring)\S", ours, re.MULTILINE) == FIXTURES


class TestInATenant(TenantTestCase):
    customer: Customer

    @classmethod
    def setUpTestData(cls) -> None:
        cls.customer = Customer.objects.create(name="Ann")

    def setUp(self) -> None:
        self.tenant_at_set_up = get_current_tenant()
        self.addCleanup(self.tearDown)

    def tearDown(self) -> None:
        assert get_current_tenant() == self.tenant

    def test_the_test_runs_in_the_tenant(self) -> None:
        assert get_current_tenant() == self.tenant
        assert self.tenant_at_set_up == self.tenant

    async def test_a_coroutine_does_too(self) -> None:
        assert get_current_tenant() == self.tenant
        assert (await Customer.objects.aget()).pk == self.customer.pk

    def test_test_data_are_the_tenants(self) -> None:
        assert Customer.objects.get().tenant == self.tenant
        with tenant_context(self.other_tenant):
            assert not Customer.objects.exists()

    def test_a_tenant_changed_in_memory_1(self) -> None:
        assert self.tenant.name == "Acme"
        self.tenant.name = "changed"

    def test_a_tenant_changed_in_memory_2(self) -> None:
        self.test_a_tenant_changed_in_memory_1()
        assert self.tenant.name == "changed"

    def test_a_tenant_changed_in_the_database_1(self) -> None:
        assert Tenant.objects.get(slug="acme").name == "Acme"
        Tenant.objects.update(name="changed")

    def test_a_tenant_changed_in_the_database_2(self) -> None:
        self.test_a_tenant_changed_in_the_database_1()
        assert Tenant.objects.get(slug="acme").name == "changed"

    def test_the_clients_are_at_the_tenants_host(self) -> None:
        assert isinstance(self.client, TenantClient)
        assert isinstance(self.async_client, TenantAsyncClient)
        assert self.client.host == "acme.example.com"
        assert self.async_client.host == "acme.example.com"


class TestInheritance(TestInATenant):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.customer.email = "ann@example.org"
        cls.customer.save()


class TestWithoutTestData(TenantTestCase):
    def test_there_are_two_tenants(self) -> None:
        assert [self.tenant.slug, self.other_tenant.slug] == ["acme", "globex"]


class TestTenantsOfOnesOwn(TenantTestCase):
    @classmethod
    def make_tenant(cls, slug: str) -> AbstractTenant:
        return make_tenant(slug, plan="gold")

    def test_they_are_made_by_the_class(self) -> None:
        assert (self.tenant.plan, self.other_tenant.plan) == ("gold", "gold")


class TestCommitted(TenantTransactionTestCase):
    def test_the_test_runs_in_the_tenant(self) -> None:
        assert get_current_tenant() == self.tenant
        assert not connection.in_atomic_block

    async def test_a_coroutine_does_too(self) -> None:
        await Customer.objects.acreate(name="Ann")
        assert get_current_tenant() == self.tenant

    def test_the_other_tenant_is_there(self) -> None:
        Customer.objects.create(name="Ann")
        with tenant_context(self.other_tenant):
            assert not Customer.objects.exists()

    def test_the_clients_are_at_the_tenants_host(self) -> None:
        assert self.client.host == "acme.example.com"  # type: ignore[attr-defined]


class TestAfterwards(TransactionTestCase):
    def test_nothing_is_left(self) -> None:
        assert get_current_tenant() is None
        assert not Tenant.objects.exists()
        assert not get_user_model().objects.exists()


def run_case(case: type[TestCase], *, debug: bool = False) -> unittest.TestResult:
    """Run the test `runTest` of a class as a test runner does."""
    result = unittest.TestResult()
    test = case("runTest")
    case.setUpClass()
    try:
        if debug:
            test.debug()
        else:
            test(result)
    finally:
        case.tearDownClass()
        case.doClassCleanups()
    return result


def case_with(base: Any, body: Any, **members: Any) -> Any:
    return type("Case", (base,), {"runTest": body, **members})


both = pytest.mark.parametrize("base", [TenantTestCase, TenantTransactionTestCase])


@both
@pytest.mark.django_db(transaction=True)
def test_a_failing_test_leaves_no_tenant_behind(base: Any) -> None:
    result = run_case(case_with(base, lambda self: self.fail("on purpose")))
    assert len(result.failures) == 1
    assert get_current_tenant() is None


@both
@pytest.mark.django_db(transaction=True)
def test_debug_runs_in_the_tenant_too(base: Any) -> None:
    entered: list[Any] = []
    run_case(case_with(base, lambda self: entered.append(get_current_tenant().slug)), debug=True)
    assert entered == ["acme"]
    assert get_current_tenant() is None


@pytest.mark.django_db(transaction=True)
def test_a_tenant_that_cannot_be_made_is_an_error_of_the_test() -> None:
    def refuse(cls: Any, slug: str) -> None:
        raise RuntimeError("cannot")

    result = run_case(case_with(TenantTransactionTestCase, lambda self: None, make_tenant=classmethod(refuse)))
    assert "RuntimeError: cannot" in result.errors[0][1]


@both
@pytest.mark.django_db(transaction=True)
def test_a_context_left_open_by_a_test_is_an_error(base: Any) -> None:
    with contained("the test below"):
        result = run_case(case_with(base, lambda self: tenant_context(self.other_tenant).__enter__() and None))
    assert "TenantContextError" in result.errors[0][1]
