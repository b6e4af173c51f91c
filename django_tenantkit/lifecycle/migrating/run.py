"""Migrating homes: in waves, by several workers, each home for itself."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from threading import Lock, Semaphore, Thread
from typing import Any
from uuid import UUID

from django.db import Error

from ...conf import conf
from ...context import contained, logger, tenant_context
from ...exceptions import HomeMissing, MigratingRefused, TenantkitError
from ...isolation.schema import schema_name
from ...models import SHARD, MigrationState, Place, PlaceState, TenantIsolation, get_tenant_model
from ..homes import applied_in, digest_of
from ..shards import main_connection, shards_of
from .homely import Home, StateMoved, finish, run_steps
from .notes import Notes
from .places import bring_database, guard_database, reach
from .plans import Plan, Step, Wanted, plan_from
from .replaying import next_segment, segment_of, send, send_together
from .report import Options, Outcome, Report
from .survey import refuse_without_main, run_lock, survey

#: After so many homes a worker connects anew: a backend remembers every table that it saw.
HOMES_PER_CONNECTION = 200

#: Homes for which one message is sent, where all that is to be done there was recorded; and its characters at most.
TOGETHER, SIZE = 8, 100_000

#: The isolations of places that are whole databases.
_DATABASES = (TenantIsolation.DATABASE, SHARD)

#: How often the state of a home may turn out to be another one.
_ROUNDS = 5

#: A home that is to be done.
Pair = tuple[Place, Outcome]
Queue = deque[Pair]

#: Told after each home: how many are done, of how many, and the name of the last.
Progress = Callable[[int, int, str], None]


def migrate_tenants(
    uids: Iterable[UUID] | None = None,
    wanted: Wanted | None = None,
    options: Options | None = None,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Bring the homes of tenants, or those with these uids, to the project's migrations, ready places too. One that
    fails is left as it was before the migration that failed, noted in its `Place`, and does not keep the others.
    Called again it goes on.

    Raises `MigratingRefused` while another run is at work, where the main database is not migrated, and where the
    target is not clear.
    """
    with main_connection().as_system():
        given = None if uids is None else _with_shards(list(uids))
        report = Report(survey(wanted, given))
        if dry_run or not any(state.lags for state in report.states):
            return report
        with run_lock((options or Options()).wait):
            report = Report(survey(wanted, given, report.states))
            refuse_without_main(state.plan for state in report.states if state.plan is not None)
            _Run(report, wanted or Wanted(), options or Options(), progress).go(given)
    return report


def guard_databases(uids: Iterable[UUID] | None = None) -> list[Outcome]:
    """Make the guard of tenants' databases whole, of all or of those with these uids, as `migrate` does for the main
    one; and have their places say what they have on record. One that fails does not keep the others."""
    places = Place.objects.filter(isolation__in=_DATABASES, state__in=[PlaceState.READY, PlaceState.TAKEN]).order_by(
        "pk"
    )
    outcomes = []
    with main_connection().as_system():
        run = _Run(Report([]), Wanted(), Options(), None)
        found = list(places if uids is None else places.filter(pk__in=_with_shards(list(uids))))
        model = get_tenant_model()
        run.tenants = {one.uid: one for one in model._base_manager.filter(uid__in=[place.pk for place in found])}
        notes = Notes(main_connection())
        for place in found:
            outcome, began, noted = Outcome(place.pk, run._name(place)), time.monotonic(), None
            try:
                noted = _known(guard_database(place))
            except Exception as error:
                logger.warning("migrate_tenants --guard: %s failed", outcome.name, exc_info=True)
                outcome.error = " ".join(f"{type(error).__name__}: {error}".split())
            outcome.seconds = round(time.monotonic() - began, 4)
            notes.add(place.pk, place.migrations, noted, outcome.error, outcome.seconds)
            outcomes.append(outcome)
        notes.write()
    return outcomes


