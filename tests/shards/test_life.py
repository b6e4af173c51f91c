"""Tenants that share a database on another server, from the first row to the last."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shards.conftest import Tell


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """What was seen, by story: each is told once."""
    return {}


@pytest.fixture
def life(tell: Tell, known: dict[str, Any]) -> dict[str, Any]:
    if "life" not in known:
        known["life"] = tell("life")
    found: dict[str, Any] = known["life"]
    return found


def test_each_tenant_sees_its_own_rows_where_it_lives(life: dict[str, Any]) -> None:
    seen = life["seen"]
    for slug, (_, _, _, rows, tags) in seen.items():
        assert rows == [[slug, "platinum"], ["for all"]], slug  # its own, what is shared, and what is nobody's
        assert tags == 1
    databases = {slug: one[0] for slug, one in seen.items()}
    assert databases["acme"] == databases["globex"] not in (databases["main"], databases["other"])
    assert databases["main"] == databases["shared"] != databases["other"]
    hosts = {slug: one[2] for slug, one in seen.items()}
    assert hosts["acme"] == hosts["globex"] != hosts["main"] == hosts["other"]
    paths = {one[1] for one in seen.values()}
    assert len(paths) == len(seen)


def test_raw_sql_that_names_another_schema_finds_nothing(life: dict[str, Any]) -> None:
    assert life["another's, by name"] == life["another's, written"] == life["row tenants', by name"] == 0
    assert life["tenants that it knows"] == ["acme"]


def test_copies_of_shared_rows_are_read_only(life: dict[str, Any]) -> None:
    assert "permission denied" in life["shared rows written"]


def test_a_tenant_of_another_database_asks_a_shard_nothing(life: dict[str, Any]) -> None:
    assert life["a connection to a shard"].startswith("AcrossDatabases: ")


def test_a_shard_has_a_place_that_no_tenant_takes(life: dict[str, Any]) -> None:
    assert life["places"] == [["shard", "eu", "taken"], ["shard", "two", "taken"]]


def test_homes_and_shards_are_migrated_together(life: dict[str, Any]) -> None:
    assert (life["behind"], life["not behind"]) == (1, 0)
    assert life["migrated"]["out"] == "Migrated 2 homes."  # the tenant's, and before it the shard that it is in
    assert life["migrated all"]["code"] == 0
    assert life["marked"] == [["marked by acme", 5]]
    assert life["columns"] == 4  # two tenants', a ready place, and the table of the shard


def test_the_audit_looks_into_shards(life: dict[str, Any]) -> None:
    assert "2 databases of tenants.\nFound 0 errors, 0 warnings, 0 notices." in life["audited"]["out"]
    assert life["a fault"]["code"] == 1
    assert "ERROR home.differs: In the database of the shard eu: t_" in life["a fault"]["out"]


def test_a_schema_there_leaves_comes_back_and_is_dropped(life: dict[str, Any]) -> None:
    assert "The schema of globex is leaving" in life["away"]["out"]
    assert life["read when away"].startswith("HomeMissing: ")
    assert (life["back"]["out"], life["kept"]) == ("The schema of globex is taken.", 1)
    assert "1 dropped" in life["dropped"]["out"]
    assert (life["schemas of globex"], life["the other one"]) == (0, 1)


def test_places_are_made_beforehand_taken_limited_and_chosen(tell: Tell) -> None:
    seen = tell("pool")
    assert "3 places are missing" in seen["dry"]
    assert ["3 places made" in seen["filled"]["out"], "0 places made" in seen["again"]["out"]] == [True, True]
    assert seen["claimed"] == ["active", "eu", True]
    assert (seen["half made"], seen["whole"]) == (["making", False], "ready")
    assert (seen["waits"], seen["provisioned"][:21]) == (["waiting", None], "1 tenants provisioned")
    assert seen["taken though full"] == "eu"
    assert "There are 2 schemas of tenants on eu, as many as TENANTKIT_SCHEMA_LIMIT allows" in seen["full"]["out"]
    assert seen["by plan"] == ["two", "", ""]
    listed = {line.split()[0]: line for line in seen["listed"].splitlines()}
    assert ("schema@eu" in listed["acme"], "schema@two" in listed["rich"]) == (True, True)
    assert (seen["refused"]["code"], "row tenants share the tables" in seen["refused"]["out"]) == (2, True)
