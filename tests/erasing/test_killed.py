"""kill -9 at any statement of erasing: the same command goes on, and at its end nothing is left."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from tests.databases import ISOLATION, WITH_DATABASES
from tests.lifecycle.helpers import child

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the process needs a database of its own"),
]

KINDS = ["row"] + ["schema"] * (ISOLATION != "row") + ["database"] * (ISOLATION in WITH_DATABASES)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("isolation", KINDS)
def test_killed_at_random_it_is_finished_all_the_same(isolation, seed, tmp_path):
    with child("tests.erasing.killed", isolation, str(seed), str(tmp_path)) as process:
        printed, complaint = process.communicate()
    assert process.returncode == 0, complaint
    left = json.loads(printed[printed.index("{") :])
    assert left["kills"] > 3
    assert (left["state"], left["tables"], left["files"], left["globex"]) == ("done", [], [], True)
    assert left["rows"]["testapp.Customer"] == 2
