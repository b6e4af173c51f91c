"""TENANTKIT_SIGNED_CONTEXT in a shard: what nobody signed reads and writes nothing, and a new secret reaches it."""

from __future__ import annotations

from tests.shards.conftest import Tell

REFUSED = {
    "reads": 0,
    "changes": 0,
    "deletes": 0,
    "writes": 'new row violates row-level security policy "tenantkit_signed"',
}
MAIN = ["main: signing.keys: manage.py migrate", "main: signing.unasked: manage.py migrate"]
SHARD = [
    "shard eu: signing.keys: manage.py migrate_tenants --all-tenants --guard",
    "shard eu: signing.unasked: manage.py migrate_tenants --all-tenants --guard",
]


def test_a_context_that_nobody_signed_reads_and_writes_nothing(tell: Tell) -> None:
    seen = tell("signed")
    assert {table: tried["reads"] for table, tried in seen["without"].items()} == {"testapp_customer": 1, "loose": 2}
    assert seen["by one who has the secret"] == {"reads": 1, "changes": 1, "deletes": 1, "writes": 1}
    assert len(seen["with"]) == 4
    for what, by_table in seen["with"].items():
        for table in ("testapp_customer", "loose"):
            assert by_table[table] == REFUSED, f"{what} in {table}"
    assert seen["kept"] == [["acme"], ["x", "y"]]
    assert seen["own"] == [[[slug], "nothing: 1"] for slug in ("acme", "globex", "main")]

    missing = ["main: policy.missing", *MAIN, "shard eu: policy.missing", *SHARD]
    assert (seen["missing"], seen["guarded alone"], seen["whole"]) == (missing, [0, missing[:3]], [])

    assert seen["late"] == [[], "nothing: 1"]  # made since
    assert seen["late, unsigned"] == [[], "ProgrammingError: new row violates row-level secur"]
    assert (seen["moved"], seen["forged there"]) == ([["main"], "nothing: 1"], 0)


def test_a_secret_is_changed_in_shards_by_guarding_them(tell: Tell) -> None:
    seen = tell("rotated")
    shut, whole = [[], [], []], [["acme"], ["globex"], ["main"]]
    half = [[], [], ["main"]]
    assert seen["told nobody"][0] == shut
    assert seen["told nobody"][1].startswith("ProgrammingError: new row violates row-level")
    assert seen["told nobody"][2] == [MAIN[0], SHARD[0]]
    assert seen["told the main one"] == [half, [SHARD[0]]]
    assert seen["told the shard"] == [0, whole, []]
    assert seen["those who are not restarted"] == whole

    assert seen["withdrawn in the main one"] == [SHARD[0]]
    assert seen["and counts in the shard"] == [["acme"], ["globex"], []]
    assert seen["withdrawn in the shard"] == [0, [], whole]
    assert seen["counts nowhere"][0] == shut

    assert seen["off"] == [shut, ["main: policy.extra", MAIN[1], "shard eu: policy.extra", SHARD[1]]]
    assert seen["off everywhere"] == [whole, []]
