"""kill -9 at random statements of a move, before, during and after them; then the same call again: the tenant is there
with every row, once, and nobody else's has changed."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import TenantUnavailable
from django_tenantkit.lifecycle.move.run import move
from django_tenantkit.models import Job, JobState, TenantStatus
from tests.databases import ISOLATION, WITH_DATABASES
from tests.lifecycle.helpers import child
from tests.moving.ground import audited, collide, fill, fresh, movers, objects, rows
from tests.testapp.models import Note, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]

#: How often it is killed on its way to each place.
TIMES = 9


def killed(to: str, at: int, when: str, online: str = "") -> str:
    """Move in a process of its own, and return what it printed."""
    with child("tests.moving.killable", "mover0", to, str(at), when, online) as process:
        out, error = process.communicate()
        assert process.returncode in ((-9, 0) if at else (0,)), error  # it may take fewer statements another time
    with unscoped(reason="test"), transaction.atomic():  # the server notices that it is dead
        list(Job.objects.select_for_update())
    return out


def points(to: str, chosen: random.Random, times: int = TIMES, online: str = "") -> list[int]:
    """Statements to die at, as many of each step."""
    steps = [line.split() for line in killed(to, 0, "", online).splitlines()]
    ends = [0, *(int(count) for _, count in steps)]
    ranges = [(low + 1, high) for low, high in pairwise(ends) if high > low]
    return [chosen.randint(*ranges[number % len(ranges)]) for number in range(times)]


def finished(tenant: Any, to: str, *, online: bool = False) -> None:
    if not Job.objects.filter(slug=tenant.slug).exclude(state=JobState.DONE).exists() and fresh(tenant).isolation == to:
        return  # all was done but for telling so
    move(fresh(tenant), to, remap=True, online=online)


@pytest.mark.parametrize("seed", [7])
def test_killed_anywhere_it_is_finished_by_the_same_call(seed: int) -> None:
    chosen = random.Random(seed)
    cycle = ("schema", "database", "row")
    with movers("row", "row", "schema") as (tenant, *others):
        for one in (tenant, *others):
            fill(one, 1)
        seen, theirs = objects(tenant), [rows(one) for one in others]
        wanted = {to: points(to, chosen) for to in cycle}
        for number in range(TIMES):
            for to in cycle:
                before = rows(tenant)
                when = chosen.choice(["before", "during", "after"])
                killed(to, wanted[to][number], when)
                finished(tenant, to)
                now = fresh(tenant)
                assert (now.isolation, now.status) == (to, TenantStatus.ACTIVE)
                assert to == "row" or rows(now) == before
                assert objects(now) == seen
        assert [rows(one) for one in others] == theirs
        assert audited() == []


@pytest.mark.parametrize(("home", "to"), [("row", "schema"), ("schema", "row")])
def test_online_too(home: str, to: str) -> None:
    """What is noted, and what was copied of it, is not lost either: the tenant writes in between."""
    chosen = random.Random(3)
    with movers(home, "row") as (tenant, other):
        collide(tenant, other)
        fill(tenant, 1)
        fill(other, 1)
        theirs = rows(other)
        wanted = points(to, chosen, 11, "online")
        move(fresh(tenant), home)
        for number, at in enumerate(wanted):
            killed(to, at, chosen.choice(["before", "during", "after"]), "online")
            with suppress(TenantUnavailable), tenant_context(fresh(tenant)):
                tag = Tag.objects.create(label=f"after {number}")
                Tag.objects.filter(label=f"after {number - 1}").delete()
                Note.objects.create(subject=tag, text="late")
            seen = objects(tenant)
            finished(tenant, to, online=True)
            assert fresh(tenant).isolation == to
            assert objects(tenant) == seen
            move(fresh(tenant), home)
            assert objects(tenant) == seen
        assert rows(other) == theirs
        assert audited() == []
