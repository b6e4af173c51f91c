"""A schema of odd things and its copy."""

from __future__ import annotations

import json
import pickle
from typing import Any

import psycopg
import pytest
from psycopg import sql

from django_tenantkit.exceptions import SnapshotRefused
from django_tenantkit.lifecycle.snapshot import Snapshot, differences, fingerprint, take
from tests.snapshot import odd
from tests.snapshot.conftest import REFERENCE

Connection = psycopg.Connection[Any]

COPY = "copy_0007"


@pytest.fixture
def copied(owner: Connection, snapshot: Snapshot) -> Connection:
    """The owner's connection, with the copy made."""
    owner.execute(snapshot.script(COPY, tenant=7))
    return owner


def value(connection: Connection, query: str, *parameters: Any) -> Any:
    found = connection.execute(query, parameters or None).fetchone()
    return found and found[0]


def test_the_catalogs_have_the_same_about_it(copied: Connection) -> None:
    assert differences(copied.cursor(), REFERENCE, COPY) == []


def test_its_fingerprint_is_the_same(copied: Connection) -> None:
    cursor = copied.cursor()
    assert fingerprint(cursor, COPY) == fingerprint(cursor, REFERENCE)


def test_a_copy_of_the_copy_is_the_same_text(copied: Connection, snapshot: Snapshot) -> None:
    again = take(copied.cursor(), COPY, tenant_columns=odd.TENANT_COLUMNS, tenant=7)
    assert again == snapshot


def test_a_superuser_makes_the_same(admin: Connection, snapshot: Snapshot) -> None:
    admin.execute(snapshot.script(COPY, tenant=7))
    assert differences(admin.cursor(), REFERENCE, COPY) == []
    assert value(admin, "SELECT current_setting('role')") == "none"


def test_references_are_made_with_tables_but_for_one_of_a_circle(snapshot: Snapshot) -> None:
    statements = [text for text in snapshot.script(COPY, tenant=7).split(";\n") if "empty_" in text]
    assert [text.split("(")[0].strip() for text in statements] == [
        "CREATE TABLE empty_b",
        "CREATE TABLE empty_a",
        "ALTER TABLE ONLY empty_b ADD CONSTRAINT empty_b_a_id_fkey FOREIGN KEY",
    ]
    assert "empty_b_b_id_fkey" in statements[0]


TABLES = ["part", "parent", "child", "event_log", "scratch", "a_cycle", "b_cycle", '"MiXed Case\'s"']


@pytest.mark.parametrize("table", TABLES)
def test_its_rows_are_the_same(copied: Connection, table: str) -> None:
    rows = [
        copied.execute(f"SELECT to_jsonb(r.*) - 'tenant_id' FROM ONLY {schema}.{table} r").fetchall()
        for schema in (REFERENCE, COPY)
    ]
    assert rows[0] == rows[1]


def test_values_of_every_kind_are_the_same(copied: Connection) -> None:
    texts = [
        value(
            copied,
            f"SELECT (x.*)::text FROM (SELECT id, serial, {odd.NAMED}, code, count, tone, home, price, grid, "
            f"took, raw, data, tripled, reaches FROM {schema}.thing ORDER BY id LIMIT 1) x",
        )
        for schema in (REFERENCE, COPY)
    ]
    assert texts[0] == texts[1]
    assert r"\\c" in texts[0]


def test_rows_of_the_references_tenant_belong_to_the_new_one(copied: Connection) -> None:
    assert value(copied, f"SELECT array_agg(DISTINCT tenant_id) FROM {COPY}.thing") == [7]
    assert value(copied, f"SELECT array_agg(tenant_id) FROM {COPY}.part") == [7]


def test_a_table_that_is_no_tenants_keeps_its_values(copied: Connection) -> None:
    assert value(copied, f"SELECT array_agg(tenant_id ORDER BY id) FROM {COPY}.event_log") == [1, 1, None]


def test_a_value_that_is_the_schemas_name_is_the_new_ones(copied: Connection) -> None:
    assert value(copied, f"SELECT label FROM {COPY}.thing WHERE id = 20") == COPY


def test_a_policy_names_the_new_schema(copied: Connection) -> None:
    query = "SELECT qual FROM pg_policies WHERE schemaname = %s AND policyname = 'rows'"
    assert f"'{COPY}'::text" in value(copied, query, COPY)


def test_a_function_finds_the_new_schema(copied: Connection) -> None:
    copied.execute(f"UPDATE {COPY}.thing SET label = 'of the copy' WHERE id = 10")
    copied.execute(f"UPDATE {COPY}.thing SET label = 'too' WHERE id = 20")
    assert value(copied, f"SELECT {COPY}.of_home()") in ("of the copy\n2", "too\n2")
    assert value(copied, "SELECT current_setting('odd.home')") == COPY


def test_a_materialized_view_is_filled(copied: Connection) -> None:
    assert value(copied, f"SELECT array_agg(label ORDER BY label) FROM {COPY}.kept") == [COPY, "one"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState), copied.transaction():
        copied.execute(f"SELECT * FROM {COPY}.empty_one")


