"""Every check has an id of its own, and a line in the documentation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import django_tenantkit
from django_tenantkit import checks

PACKAGE = Path(django_tenantkit.__file__).parent
PAGE = PACKAGE.parent / "docs" / "reference" / "checks.md"


def ids_in_code():
    text = "".join(file.read_text() for file in sorted(PACKAGE.rglob("*.py")))
    return Counter(re.findall(r'id="tenantkit\.([EW]\d{3})"', text))


def ids_on_the_page():
    return Counter(re.findall(r"^\| `tenantkit\.([EW]\d{3})` \|", PAGE.read_text(), re.MULTILINE))


def test_there_are_checks():
    assert len(ids_in_code()) > 30


def test_every_id_is_used_once():
    assert [id for id, times in ids_in_code().items() if times > 1] == []


def test_no_number_stands_for_an_error_and_a_warning():
    assert len({id[1:] for id in ids_in_code()}) == len(ids_in_code())


def test_every_id_is_documented_once():
    assert ids_on_the_page() == ids_in_code()


def test_the_level_is_the_letter():
    for family in checks.__all__:
        text = (PACKAGE / "checks" / f"{family}.py").read_text()
        for level, letter in re.findall(r'\b(Error|Warning)\((?:(?!\bid=).)*\bid="tenantkit\.(.)', text, re.DOTALL):
            assert level[0] == letter


def test_every_id_is_planted_by_a_test():
    tests = "".join(file.read_text() for file in Path(__file__).parent.parent.rglob("test_checks_*.py"))
    assert [id for id in ids_in_code() if id not in tests] == []
