"""Every finding has an id of its own, a line in the documentation, and a test that plants it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from django_tenantkit.lifecycle.audit.run import CHECKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "audit.md").read_text()
FILES = [*sorted(Path(__file__).parent.glob("test_audit_*.py")), *sorted((ROOT / "tests/homes").glob("test_audit*.py"))]
TESTS = "".join(file.read_text() for file in FILES)


def test_every_id_is_used_once() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS) > 50


def test_every_finding_is_documented_with_its_severity() -> None:
    documented = re.findall(r"^\| `([a-z.-]+)` \| (\w+) \|", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted((check.id, str(check.severity)) for check in CHECKS)


@pytest.mark.parametrize("id", [check.id for check in CHECKS])
def test_every_finding_is_planted_by_a_test(id: str) -> None:
    assert f'"{id}"' in TESTS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_says_what_it_stands_for(check: type) -> None:
    assert check.__doc__
    assert check.__doc__.endswith(".")