@pytest.mark.parametrize("sequence", ["numbers", "scratches", "thing_id_seq", "thing_serial_seq", "thing_small_seq"])
def test_sequences_go_on_where_they_were(copied: Connection, sequence: str) -> None:
    positions = [
        copied.execute(f"SELECT last_value, is_called FROM {schema}.{sequence}").fetchone()
        for schema in (REFERENCE, COPY)
    ]
    assert positions[0] == positions[1]


def test_nothing_is_left_set(owner: Connection, snapshot: Snapshot) -> None:
    names = "'search_path', 'role', 'check_function_bodies'"
    query = f"SELECT array_agg(current_setting(name)) FROM unnest(ARRAY[{names}]) AS name"
    before = value(owner, query)
    owner.execute(snapshot.script(COPY, tenant=7))
    assert value(owner, query) == before


def test_nothing_is_left_set_after_reading(owner: Connection) -> None:
    query = "SELECT ARRAY[current_setting('search_path'), current_setting('DateStyle'), current_setting('TimeZone')]"
    owner.execute("SET LOCAL search_path = public, pg_catalog; SET LOCAL DateStyle = 'German'")
    before = value(owner, query)
    take(owner.cursor(), REFERENCE, tenant_columns=odd.TENANT_COLUMNS, tenant=1)
    assert value(owner, query) == before
    with pytest.raises(SnapshotRefused):
        take(owner.cursor(), REFERENCE, tenant_columns=odd.TENANT_COLUMNS, tenant=2)
    assert value(owner, query) == before


def test_it_is_all_or_nothing(ground: Any, snapshot: Snapshot) -> None:
    with ground.as_owner() as owner:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            owner.execute(snapshot.script(COPY, tenant=12345))
        assert value(owner, "SELECT to_regnamespace(%s)", COPY) is None
        assert value(owner, "SHOW search_path") != COPY


def test_it_does_not_depend_on_how_strings_are_read(owner: Connection, snapshot: Snapshot) -> None:
    owner.execute("SET LOCAL standard_conforming_strings = off; SET LOCAL escape_string_warning = off")
    owner.execute(
        "SET LOCAL DateStyle = 'SQL, DMY'; SET LOCAL IntervalStyle = 'sql_standard'; SET LOCAL bytea_output = 'escape'"
    )
    owner.execute(snapshot.script(COPY, tenant=7))
    owner.execute("SET LOCAL standard_conforming_strings = on")
    assert differences(owner.cursor(), REFERENCE, COPY) == []
    assert (
        value(
            owner,
            f"SELECT took::text = (SELECT took::text FROM {REFERENCE}.thing WHERE id = 10) "
            f"FROM {COPY}.thing WHERE id = 10",
        )
        is True
    )


def test_a_schema_that_is_there_already_is_left_alone(copied: Connection, snapshot: Snapshot) -> None:
    with pytest.raises(psycopg.errors.DuplicateSchema), copied.transaction():
        copied.execute(snapshot.script(COPY, tenant=7))


def test_it_can_be_kept(snapshot: Snapshot) -> None:
    script = snapshot.script(COPY, tenant=7)
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.as_json()))) == snapshot
    assert pickle.loads(pickle.dumps(snapshot)).script(COPY, tenant=7) == script
    assert "\\u0000" not in json.dumps(snapshot.as_json())  # which jsonb does not take


def test_it_says_whose_rows_they_will_be(snapshot: Snapshot) -> None:
    assert snapshot.needs_tenant
    with pytest.raises(SnapshotRefused, match="Say whose they will be"):
        snapshot.script(COPY)


def test_rows_of_another_tenant_are_not_copied(owner: Connection) -> None:
    with pytest.raises(SnapshotRefused, match="has rows of the tenant 1, not of 7"):
        take(owner.cursor(), REFERENCE, tenant_columns=odd.TENANT_COLUMNS, tenant=7)


@pytest.mark.parametrize("name", ["", "pg_copy", "n\0l", "x" * 64, "ü" * 32])
def test_names_that_postgresql_cannot_have_are_refused(snapshot: Snapshot, name: str) -> None:
    with pytest.raises(SnapshotRefused, match="can have no schema"):
        snapshot.script(name, tenant=7)


def test_a_comment_that_names_the_schema_asks_for_a_plain_name(snapshot: Snapshot) -> None:
    with pytest.raises(SnapshotRefused, match="lower-case"):
        snapshot.script("it's */ odd", tenant=7)


def test_the_server_is_told(owner: Connection, snapshot: Snapshot) -> None:
    assert snapshot.version == owner.info.server_version


def test_privileges_hold_in_the_copy(ground: Any, copied: Connection) -> None:
    application = sql.Literal(ground.roles.application)
    held = copied.execute(
        sql.SQL("SELECT has_table_privilege({0}, {1}, 'TRUNCATE'), has_table_privilege({0}, {2}, 'SELECT')").format(
            application, f"{COPY}.thing", f"{COPY}.scratch"
        )
    ).fetchone()
    assert held == (True, False)
