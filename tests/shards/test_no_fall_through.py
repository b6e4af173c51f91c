"""What is missing on another server is an error that names the tenant, and no other tenant notices."""

from __future__ import annotations

from typing import Any

from tests.shards.conftest import Tell

WAYS = ("reads", "writes")


def told(seen: dict[str, Any], what: str, slug: str) -> list[str]:
    return [seen[f"{what}: {slug} {way}"] for way in WAYS]


def test_nothing_falls_through(tell: Tell) -> None:
    seen = tell("lost")
    for text in told(seen, "no schema", "acme"):
        assert text.startswith("HomeMissing: The schema t_")
        assert "of the tenant 'acme' is not there, so nothing was read or written." in text
        assert "`list_tenants`" in text
    assert told(seen, "no schema", "globex") == ["nothing: globex", "nothing: no schema"]
    assert told(seen, "no schema", "main") == ["nothing: main", "nothing: no schema"]
    assert seen["no table"].startswith('ProgrammingError: relation "testapp_customer" does not exist')
    for slug in ("acme", "globex"):
        for text in told(seen, "no shard", slug):
            assert text.startswith("HomeMissing: The database ")
            assert f"of the tenant {slug!r} is not there, so nothing was read or written." in text
    assert told(seen, "no shard", "main") == ["nothing: main", "nothing: no shard"]
    assert "does not exist" in seen["not made anew"]["out"]
    for slug in ("acme", "globex", "main"):
        assert told(seen, "back", slug) == [f"nothing: {slug}", "nothing: back"]
    assert "the server 'mars', which TENANTKIT_SERVERS does not name" in seen["unknown server"]


def test_a_server_that_does_not_answer_keeps_only_its_own_tenants_waiting(tell: Tell) -> None:
    seen = tell("out_of_reach", eu={"HOST": "/nowhere", "PORT": ""})
    assert seen["signed up"] == "waiting"
    assert (seen["pool"]["code"], seen["pool left"]) == (3, 1)
    assert seen["migrated"] == 0
