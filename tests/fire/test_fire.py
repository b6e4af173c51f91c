"""Nothing but one's own rows, and nothing left behind: whatever stands between Django and PostgreSQL, and
whatever goes wrong. And the same hammer finds out a backend that sets the tenant on the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest

from tests.services import pgbouncer

from .ground import Ground, Report, hammer
from .requests import LEFT, VARIABLES

NAIVE = "tests.fire.naive"

#: The requests of each thread, and of each chain of coroutines: 2 processes x (4 threads + 2 x 3 chains) x 65 makes
#: 1,300 in each configuration.
SIZE = {"threads": 4, "tasks": 3, "requests": 65}

#: Enough to find out the naive backend: 500.
FEWER = 25

Way = Callable[[Ground], AbstractContextManager[dict[str, Any]]]


@contextmanager
def persistent(ground: Ground) -> Iterator[dict[str, Any]]:
    """Each thread keeps its connection."""
    yield ground.settings | {"CONN_MAX_AGE": None}


@contextmanager
def bound_by_the_server(ground: Ground) -> Iterator[dict[str, Any]]:
    """The same with parameters that the server binds, and prepared statements."""
    options = {"server_side_binding": True, "prepare_threshold": 1}
    yield ground.settings | {"CONN_MAX_AGE": None, "OPTIONS": options}


@contextmanager
def native_pool(ground: Ground) -> Iterator[dict[str, Any]]:
    """Django's own pool, smaller than the number of threads."""
    pytest.importorskip("psycopg_pool")
    yield ground.settings | {"OPTIONS": {"pool": {"min_size": 1, "max_size": 2}}}


def pooled(server_connections: int, left: str = "") -> Way:
    """PgBouncer in transaction mode, perhaps with something left on each of its connections to the server."""

    @contextmanager
    def through(ground: Ground) -> Iterator[dict[str, Any]]:
        if pgbouncer.find() is None:
            pytest.skip(pgbouncer.HOW_TO_INSTALL)
        with pgbouncer.start(ground.settings, server_connections, connect_query=left) as settings:
            yield settings | {"CONN_MAX_AGE": None}

    through.__name__ = f"pgbouncer_{server_connections}"
    return through


one_pooled, two_pooled = pooled(1), pooled(2)


def run(ground: Ground, settings: dict[str, Any], seed: str, **more: Any) -> Report:
    """Hammer, and print the totals: `pytest -s` shows them."""
    through_a_pooler = settings["HOST"] != ground.settings["HOST"]
    report = hammer(ground.orders(settings, seed=seed, pooled_by_transaction=through_a_pooler, **{**SIZE, **more}))
    print(f"\n{seed}: {report}")
    return report


def connected(settings: dict[str, Any]) -> psycopg.Connection[Any]:
    """A connection of the application's login, behind Django's back."""
    host, port, user, password = (settings.get(key) for key in ("HOST", "PORT", "USER", "PASSWORD"))
    return psycopg.connect(host=host, port=port, user=user, password=password, dbname=settings["NAME"], autocommit=True)


def left_at(settings: dict[str, Any], two: bool) -> list[Any]:
    """What is left on the pooler's connections to the server: a transaction keeps the first from being the second."""
    with connected(settings) as first, connected(settings) as second, first.transaction():
        asked = [first, second] if two else [first]
        return [value for one in asked for value in one.execute(LEFT).fetchone() or () if value]


def faults(ground: Ground, report: Report, *, shared: bool = False) -> list[Any]:
    """What went wrong, if anything: wrong answers, something left, errors, a row that is not where it belongs, one
    that was lost or that nobody wrote. Only where others share the server's processes can somebody lose one that
    another request has ended."""
    owners = ground.tags(report.seed)
    return [
        *report.faults[:3],
        *([] if shared else ["disturbed"] * report.disturbed),
        *report.wrong[:3],
        *report.left[:3],
        *(f"{label} is {owner}'s" for label, owner in owners.items() if label.partition("/")[0] != owner),
        *(f"{label} is lost" for label in report.written - owners.keys()),
        *(f"nobody wrote {label}" for label in owners.keys() - report.written - report.perhaps_written),
    ]


def naive(settings: dict[str, Any]) -> dict[str, Any]:
    """The same way, gone by the backend that sets the tenant on the session before each query."""
    return settings | {"ENGINE": NAIVE}


@pytest.mark.parametrize("way", [persistent, bound_by_the_server, native_pool], ids=lambda way: way.__name__)
def test_every_answer_is_right(ground: Ground, way: Way) -> None:
    with way(ground) as settings:
        report = run(ground, settings, way.__name__)
    assert faults(ground, report) == []


