"""Whatever differs between two schemas is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from django_tenantkit.lifecycle.snapshot import differences, fingerprint
from tests.snapshot.conftest import REFERENCE, Ground

Connection = psycopg.Connection[Any]

COPY = "copy_0007"

#: What somebody changes in the copy, `{app}` being the application's role; and what a line about it contains.
CHANGES = {
    "a table": ("CREATE TABLE more ()", "more"),
    "a name": ("ALTER TABLE part RENAME TO piece", "piece"),
    "a column": ("ALTER TABLE part ADD more int", "more"),
    "the order of columns": (
        "ALTER TABLE a_cycle DROP b_id; ALTER TABLE a_cycle ADD z int; ALTER TABLE a_cycle ADD b_id int",
        "b_id",
    ),
    "a type": ("ALTER TABLE part ALTER other TYPE bigint", "bigint"),
    "a length": ("ALTER TABLE newer ALTER label TYPE varchar(21)", "character varying"),
    "a default": ("ALTER TABLE part ALTER id DROP DEFAULT", "gen_random_uuid"),
    "another default": ("ALTER TABLE thing ALTER late SET DEFAULT 6", "late 6"),
    "a NOT NULL": ("ALTER TABLE part ALTER tenant_id DROP NOT NULL", "tenant_id"),
    "an identity": ("ALTER TABLE thing ALTER id SET GENERATED ALWAYS", '"attidentity": "a"'),
    "a generated column": ("ALTER TABLE thing ALTER tripled DROP EXPRESSION", "tripled"),
    "storage": ("ALTER TABLE thing ALTER blob SET STORAGE PLAIN", '"attstorage": "p"'),
    "a target of statistics": ("ALTER TABLE thing ALTER label SET STATISTICS 78", "78"),
    "an option of a column": ("ALTER TABLE thing ALTER label RESET (n_distinct)", "n_distinct"),
    "an option of a table": ("ALTER TABLE part SET (fillfactor = 61)", "fillfactor=61"),
    "a constraint": ("ALTER TABLE thing DROP CONSTRAINT alone", "alone"),
    "a constraint's name": ("ALTER TABLE thing RENAME CONSTRAINT alone TO single", "single"),
    "a check": ("ALTER TABLE thing DROP CONSTRAINT whole, ADD CONSTRAINT whole CHECK (true)", "CHECK (true)"),
    "whether it was validated": ("ALTER TABLE thing VALIDATE CONSTRAINT not_looked", '"convalidated": true'),
    "whether it is deferred": (
        "ALTER TABLE part ALTER CONSTRAINT part_thing NOT DEFERRABLE",
        '"condeferrable": false',
    ),
    "an index": ("DROP INDEX by_function", "by_function"),
    "an index's name": ("ALTER INDEX by_function RENAME TO by_other", "by_other"),
    "an index's expression": ("DROP INDEX by_function; CREATE INDEX by_function ON thing (tripled(late))", "late"),
    "the replica identity": ("ALTER TABLE thing REPLICA IDENTITY DEFAULT", '"relreplident": "d"'),
    "what it is clustered on": ("ALTER TABLE thing SET WITHOUT CLUSTER", "indisclustered"),
    "extended statistics": ("DROP STATISTICS together", "together"),
    "a view": ("CREATE OR REPLACE VIEW dear AS SELECT id, label FROM thing WHERE price > 11", "11"),
    "an option of a view": ("ALTER VIEW cheap SET (security_invoker = false)", "security_invoker=false"),
    "a rule": ("DROP RULE no_delete ON scratch", "no_delete"),
    "a rule's state": ("ALTER TABLE scratch ENABLE RULE tell", '"ev_enabled": "O"'),
    "a trigger": ("DROP TRIGGER at_end ON thing", "at_end"),
    "a trigger's state": ("ALTER TABLE thing DISABLE TRIGGER at_end", '"tgenabled": "D"'),
    "a partition's trigger": ("ALTER TABLE event_2020 ENABLE TRIGGER event_changed", "event_changed"),
    "row-level security": ("ALTER TABLE thing DISABLE ROW LEVEL SECURITY", '"relrowsecurity": false'),
    "its force": ("ALTER TABLE thing NO FORCE ROW LEVEL SECURITY", '"relforcerowsecurity": false'),
    "a policy": ("DROP POLICY born ON thing", "born"),
    "a policy's condition": ("ALTER POLICY rows ON thing USING (current_setting('a.b', true) = 'x')", "a.b"),
    "a policy's home": (
        f"ALTER POLICY rows ON thing USING (current_setting('tenantkit.home', true) = '{REFERENCE}')",
        REFERENCE,
    ),
    "a policy's role": ("ALTER POLICY rows ON thing TO PUBLIC", "rows"),
    "a grant": ("GRANT SELECT ON thing TO PUBLIC", "PUBLIC SELECT"),
    "a grant on a column": ("REVOKE UPDATE (label) ON thing FROM {operator}", "label"),
    "a grant on the schema": ("REVOKE CREATE ON SCHEMA {copy} FROM {app}", "CREATE"),
    "a grant on a function": ("GRANT EXECUTE ON FUNCTION tripled(int) TO PUBLIC", "tripled"),
    "a grant on a type": ("GRANT USAGE ON TYPE colour TO PUBLIC", "colour"),
    "default privileges": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {copy} REVOKE INSERT ON TABLES FROM {operator}",
        "pg_default_acl",
    ),
    "a comment": ("COMMENT ON COLUMN cheap.home IS 'else'", "else"),
    "the schema's comment": ("COMMENT ON SCHEMA {copy} IS NULL", "the reference"),
    "a sequence": ("ALTER SEQUENCE numbers CACHE 4", '"seqcache": 4'),
    "a sequence's owner": ("ALTER SEQUENCE thing_serial_seq OWNED BY NONE", "thing_serial_seq"),
    "a function": (
        "CREATE OR REPLACE FUNCTION tripled(value int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT value * 4'",
        "value * 4",
    ),
    "how a function is called": ("ALTER FUNCTION tripled(int) STABLE", '"provolatile": "s"'),
    "an aggregate": ("DROP AGGREGATE moved(int)", "moved"),
    "a label of an enum": ("ALTER TYPE colour RENAME VALUE 'red' TO 'rose'", "rose"),
    "a domain": ("ALTER DOMAIN positive SET DEFAULT 4", "4"),
    "a domain's constraint": ("ALTER DOMAIN positive RENAME CONSTRAINT is_positive TO is_more", "is_more"),
    "an attribute of a type": ("ALTER TYPE address ADD ATTRIBUTE more int", "more"),
    "a partition": ("ALTER TABLE event_log DETACH PARTITION event_rest", "event_rest"),
    "a parent": ("ALTER TABLE child NO INHERIT mother", "mother"),
    "an owner": ("ALTER TABLE note OWNER TO {system}", "note"),
}


@pytest.fixture(scope="module")
def made(ground: Ground) -> Iterator[Connection]:
    """A superuser's connection, in a transaction in which the copy was made, and with it in the path."""
    with ground.place.connect() as admin, admin.transaction(force_rollback=True):
        admin.execute(ground.snapshot.script(COPY, tenant=7))
        admin.execute(f"SET LOCAL search_path = {COPY}")
        for schema in (REFERENCE, COPY):
            admin.execute(f"CREATE TABLE {schema}.newer (label varchar(20))")
            admin.execute(f"ALTER TABLE {schema}.newer OWNER TO {ground.roles.owner}")
        yield admin


