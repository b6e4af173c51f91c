"""A tenant moves between two servers, is exported there, cloned, erased and imported again."""

from __future__ import annotations

from tests.shards.conftest import Tell
from tests.shards.moving import ONLINE, TIMES, WAY


def test_it_is_the_same_everywhere(tell: Tell) -> None:
    seen = tell("around")
    assert [one.pop("to") for one in seen["moves"]] == [[*to, "active"] for to in WAY]
    for one, to in zip(seen["moves"], WAY, strict=True):
        assert one.pop("stale") in ("HomeMissing", "TenantUnavailable"), to
        assert set(one.values()) == {True}, (to, one)
    assert seen["audited"] == []


def test_it_works_while_it_moves(tell: Tell) -> None:
    seen = tell("online")
    assert seen["moves"] == [[*to, True, True] for to in ONLINE]
    assert (seen["back"], seen["neighbour"]) == (["schema", "two", True], True)


def test_killed_anywhere_it_is_finished_by_the_same_call(tell: Tell) -> None:
    seen = tell("killed")
    assert (seen["times"], seen["whole"], seen["neighbour"]) == (2 * TIMES, 2 * TIMES, True)
    assert seen["went on"] > TIMES


def test_one_database_under_two_names_is_moved_nowhere(tell: Tell) -> None:
    seen = tell("same_server")
    assert seen["refused"].startswith("MoveRefused: There is a database ")
    assert seen["kept"]


def test_it_is_exported_cloned_erased_and_imported(tell: Tell) -> None:
    seen = tell("ended")
    assert [seen[name]["code"] for name in ("exported", "cloned", "erased", "imported", "into a database")] == [0] * 5
    assert (seen["clone"], seen["again"], seen["left"]) == (True, ["schema", "eu", True], [])
    assert '"homes": ["schema t_' in seen["erased"]["out"]
    assert seen["neighbour"]
