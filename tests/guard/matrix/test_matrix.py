"""0 leaks and 0 faults with the ORM's scoping switched off: the database alone."""

from __future__ import annotations

import pytest

from .cases import ALONE, CASES, DIFFERENT, IN_A_DATABASE, NO_TENANT, SCOPED, WAYS, Case, in_place
from .crossing import GENERIC
from .ground import FINE, Ground


@pytest.mark.parametrize("name", in_place(ALONE))
def test_the_database_alone(ground: Ground, name: str) -> None:
    assert Case(name, ALONE).judge(ground) == FINE


@pytest.mark.parametrize("name", in_place(NO_TENANT))
def test_the_database_alone_where_there_is_no_tenant(ground: Ground, name: str) -> None:
    assert Case(name, NO_TENANT).judge(ground) == FINE


@pytest.mark.parametrize("name", in_place(SCOPED))
def test_the_orms_scoping_too(ground: Ground, name: str) -> None:
    assert Case(name, SCOPED).judge(ground) == FINE


def test_the_ways_are_many_and_the_exceptions_few() -> None:
    assert len(WAYS) >= 700
    assert len(CASES) >= 2000
    assert len(DIFFERENT) == 2
    assert len(IN_A_DATABASE) == 14
    assert len(GENERIC) == 10
