"""Schemas of every name that PostgreSQL can have."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from django_tenantkit.lifecycle.snapshot import Snapshot, differences, take
from django_tenantkit.lifecycle.snapshot.text import IDENTIFIER, NAME, fill_in, take_out, value
from django_tenantkit.sql.session import literal

Connection = psycopg.Connection[Any]

#: What a name can be made of, and what it must not be taken for.
ODD = st.text(st.sampled_from("'\"%.;$\\-/*(){}, \n\tabcXYZ_é漢𝄞0%s"), max_size=12)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def distinct(text: str) -> str:
    """So that it is written nowhere by accident."""
    return f"{text}_9f81abc"


NAMES = st.one_of(ODD, ANY).map(distinct)

EXAMPLES = (
    "$function$_9f81abc",
    "a'b_9f81abc",
    'a"b_9f81abc',
    "%s_9f81abc",
    "a.b_9f81abc",
    "A\\'_9f81abc",
    "--_9f81abc",
)

#: It says its name in every place in which a schema can.
TEXT = """
CREATE TABLE thing (id int PRIMARY KEY, home text DEFAULT {name}, CHECK (home || 'x' <> {name}));
CREATE VIEW seen AS SELECT id, {name}::text AS home FROM thing;
CREATE STATISTICS pair ON id, home FROM thing;
CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS {body};
CREATE FUNCTION home() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT home FROM thing WHERE home = {name}; END;
ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON thing USING (current_setting('tenantkit.home', true) = {name});
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION touched({name});
COMMENT ON TABLE thing IS {name};
COMMENT ON SCHEMA {schema} IS 'a comment';
INSERT INTO thing VALUES (1, {name}), (2, 'other');
"""

BODY = """
DECLARE found text;
BEGIN
    EXECUTE 'SELECT home FROM ' || quote_ident({name}) || '.thing WHERE id = 1' INTO found;
    RETURN found || (SELECT count(*) FROM {schema}.thing);
END
"""


def make(connection: Connection, name: str) -> None:
    """A schema that names itself."""
    schema, text = sql.Identifier(name).as_string(), literal(name).strip()
    connection.execute(f"CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}".encode())
    body = BODY.format(name=text, schema=schema)
    connection.execute(TEXT.format(name=text, schema=schema, body=literal(body)).encode())
    connection.execute("SET LOCAL search_path = public")


@pytest.fixture(scope="module")
def plain(ground: Any) -> Any:
    """A connection in a transaction that is rolled back, with a schema of a usual name."""
    with ground.as_owner() as connection, connection.transaction(force_rollback=True):
        make(connection, "usual_0001")
        yield connection, take(connection.cursor(), "usual_0001")


SLOWLY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def examples(test: Any) -> Any:
    for name in EXAMPLES:
        test = example(name)(test)
    return test


@examples
@given(NAMES)
@SLOWLY
def test_a_copy_can_have_any_name(plain: tuple[Connection, Snapshot], name: str) -> None:
    connection, snapshot = plain
    with connection.transaction(force_rollback=True):
        connection.execute(snapshot.script(name).encode())
        told = sql.SQL("SELECT {}.told()").format(sql.Identifier(name))
        assert connection.execute(told).fetchone() == (f"{name}2",)
        make(connection, "usual_0002")
        assert differences(connection.cursor(), name, "usual_0002") == []


@examples
@given(NAMES)
@SLOWLY
def test_a_reference_can_have_any_name(plain: tuple[Connection, Snapshot], name: str) -> None:
    connection, _ = plain
    with connection.transaction(force_rollback=True):
        make(connection, name)
        snapshot = take(connection.cursor(), name)
        connection.execute(snapshot.script("usual_0002").encode())
        assert connection.execute("SELECT usual_0002.told()").fetchone() == ("usual_00022",)
        assert differences(connection.cursor(), name, "usual_0002") == []


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@settings(deadline=None)
def test_every_value_comes_back(plain: tuple[Connection, Snapshot], text: str) -> None:
    connection, _ = plain
    part = value(text, "usual_0001")
    (found,) = connection.execute(f"SELECT {fill_in([part], {})}".encode()).fetchone() or ()
    assert found == text


@given(NAMES, NAMES)
def test_what_is_taken_out_is_put_back(one: str, other: str) -> None:
    def text(name: str) -> str:
        return f"SELECT {quoted(name)}.f({string(name)}, $tag${body(name)}$tag$, 'none', {quoted(name)}.h)"

    def body(name: str) -> str:
        return f" {quoted(name)}.g {string(name)} "

    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def string(text: str) -> str:
        return literal(text).strip()

    parts = json.loads(json.dumps(take_out(text(one), one)))
    filled = fill_in(parts, {IDENTIFIER: quoted(other), NAME: other})
    assert filled == text(other).replace(f"$tag${body(other)}$tag$", string(body(other)))
