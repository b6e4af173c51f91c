"""Which homes lag behind. One statement tells, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import OperationalError

from ...exceptions import MigratingRefused
from ...sql import migrating as sql
from ...sql.homes import FIND_HOME
from ..shards import main_connection
from .plans import Plan, Wanted, plan_from

#: What the lock of a run is called, as PostgreSQL's advisory locks are: a number.
_RUN_LOCK = 0x74656E616E74


@dataclass(frozen=True)
class State:
    """A state that homes are in: how many, how many of them tenants', and what is to be done there. `plan` is None
    where the state is not known, so that each home has to be asked."""

    digest: str
    places: int
    tenants: int
    plan: Plan | None

    @property
    def lags(self) -> bool:
        """Whether anything is to be done."""
        return self.plan is None or bool(self.plan.steps)


def survey(
    wanted: Wanted | None = None, uids: Iterable[UUID] | None = None, known: Iterable[State] = ()
) -> list[State]:
    """The states of homes that are ready or taken, or of those with these uids. As the system. Plans of `known` ones
    are used again."""
    plans = {state.digest: state.plan for state in known}
    given = None if uids is None else list(uids)
    with main_connection().cursor() as cursor:
        cursor.execute(sql.SURVEY, {"uids": given})
        rows = cursor.fetchall()
    return [
        State(
            digest,
            places,
            tenants,
            None if names is None else plans.get(digest) or plan_from(_listed(names), wanted or Wanted()),
        )
        for digest, names, places, tenants in rows
    ]


def _listed(names: Any) -> list[str]:
    return list(json.loads(names) if isinstance(names, str) else names)


def refuse_without_main(plans: Iterable[Plan]) -> None:
    """Raise `MigratingRefused` where homes would overtake the main database: they refer to its tables."""
    with main_connection().cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    wanted = [step for plan in plans for step in plan.steps if step.migration is not None and not step.backwards]
    if missing := sorted({step.label for step in wanted if not applied.intersection(step.names)}):
        raise MigratingRefused(
            f"The main database lacks {', '.join(missing)}. Run `migrate` first: homes refer to shared tables."
        )


@contextmanager
def run_lock(seconds: float) -> Iterator[None]:
    """One run at a time. Waits so long for another one, or for what a killed one has left running, and raises
    `MigratingRefused` then."""
    connection = main_connection()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = %s", [max(1, round(seconds * 1000))])
        try:
            cursor.execute(sql.TRY_LOCK, [_RUN_LOCK])
        except OperationalError as error:
            raise MigratingRefused("Another `migrate_tenants` is at work. Wait for its end.") from error
        finally:
            cursor.execute("RESET lock_timeout")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(sql.UNLOCK, [_RUN_LOCK])


def lag() -> int:
    """How many tenants have a home that lags behind the project's migrations. As the system."""
    with main_connection().cursor() as cursor:
        cursor.execute(FIND_HOME, ["public", "django_tenantkit_place"])
        if not cursor.fetchone()[1]:  # only some apps are migrated yet
            return 0
    return sum(state.tenants for state in survey() if state.lags)