@pytest.mark.parametrize("way", [persistent, native_pool], ids=lambda way: way.__name__)
def test_every_answer_is_right_with_a_login_for_operators(ground: Ground, way: Way) -> None:
    with way(ground) as settings:
        report = run(ground, settings, f"operators_{way.__name__}", operators_apart=ground.desk())
    assert faults(ground, report) == []


SECRET = "of the hammer"


@pytest.fixture
def signed(ground: Ground, settings: Any, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """The settings of processes that sign their context and carry a variable, and tables that ask for it."""
    with django_db_blocker.unblock():
        settings.TENANTKIT_SIGNED_CONTEXT = SECRET
        ground.sign()
        try:
            yield {"TENANTKIT_SIGNED_CONTEXT": SECRET, "TENANTKIT_SESSION_VARIABLES": VARIABLES}
        finally:
            settings.TENANTKIT_SIGNED_CONTEXT = None
            ground.sign()


@pytest.mark.parametrize("way", [persistent, bound_by_the_server, native_pool], ids=lambda way: way.__name__)
def test_every_answer_is_right_in_a_signed_context(ground: Ground, signed: dict[str, Any], way: Way) -> None:
    with way(ground) as settings:
        report = run(ground, settings, f"signed_{way.__name__}", told=signed)
    assert faults(ground, report) == []


@pytest.mark.services
@pytest.mark.parametrize("way", [one_pooled, two_pooled], ids=lambda way: way.__name__)
def test_every_answer_is_right_in_a_signed_context_behind_a_pooler(
    ground: Ground, signed: dict[str, Any], way: Way
) -> None:
    with way(ground) as settings:
        report = run(ground, settings, f"signed_{way.__name__}", told=signed)
        assert left_at(settings, way is two_pooled) == []
    assert faults(ground, report, shared=True) == []


def test_the_hammer_finds_a_context_that_somebody_else_signed(ground: Ground, signed: dict[str, Any]) -> None:
    with persistent(ground) as settings:
        told = signed | {"TENANTKIT_SIGNED_CONTEXT": "another secret"}
        report = run(ground, settings, "forged", told=told, requests=FEWER)
    assert report.wrong
    assert not report.written


@pytest.mark.services
@pytest.mark.parametrize("way", [one_pooled, two_pooled], ids=lambda way: way.__name__)
def test_every_answer_is_right_behind_a_pooler(ground: Ground, way: Way) -> None:
    with way(ground) as settings:
        report = run(ground, settings, way.__name__)
        assert left_at(settings, way is two_pooled) == []
    assert faults(ground, report, shared=True) == []


@pytest.mark.services
def test_what_another_program_left_on_the_session_does_not_count(ground: Ground) -> None:
    """Somebody sets a tenant and the operator's role on every connection to the server, for good."""
    values = {"tenantkit.tenant": ground.tenants[0].pk, "role": ground.roles.operator}
    left = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in values.items())
    with pooled(1, f"SELECT {left}")(ground) as settings:
        report = run(ground, settings, "left_by_another_program")
    assert report.left
    report.left.clear()
    assert faults(ground, report, shared=True) == []


@pytest.mark.parametrize("way", [persistent, native_pool], ids=lambda way: way.__name__)
def test_the_hammer_finds_what_a_set_on_the_session_leaves_behind(ground: Ground, way: Way) -> None:
    with way(ground) as settings:
        report = run(ground, naive(settings), f"naive_{way.__name__}", requests=FEWER)
    assert report.left


@pytest.mark.services
@pytest.mark.parametrize("way", [one_pooled, two_pooled], ids=lambda way: way.__name__)
def test_the_hammer_finds_the_wrong_answers_of_a_set_on_the_session(ground: Ground, way: Way) -> None:
    with way(ground) as settings:
        report = run(ground, naive(settings), f"naive_{way.__name__}", requests=FEWER)
    assert report.left
    assert report.wrong


def test_the_hammer_finds_a_table_without_policies(ground: Ground) -> None:
    """Raw SQL names no tenant, so it is the database that keeps the rows apart."""
    with persistent(ground) as settings:
        ground.guard("testapp_customer", "DISABLE")
        try:
            report = run(ground, settings, "unguarded", requests=FEWER)
        finally:
            ground.guard("testapp_customer", "ENABLE")
    assert report.wrong
    assert {line.split()[1].rstrip(":") for line in report.wrong} >= {
        "raw_rows",
        "copy_out",
        "stream",
        "server_side_left",
    }
