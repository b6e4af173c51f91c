"""What is not copied is refused by name: a copy lacks nothing, and says nothing else."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from django_tenantkit.exceptions import SnapshotRefused
from django_tenantkit.lifecycle.snapshot import Snapshot, differences, take
from tests.snapshot.conftest import Ground

Connection = psycopg.Connection[Any]

SCHEMA = "small_0001"

SMALL = f"""
CREATE SCHEMA {SCHEMA}; SET LOCAL search_path = {SCHEMA};
CREATE TABLE thing (id int PRIMARY KEY, name text);
CREATE TABLE part (id int PRIMARY KEY, thing_id int REFERENCES thing);
"""


@pytest.fixture
def small(admin: Connection) -> Connection:
    """A superuser in a small schema, which is rolled back."""
    admin.execute(SMALL)
    return admin


#: What somebody made, and what is said about it.
NOT_COPIED = {
    "operator": ("CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq)", "operator ==="),
    "operator class": (
        "CREATE OPERATOR CLASS odd FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int)",
        "operator (class|family) odd",
    ),
    "text search": ("CREATE TEXT SEARCH CONFIGURATION odd (copy = simple)", "text search configuration odd"),
    "conversion": ("CREATE CONVERSION odd FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1", "conversion odd"),
    "cast": (
        "CREATE TYPE mood AS ENUM ('calm'); CREATE FUNCTION mooded(mood) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
        "CREATE CAST (mood AS int) WITH FUNCTION mooded(mood)",
        "cast from mood to integer",
    ),
    "base type": ("CREATE TYPE shell", "type shell"),
    "foreign table": (
        "CREATE FOREIGN DATA WRAPPER odd; CREATE SERVER odd FOREIGN DATA WRAPPER odd; "
        "CREATE FOREIGN TABLE far (id int) SERVER odd",
        "foreign table far",
    ),
    "publication": ("CREATE PUBLICATION odd FOR TABLE thing", "publication of table thing in publication odd"),
    "publication of the schema": (f"CREATE PUBLICATION odd FOR TABLES IN SCHEMA {SCHEMA}", "publication of schema"),
    "event trigger": (
        "CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER odd ON ddl_command_end EXECUTE FUNCTION told()",
        "event trigger odd",
    ),
    "view outside": ("CREATE VIEW public.looks AS SELECT * FROM thing", "view public.looks|_RETURN on view"),
    "reference from outside": (
        "CREATE TABLE public.outer_one (thing_id int REFERENCES thing)",
        "constraint outer_one_thing_id_fkey on table public.outer_one",
    ),
    "child outside": ("CREATE TABLE public.child_of () INHERITS (thing)", "table public.child_of"),
    "parent outside": ("CREATE TABLE public.parent_of (); CREATE TABLE child () INHERITS (public.parent_of)", "child"),
    "table of a type": ("CREATE TYPE shape AS (a int); CREATE TABLE shaped OF shape", "shaped"),
    "parent that came later": (
        "CREATE TABLE base (a int); CREATE TABLE late (b int, a int); ALTER TABLE late INHERIT base",
        "columns of late are in another order",
    ),
    "disabled reference": ("ALTER TABLE part DISABLE TRIGGER ALL", "disabled the trigger"),
    "objects that need each other": (
        "CREATE TABLE a (x int); CREATE FUNCTION of_a(a) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; "
        "ALTER TABLE a ALTER COLUMN x SET DEFAULT 5; CREATE FUNCTION first() RETURNS int LANGUAGE sql "
        "BEGIN ATOMIC SELECT x FROM a; END; ALTER TABLE a ALTER COLUMN x SET DEFAULT first()",
        "need each other: .*first",
    ),
    "table of the same name": (f"CREATE TABLE {SCHEMA} (id int)", "the name of a schema and of something in it"),
    "column of the same name": (f"ALTER TABLE thing ADD {SCHEMA} int", "the name of a schema and of something in it"),
    "alias of the same name": (
        f"CREATE VIEW looks AS SELECT {SCHEMA}.id FROM thing {SCHEMA}",
        "the name of a schema and of something in it",
    ),
    "name in another": (f"CREATE INDEX thing_{SCHEMA}_name ON thing (name)", "a part of another name"),
    "name in a value": (f"INSERT INTO thing VALUES (1, 'x{SCHEMA}x')", "a part of a value"),
    "name in other letters": (f"COMMENT ON TABLE thing IS 'of \"{SCHEMA.upper()}\"'", "a part of another name"),
    "grants of others": (
        "CREATE ROLE odd_giver; CREATE ROLE odd_taker; GRANT SELECT ON thing TO odd_giver WITH GRANT OPTION; "
        "SET LOCAL ROLE odd_giver; GRANT SELECT ON thing TO odd_taker; RESET ROLE",
        "odd_giver, who is not its owner",
    ),
    "rows without columns": ("CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES", "rows without columns"),
}


@pytest.mark.parametrize("kind", NOT_COPIED)
def test_what_is_not_copied_is_named(small: Connection, kind: str) -> None:
    statements, said = NOT_COPIED[kind]
    small.execute("GRANT USAGE ON SCHEMA " + SCHEMA + " TO PUBLIC")
    small.execute(statements)
    with pytest.raises(SnapshotRefused, match=said):
        take(small.cursor(), SCHEMA)


def test_an_invalid_index_is_not_copied(small: Connection) -> None:
    small.execute("CREATE INDEX broken ON thing (name)")
    small.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
    with pytest.raises(SnapshotRefused, match="index broken is invalid"):
        take(small.cursor(), SCHEMA)


def test_an_extension_is_not_copied(small: Connection) -> None:
    name = small.execute(
        "SELECT name FROM pg_available_extensions WHERE name IN ('vector', 'citext') LIMIT 1"
    ).fetchone()
    if name is None:
        pytest.skip("this server has no extension to make")
    small.execute(f"CREATE EXTENSION {name[0]} SCHEMA {SCHEMA}")
    with pytest.raises(SnapshotRefused, match="extension"):
        take(small.cursor(), SCHEMA)


@pytest.mark.parametrize("name", ["shop", "reference", "public", "a1"])
def test_a_name_that_could_be_a_word_is_refused(small: Connection, name: str) -> None:
    with pytest.raises(SnapshotRefused, match="8 characters or more and a digit"):
        take(small.cursor(), name)


def test_a_schema_that_is_not_there_is_named(small: Connection) -> None:
    with pytest.raises(SnapshotRefused, match="no schema not_there_1"):
        take(small.cursor(), "not_there_1")
    with pytest.raises(SnapshotRefused, match="no schema not_there_1"):
        differences(small.cursor(), SCHEMA, "not_there_1")


def test_it_is_read_in_a_transaction(ground: Ground) -> None:
    with ground.as_owner() as owner, pytest.raises(SnapshotRefused, match="there is none"):
        take(owner.cursor(), "reference_1")


HIDING = {
    "no policy": "",
    "a policy with a condition": "CREATE POLICY p ON thing USING (id > 5);",
    "one that opens it to others": "CREATE POLICY p ON thing TO {application} USING (true);",
    "one that opens it for another command": "CREATE POLICY p ON thing FOR UPDATE USING (true);",
    "a restrictive one beside": (
        "CREATE POLICY p ON thing USING (true); CREATE POLICY q ON thing AS RESTRICTIVE USING (id > 5);"
    ),
}


@pytest.fixture
def blind(ground: Ground, small: Connection) -> Connection:
    """An owner whom policies bind, as ours are not."""
    small.execute(f"""
        INSERT INTO thing VALUES (1, 'x');
        ALTER TABLE thing ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE ROLE odd_owner; ALTER SCHEMA {SCHEMA} OWNER TO odd_owner;
        ALTER TABLE thing OWNER TO odd_owner; ALTER TABLE part OWNER TO odd_owner;
        GRANT CREATE ON DATABASE {ground.place.name} TO odd_owner;
    """)
    return small


@pytest.mark.parametrize("policies", HIDING.values(), ids=HIDING)
def test_rows_that_a_policy_could_hide_are_not_left_out(ground: Ground, blind: Connection, policies: str) -> None:
    blind.execute(policies.format(application=ground.roles.application) + "SET LOCAL ROLE odd_owner")
    with pytest.raises(SnapshotRefused, match="Policies may hide rows of thing"):
        take(blind.cursor(), SCHEMA)


def test_rows_that_a_policy_shows_are_read(blind: Connection) -> None:
    blind.execute("CREATE POLICY p ON thing USING (true); SET LOCAL ROLE odd_owner")
    blind.execute(take(blind.cursor(), SCHEMA).script("other_0002"))
    assert blind.execute("SELECT count(*) FROM other_0002.thing").fetchone() == (1,)
    assert differences(blind.cursor(), SCHEMA, "other_0002") == []


@pytest.mark.parametrize("body", ["E'\\n {}'", "/* {} */ 1", "1 -- {}\n"])
def test_where_a_name_can_only_be_bare_an_odd_one_is_refused(small: Connection, body: str) -> None:
    text = body.format(SCHEMA)
    small.execute(f"CREATE FUNCTION said() RETURNS text LANGUAGE sql AS $f$ SELECT ({text})::text $f$")
    snapshot = take(small.cursor(), SCHEMA)
    with pytest.raises(SnapshotRefused, match="lower-case letters"):
        snapshot.script("it's */ \n odd")
    small.execute(snapshot.script("other_0002"))
    assert differences(small.cursor(), SCHEMA, "other_0002") == []


def test_owners_that_are_not_the_schemas_are_kept(ground: Ground, small: Connection) -> None:
    small.execute(f"GRANT CREATE, USAGE ON SCHEMA {SCHEMA} TO {ground.roles.system}")
    small.execute(f"""
        ALTER TABLE thing OWNER TO {ground.roles.system}; GRANT SELECT ON thing TO {ground.roles.application};
        CREATE SEQUENCE numbers; ALTER SEQUENCE numbers OWNER TO {ground.roles.system};
        CREATE TYPE mood AS ENUM ('calm'); ALTER TYPE mood OWNER TO {ground.roles.system};
        CREATE TYPE shape AS (a int); ALTER TYPE shape OWNER TO {ground.roles.system};
        CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION one OWNER TO {ground.roles.system};
        CREATE STATISTICS pair ON id, name FROM thing; ALTER STATISTICS pair OWNER TO {ground.roles.system};
        CREATE VIEW seen AS SELECT 1; ALTER VIEW seen OWNER TO {ground.roles.system};
    """)
    small.execute(take(small.cursor(), SCHEMA).script("other_0002"))
    assert differences(small.cursor(), SCHEMA, "other_0002") == []


def test_an_empty_schema_is_copied(small: Connection) -> None:
    small.execute("CREATE SCHEMA empty_001")
    snapshot = take(small.cursor(), "empty_001")
    assert isinstance(snapshot, Snapshot)
    small.execute(snapshot.script("other_0002"))
    assert differences(small.cursor(), "empty_001", "other_0002") == []