@pytest.fixture
def copied(made: Connection) -> Iterator[Connection]:
    """The same as it was made."""
    with made.transaction(force_rollback=True):
        yield made


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_told(ground: Ground, copied: Connection, change: str) -> None:
    statement, told = CHANGES[change]
    roles = ground.roles._asdict()
    copied.execute(statement.format(copy=COPY, app=ground.roles.application, **roles))
    found = differences(copied.cursor(), REFERENCE, COPY)
    assert any(told in line for line in found), found
    assert {line.partition(":")[0] for line in found} <= {f"only in {REFERENCE}", f"only in {COPY}"}


def test_the_fingerprint_is_another(copied: Connection) -> None:
    copied.execute("COMMENT ON COLUMN cheap.home IS 'else'")
    assert fingerprint(copied.cursor(), REFERENCE) != fingerprint(copied.cursor(), COPY)


def test_what_is_history_is_not_told(copied: Connection) -> None:
    """A column that came and went, a value of an enum between two others, and statistics."""
    copied.execute("ALTER TABLE part ADD gone int; ALTER TABLE part DROP gone")
    copied.execute("ANALYZE thing; ANALYZE part")
    copied.execute("GRANT SELECT ON note TO PUBLIC; REVOKE SELECT ON note FROM PUBLIC")
    assert differences(copied.cursor(), REFERENCE, COPY) == []


def test_rows_are_not_compared(copied: Connection) -> None:
    copied.execute("INSERT INTO parent VALUES (99, 'x'); SELECT nextval('numbers')")
    assert differences(copied.cursor(), REFERENCE, COPY) == []
