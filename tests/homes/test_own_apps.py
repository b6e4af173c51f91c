"""Apps that know nothing of tenants, in each tenant's schema: the project `tests/owners`, in a pytest of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "tests" / "owners").glob("owned_*.py"))
NAMES = [name for file in FILES for name in re.findall(r"def (test_\w+)", file.read_text())]

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="schemas are PostgreSQL's")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """How each test of the project ended."""
    handed_down = [name for name in os.environ if name.startswith(("TENANTKIT_TEST", "PYTEST_"))]
    environment = {name: value for name, value in os.environ.items() if name not in handed_down}
    command = [sys.executable, "-m", "pytest", "-v", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly"]
    options = ["--ds=tests.owners.settings", "-o", "python_files=owned_*.py", "tests/owners"]
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for name, outcome in re.findall(r"::(\w+)(?:\[\S*\])? (PASSED|FAILED|ERROR|SKIPPED)", done.stdout):
        found[name] = outcome if found.get(name, "PASSED") == "PASSED" else found[name]
    return {"output": done.stdout + done.stderr} | found


@pytest.mark.parametrize("name", NAMES)
def test_in_a_project_whose_tenants_have_their_own(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes.get(name) == "PASSED", outcomes["output"]