class _Run:
    def __init__(self, report: Report, wanted: Wanted, options: Options, progress: Progress | None) -> None:
        self.report = report
        self.wanted = wanted
        self.options = options
        self.progress = progress
        self.lock = Lock()
        #: As many at once as a process may be connected to.
        self.databases = Semaphore(conf.DATABASE_CONNECTIONS)
        self.plans: dict[str, Plan] = {}
        self.tenants: dict[UUID, Any] = {}
        self.finished = 0
        #: The servers whose shards were to be migrated and were not.
        self.behind: set[str] = set()

    def go(self, uids: list[UUID] | None) -> None:
        lagging = [state for state in self.report.states if state.lags]
        for state in lagging:
            if state.plan is not None:
                self._know(state.plan)
        places = Place.objects.filter(
            state__in=[PlaceState.READY, PlaceState.TAKEN], migrations__in=[state.digest for state in lagging]
        )
        # Tenants first, the smaller uid first: a canary is to have rows.
        found = list((places if uids is None else places.filter(pk__in=uids)).order_by("-state", "pk"))
        self.tenants = {
            tenant.uid: tenant
            for tenant in get_tenant_model()._base_manager.filter(uid__in=[place.pk for place in found])
        }
        pairs = [(place, Outcome(place.pk, self._name(place))) for place in found]
        self.report.outcomes += [outcome for _, outcome in pairs]
        shards = [pair for pair in pairs if pair[0].isolation == SHARD]
        self._work_off(shards)  # a home does not overtake the database that it is in
        self.behind = {place.database for place, outcome in shards if outcome.error or outcome.seconds is None}
        pairs = [pair for pair in pairs if pair[0].isolation != SHARD]
        for number, wave in enumerate(_waves(pairs, self.options)):
            self._work_off(wave)
            if not self.report.stopped and self.options.canary and not number and self.report.failed:
                self.report.stopped = "a canary failed"
            if self.report.stopped:
                return

    def _name(self, place: Place) -> str:
        if place.isolation == SHARD:
            return f"shard {place.database}"
        tenant = self.tenants.get(place.pk)
        return tenant.slug if tenant is not None else f"ready place {place.pk}"

    def _work_off(self, wave: Sequence[Pair]) -> None:
        queue = deque(wave)
        workers = [Thread(target=self._worker, args=[queue]) for _ in range(min(self.options.workers, len(wave)))]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except BaseException:
            self.report.stopped = "it was interrupted"  # each worker ends with the home that it is at
            raise

    def _worker(self, queue: Queue) -> None:
        connection = main_connection()  # a thread has connections of its own
        notes = Notes(connection)
        try:
            with connection.as_system(), contained("migrate_tenants"), tenant_context(None):
                connection.ensure_connection()  # while another one runs what this one waits for
                try:
                    self._work(queue, notes)
                finally:
                    notes.write()
        except Exception as error:
            logger.exception("A worker of migrate_tenants ended")
            self.report.stopped = f"a worker ended: {error}"
        finally:
            connection.close()

    def _work(self, queue: Queue, notes: Notes) -> None:
        number = 0
        while not self.report.stopped and (pairs := self._next(queue)):
            if not self._do_together(pairs, notes):
                for pair in pairs:
                    if not self.report.stopped:
                        self._do(*pair, notes)
            number += len(pairs)
            if number >= HOMES_PER_CONNECTION:
                notes.connection.close()
                number = 0

    def _do(self, place: Place, outcome: Outcome, notes: Notes) -> None:
        began, noted = time.monotonic(), None
        try:
            if place.isolation in _DATABASES:
                with self.databases:
                    noted = _known(bring_database(place, self.tenants.get(place.pk), self.wanted))
            elif place.database in self.behind:
                raise TenantkitError(f"The shard {place.database} is not migrated, and homes do not overtake it.")
            else:
                with reach(place, self.tenants.get(place.pk)) as home:
                    try:
                        self._bring(home, place.migrations)
                    finally:
                        noted = home.noted
        except Exception as error:
            logger.warning("migrate_tenants: %s failed", outcome.name, exc_info=True)
            outcome.error = " ".join(f"{type(error).__name__}: {error}".split())
        self._end(place, outcome, noted, time.monotonic() - began, notes)

    def _next(self, queue: Queue) -> list[Pair]:
        """The next home, or the next few that one message can do: no more than a part of what is left, so that nobody
        has much to do when the others are done."""
        with self.lock:
            pairs = [queue.popleft()] if queue else []
            plan = self._replayed(pairs[0][0]) if pairs else None
            if plan is not None:
                most = min(TOGETHER, len(queue) // (2 * self.options.workers), SIZE // len(next_segment(plan, 0).text))
                while len(pairs) < most and self._replayed(queue[0][0]) is plan:
                    pairs.append(queue.popleft())
        return pairs

    def _replayed(self, place: Place) -> Plan | None:
        """The plan of a home of the main database, if nothing is to be done there but to send what was recorded."""
        plan = self.plans.get(place.migrations)
        is_schema = place.isolation == TenantIsolation.SCHEMA and not place.database
        return plan if is_schema and plan is not None and plan.is_recorded else None

    def _do_together(self, pairs: list[Pair], notes: Notes) -> bool:
        """Do several homes, and tell whether they are done. If not each is to be done by itself: those before the one
        that failed turn out to be done."""
        if len(pairs) < 2 or (plan := self._replayed(pairs[0][0])) is None:
            return False
        began = time.monotonic()
        homes = [Home(notes.connection, schema_name(place.pk), place.pk) for place, _ in pairs]
        try:
            send_together(homes, next_segment(plan, 0))
        except Error:
            return False
        seconds = (time.monotonic() - began) / len(pairs)
        for place, outcome in pairs:
            self._end(place, outcome, plan.end, seconds, notes)
        return True

    def _end(self, place: Place, outcome: Outcome, noted: str | None, seconds: float, notes: Notes) -> None:
        outcome.seconds = round(seconds, 4)
        notes.add(place.pk, place.migrations, noted, outcome.error, outcome.seconds)
        with self.lock:
            self.finished += 1
            self._consider_stopping()
            if self.progress is not None:
                self.progress(self.finished, len(self.report.outcomes), outcome.name)

    def _consider_stopping(self) -> None:
        limit = self.options.stop_after
        if limit is None or self.report.stopped:
            return
        if self.options.stop_after_percent:
            limit = limit * len(self.report.outcomes) / 100
        if (failed := len(self.report.failed)) > limit:
            self.report.stopped = f"{failed} homes failed"

    def _bring(self, home: Home, digest: str) -> None:
        """All that is to be done in a home, whose place says that it is in the state `digest`. The home's own record
        is believed, and not the place."""
        replays, asked = True, False
        for _ in range(_ROUNDS):
            if (plan := self.plans.get(digest)) is None:
                plan, asked = self._ask(home), True
            try:
                _follow(home, plan, replays)
                finish(home, plan, again=asked)
                home.noted = plan.end
                return
            except StateMoved:
                digest, asked = self._ask(home).digest, True
            except HomeMissing:
                raise
            except Error:
                if not replays:
                    raise
                # A home that differs from the first one; Django's own way says what is wrong.
                asked, replays = True, False
                digest = self._ask(home).digest
        raise TenantkitError(f"The state of {home.name} changes meanwhile. Is somebody else migrating it?")

    def _ask(self, home: Home) -> Plan:
        """The plan for the state that a home says it is in."""
        home.digest()
        names = applied_in(home.connection, home.schema)
        digest = digest_of(names)
        with self.lock:
            plan = self.plans.get(digest)
            if plan is None:
                plan = plan_from(names, self.wanted)
                self._know(plan)
        return plan

    def _know(self, plan: Plan) -> None:
        """Keep a plan, and the states on its way, which places will name."""
        self.plans[plan.digest] = plan
        states = {plan.digest: plan.names, **plan.states}
        MigrationState.objects.bulk_create(
            [MigrationState(digest=digest, names=names) for digest, names in states.items()], ignore_conflicts=True
        )


def _with_shards(uids: list[UUID]) -> list[UUID]:
    """These places, and those of the shards that they are in."""
    servers = Place.objects.filter(pk__in=uids, isolation=TenantIsolation.SCHEMA).values_list("database", flat=True)
    return [*uids, *(place.pk for place in shards_of(servers))]


def _follow(home: Home, plan: Plan, replays: bool) -> None:
    """Do the steps of a plan."""
    place = 0
    while place < len(plan.steps):
        place += len(_advance(home, plan, place, replays))


def _advance(home: Home, plan: Plan, place: int, replays: bool) -> Sequence[Step]:
    """Do steps from `place` on, which are returned: in one message what was recorded, the others one by one. Those that
    wait for a first home are all run by that one, so that who waits meanwhile gets them in one message."""
    steps = plan.steps[place:]
    if steps[0].migration is None and not replays:
        send(home, segment_of(steps[:1]))
        return steps[:1]
    if steps[0].alone or not replays:
        by_itself = list(takewhile(lambda step: step.migration is not None and (step.alone or not replays), steps))
        run_steps(home, plan, by_itself)
        return by_itself
    with plan.lock:
        if waiting := list(takewhile(lambda step: step.is_waiting, steps)):
            run_steps(home, plan, waiting)
            return waiting
        segment = next_segment(plan, place)
    send(home, segment)
    return segment.steps


def _waves(pairs: Sequence[Pair], options: Options) -> Iterator[Sequence[Pair]]:
    """The canaries, and then the others in waves."""
    if options.canary:
        yield pairs[: options.canary]
    rest = pairs[options.canary :]
    size = options.wave or len(rest) or 1
    for start in range(0, len(rest), size):
        yield rest[start : start + size]


def _known(names: list[str]) -> str:
    """The digest of a state, which can be looked up from now on."""
    digest = digest_of(names)
    MigrationState.objects.get_or_create(digest=digest, defaults={"names": names})
    return digest


__all__ = ["MigratingRefused", "Options", "Outcome", "Report", "migrate_tenants"]
