"""Copies of shared rows leave a shard with the last tenant there that refers to them, and no sooner."""

from __future__ import annotations

from tests.shards.conftest import Tell

ALL = {
    "auth_user": ["ann", "bob"],
    "testapp_plan": ["gold", "own"],
    "testapp_region": ["north"],
    "django_tenantkit_tenant": ["acme", "globex"],
    "django_tenantkit_domain": ["acme.example.org"],
}


def test_they_go_with_a_tenant_that_moves_away_or_is_erased(tell: Tell) -> None:
    seen = tell("departed")
    assert (seen["first"], seen["while it may come back"]) == (ALL, True)
    assert "1 dropped" in seen["dropped"]
    assert seen["moved away"] == {
        "auth_user": ["bob"],
        "testapp_plan": ["gold"],
        "django_tenantkit_tenant": ["globex"],
    }
    assert seen["the other"] == ["gold", "bob"]
    assert seen["changed"] == ["robert"]  # and the other one does not come back with a change
    assert "Found 0 errors, 0 warnings, 0 notices." in seen["audited"]
    assert (seen["erased"], seen["nobody"], seen["registered"]) == (0, {}, 0)


def test_they_go_with_a_move_that_is_given_up_and_by_push_copies(tell: Tell) -> None:
    seen = tell("given_up")
    assert (seen["half"], seen["given up"]) == (["ann", "bob"], ["ann"])
    assert seen["dry"] == [0, ["ann"]]
    assert seen["pushed"] == "Copies in 1 databases are up to date. 1 that nobody refers to were removed."
    assert seen["left"] == {"django_tenantkit_tenant": ["acme"]}


def test_ended_anywhere_it_is_finished_by_the_next_call(tell: Tell) -> None:
    seen = tell("interrupted")
    assert seen["times"] == seen["whole"] == seen["kept"] > 8


def test_what_is_referred_to_again_stays_and_is_kept_up_to_date(tell: Tell) -> None:
    seen = tell("again")
    assert seen["refused"].endswith("when that is over.")
    assert "for 0 seconds a transaction was open that had written." in seen["refused"]
    assert "for 0 seconds a tenant was being moved there." in seen["while a tenant arrives"]
    kept = [True, True, True]
    assert seen["by one who believes it is there"] == kept
    assert seen["in a transaction of one who believes"] == kept
    assert seen["brought before it is removed"] == kept
    assert seen["brought by a transaction that is open"] == kept
    assert seen["brought when it was removed"] == kept
    assert seen["brought then, and open"] == kept
    assert seen["brought, and not named yet"]
    assert seen["put on the list again"] == kept
    assert not seen["only changed"]
