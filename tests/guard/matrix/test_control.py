"""The matrix can fail: where a part of the guard is missing, it says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from django_tenantkit.sql.roles import roles_of
from tests.databases import ISOLATION
from tests.isolation.world import APART

from .cases import OWN
from .crossing import CROSSING
from .ground import FINE, Ground
from .reading import READING
from .spots import REFERENCES, TENANT_TABLES, Spot, by_owner
from .writing import WRITING


@contextmanager
def done(ground: Ground, statement: str, undo: str) -> Iterator[None]:
    """What the owner of acme's tables does, for the length of a `with`."""
    home = Spot.of(ground.acme)
    by_owner(home, statement)
    try:
        yield
    finally:
        by_owner(home, undo)


#: Where tenants live apart, no part of the guard is the last one.
together = pytest.mark.skipif(APART, reason="another tenant's rows are in other tables, whatever guards these")
in_schemas = pytest.mark.skipif(
    ISOLATION not in ("schema", "mixed"),
    reason="it opens another tenant's schema; nobody's tables are there, or those of another database are",
)


def found(ground: Ground, ways: dict[str, Any], **options: Any) -> list[str]:
    return [name for name, way in ways.items() if ground.judge(way, ground.acme, **options) != FINE]


@together
def test_as_an_operator_most_ways_lead_across(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    session = connection.connection.cursor_factory.session
    monkeypatch.setattr(session, "roles", session.roles._replace(application=session.roles.operator))
    sample = dict(list(OWN.items())[::4])
    assert len(found(ground, sample)) > 0.6 * len(sample)


@together
@pytest.mark.parametrize("table", TENANT_TABLES)
def test_a_table_without_row_security_is_found(ground: Ground, table: str) -> None:
    off, on = (f"ALTER TABLE {table} {word} ROW LEVEL SECURITY" for word in ("DISABLE", "ENABLE"))
    names = (f"read all of {table}", f"COPY {table} TO", f"UPDATE all of {table}")
    with done(ground, off, on):
        assert len(found(ground, {name: (READING | WRITING)[name] for name in names})) == len(names)
        names = (f"update their row of {table}", f"lock their row of {table}")
        assert len(found(ground, {name: CROSSING[name] for name in names}, crossing=True)) == len(names)


@together
@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: f"{r.table}.{r.column}")
def test_a_reference_without_the_tenant_is_found(ground: Ground, reference: Any) -> None:
    home = Spot.of(ground.acme).schema
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = %s::regclass AND confrelid = %s::regclass"
            " AND conkey[2] = (SELECT attnum FROM pg_attribute"
            " WHERE attrelid = conrelid AND attname = %s)",
            [f"{home}.{reference.table}", f"{home}.{reference.to_table}", reference.column],
        )
        ((name, definition),) = cursor.fetchall()
    alter = f"ALTER TABLE {reference.table}"
    way = f"insert {reference.table}.{reference.column} with theirs"
    with done(ground, f"{alter} DROP CONSTRAINT {name}", f"{alter} ADD CONSTRAINT {name} {definition}"):
        verdict = ground.judge(CROSSING[way], ground.acme, crossing=True)
    assert verdict.leak.startswith("a row refers to another tenant's")


@in_schemas
def test_in_the_others_home_most_ways_lead_across(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    session = connection.connection.cursor_factory.session
    monkeypatch.setattr(type(session), "_schema", lambda self, scope: Spot.of(ground.globex).schema)
    monkeypatch.setattr(session, "roles", session.roles._replace(application=session.roles.operator))
    sample = dict(list(OWN.items())[::4])
    assert len(found(ground, sample)) > 0.6 * len(sample)


@in_schemas
def test_in_the_others_home_the_policies_show_nothing(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    session = connection.connection.cursor_factory.session
    monkeypatch.setattr(type(session), "_schema", lambda self, scope: Spot.of(ground.globex).schema)
    verdicts = [ground.judge(way, ground.acme) for way in READING.values()]
    assert [verdict for verdict in verdicts if verdict.leak] == []
    assert ground.run(READING["read: everything"], ground.acme).is_nothing()


def test_a_false_refusal_is_found(ground: Ground) -> None:
    application = roles_of(connection.settings_dict).application
    hide = f'CREATE POLICY mistake ON testapp_customer AS RESTRICTIVE TO "{application}" USING (false)'
    with done(ground, hide, "DROP POLICY mistake ON testapp_customer"):
        assert ground.judge(READING["read: everything"], ground.acme).fault
        assert ground.judge(WRITING["write: UPDATE"], ground.acme).fault


def test_nothing_is_found_where_nothing_is_missing(ground: Ground) -> None:
    assert ground.judge(READING["read: everything"], ground.acme) == FINE
