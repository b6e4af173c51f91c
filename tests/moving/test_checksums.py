"""Checksums tell apart whatever is written differently, and are the same on every version of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from django_tenantkit.sql import moving as sql
from tests.databases import as_admin
from tests.roles.servers import HOW_TO_INSTALL, find, postgresql

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's hashes")

#: Values that PostgreSQL takes for equal, by type.
EQUAL = [
    ("numeric", "1.5", "1.50"),
    ("numeric(10,4)[]", "{1}", "{2}"),
    ("numeric[]", "{1.5}", "{1.50}"),
    ("float8", "0", "-0"),
    ("interval", "1 day", "24 hours"),
    ("jsonb", '{"a": 1.5}', '{"a": 1.50}'),
    ("json", "[1]", "[ 1]"),
    ("text", "a", "A"),
]

#: The same under a collation that the embedded PostgreSQL does not have.
NO_CASE = "CREATE COLLATION sums.\"no case\" (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
EQUAL_THERE = [('text COLLATE sums."no case"', "a", "A"), ('text[] COLLATE sums."no case"', "{a}", "{A}")]

#: Values of all types that are hashed as they are, and of some that are hashed as text.
VALUES = [
    *(
        ("int2", "-7"),
        ("int4", "70000"),
        ("int8", "-70000000000"),
        ("bool", "t"),
        ("text", "\u00e4 \\ b"),
        ("text", ""),
    ),
    *(("varchar(20)", "x"), ('"char"', "c"), ("name", "n"), ("uuid", "01a22768-b524-7800-a437-33c34bc9d81a")),
    *(
        ("bytea", "\\x00ff"),
        ("inet", "10.1.2.3/8"),
        ("cidr", "2001:db8::/32"),
        ("date", "2026-02-28"),
        ("time", "23:59"),
    ),
    *(("timetz", "12:00+02"), ("timestamp", "2026-01-01 00:00:00.000001"), ("timestamptz", "infinity")),
    *(("int4[]", "{1,NULL,3}"), ("text[]", '{"a b",c}'), ("uuid[]", "{01a22768-b524-7800-a437-33c34bc9d81a}")),
    *(("numeric", "1.50"), ("float8", "0.1"), ("float4", "1e-7"), ("interval", "1 mon -3 days"), ("bpchar(4)", "a")),
    *(("jsonb", '{"b": [1.0, null], "a": "\u00e4"}'), ("json", '{"b":1}'), ("point", "(1,2)")),
]


def checksum(raw: Any, kind: str, value: str | None) -> tuple[int, str]:
    """The number and the checksum of the rows of a table with one value."""
    with raw.transaction(force_rollback=True):
        raw.execute("CREATE SCHEMA sums")
        if "no case" in kind:
            raw.execute(NO_CASE)
        raw.execute(f"CREATE TABLE sums.one (v {kind})")
        raw.execute("INSERT INTO sums.one VALUES (%s)", [value])
        raw.execute(sql.SETTINGS)
        given = {"schema": "sums", "tables": ["one"], "hashed": sql.HASHED}
        ((_, name, _, is_hashed, _),) = raw.execute(sql.COLUMNS, given).fetchall()
        columns = [sql.Column(f"s.{name}", name, not is_hashed)]
        copied = sql.Copied("sums.one AS s WHERE true", "sums.one", "true", columns)
        found = raw.execute(copied.checksum_of_source()).fetchone()
        assert found == raw.execute(copied.checksum_of_target()).fetchone()
        return tuple(found)


@pytest.mark.parametrize(("kind", "one", "other"), EQUAL)
def test_equal_is_not_enough(kind: str, one: str, other: str) -> None:
    with as_admin() as raw:
        assert checksum(raw, kind, one) != checksum(raw, kind, other)
        assert checksum(raw, kind, one) == checksum(raw, kind, one)


@pytest.fixture(scope="module")
def oldest() -> Iterator[Any]:
    if (binaries := find()) is None:
        pytest.skip(HOW_TO_INSTALL)
    with postgresql(binaries) as server, server.connect() as raw:
        yield raw


@pytest.mark.services
@pytest.mark.parametrize(("kind", "one", "other"), EQUAL_THERE)
def test_equal_is_not_enough_under_any_collation(oldest: Any, kind: str, one: str, other: str) -> None:
    assert checksum(oldest, kind, one) != checksum(oldest, kind, other)


@pytest.mark.services
@pytest.mark.parametrize(("kind", "value"), [*VALUES, ("text", None)])
def test_the_same_on_every_version(oldest: Any, kind: str, value: str | None) -> None:
    with as_admin() as raw:
        assert checksum(raw, kind, value) == checksum(oldest, kind, value)
