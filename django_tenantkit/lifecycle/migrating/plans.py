"""What is to be done in a home, planned once for each state that homes are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock, local
from typing import Any, NamedTuple

from django.apps import apps
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from ...conf import conf
from ...exceptions import TenantkitError
from ...gate import Key, Loader, split
from ...isolation.copied import common_models
from ..homes import digest_of, home_apps
from ..kinds import KINDS, announce_renamed, heard
from .sharing import changes_kinds, may_unguard, why_alone


class Wanted(NamedTuple):
    """Where homes are to go: to the newest migrations of all apps, or of one app, or to one migration of it
    (`zero` for none). With `fake` it is put on record and not done."""

    app_label: str = ""
    target: str = ""
    fake: bool = False


class Script(NamedTuple):
    """What a home was sent, whose schema that was."""

    schema: str
    statements: tuple[str, ...]

    def for_schema(self, schema: str) -> list[str]:
        """The same for another schema. The name of one contains a uid, so it stands for nothing else."""
        return [text.replace(self.schema, schema) if self.schema else text for text in self.statements]


@dataclass
class Step:
    """One migration of a plan, or None where a squashed one is only put on record. `names` are what the record
    gains or loses by it, `before` and `after` the states of the home, and `noted` what its place is then said to be
    in: where something follows the steps it is behind until that is done. `makes_kinds`: content types and permissions
    are made with it. `alone` says why each home runs it by itself; otherwise `script` is what the first home was sent,
    once there is one."""

    migration: Migration | None
    backwards: bool
    names: list[Key]
    before: str = ""
    after: str = ""
    noted: str = ""
    makes_kinds: bool = False
    alone: str = ""
    script: Script | None = None

    @property
    def label(self) -> str:
        """What it is called."""
        return _name(self.names[0] if self.migration is None else _key(self.migration))

    @property
    def is_waiting(self) -> bool:
        """Whether some home is to go first."""
        return not self.alone and self.script is None

    @property
    def may_unguard(self) -> bool:
        """Whether there may be tables without a guard after it."""
        return self.migration is not None and may_unguard(self.migration, backwards=self.backwards)


@dataclass
class Plan:
    """The way from one state to what is wanted. `states` are those on the way, by digest."""

    digest: str
    names: list[str]
    loader: MigrationLoader
    steps: list[Step]
    states: dict[str, list[str]]
    #: The labels of apps whose first rows are looked after when all steps are done.
    fills: set[str] = field(default_factory=set)
    #: Whether rows of nobody then have to be brought up to date: an app with such rows is migrated.
    spreads: bool = False
    #: What `replaying.next_segment()` composed.
    segments: dict[tuple[int, int], Any] = field(default_factory=dict)
    #: Held by the home that goes first.
    lock: Any = field(default_factory=Lock)
    _rendered: local = field(default_factory=local)

    @property
    def done(self) -> list[Migration]:
        """The migrations that are run forwards."""
        return [step.migration for step in self.steps if step.migration is not None and not step.backwards]

    @property
    def finishes(self) -> bool:
        """Whether something follows the steps, which is not done with the last of them: see `homely.finish()`."""
        return bool(self.steps) and self.steps[-1].noted != self.end

    @property
    def is_recorded(self) -> bool:
        """Whether one message does it all."""
        return bool(self.steps) and all(step.script is not None for step in self.steps) and not self.finishes

    @property
    def end(self) -> str:
        """The state that it leads to."""
        return self.steps[-1].after if self.steps else self.digest

    def state_before(self, step: Step) -> ProjectState:
        """The state of the project's models before a step. Each thread has its own: managers of historical models
        remember rows."""
        assert step.migration is not None
        return self._states()[step.migration]

    def remember(self, step: Step, state: ProjectState) -> None:
        """Keep the state that a step led to for the one that follows it: models that did not change are rendered."""
        following = self.steps[self.steps.index(step) + 1 :][:1]
        if following and following[0].migration is not None and not step.backwards:
            known = self._states()
            if "apps" not in vars(known[following[0].migration]):
                known[following[0].migration] = state

    def _states(self) -> dict[Migration, ProjectState]:
        found: dict[Migration, ProjectState] | None = getattr(self._rendered, "states", None)
        if found is None:
            found = self._rendered.states = dict(_states(self))
        return found


class _Planner(MigrationExecutor):
    """Django's planning, without a connection."""

    def __init__(self, loader: MigrationLoader) -> None:
        self.loader = loader


def plan_from(names: list[str], wanted: Wanted) -> Plan:
    """The plan for homes that have these migrations on record. Raises `TenantkitError` for a target that there is
    not."""
    loader = Loader(names)
    planner = _Planner(loader)
    found = planner.migration_plan(targets_of(loader, wanted))
    announce_renamed(found)
    known = set(map(split, names))
    apps = home_apps()
    steps = [Step(None, False, late)] if (late := _unrecorded_squashes(loader, known)) else []
    for step in steps:
        known |= set(step.names)
    for migration, backwards in found:
        step = Step(migration, backwards, _gained_or_lost(migration, known, backwards))
        known = known - set(step.names) if backwards else known | set(step.names)
        if not backwards and (late := _unrecorded_squashes(loader, known)):
            step.names += late
            known |= set(late)
        step.alone = "" if wanted.fake else why_alone(migration, apps)
        steps.append(step)
    for step in steps:
        if wanted.fake or step.migration is None:
            step.alone, step.script = "", Script("", ())
    return _linked(Plan(digest_of(names), names, loader, steps, {}))


def _linked(plan: Plan) -> Plan:
    """The plan with the state before and after each step."""
    known, digest = set(plan.names), plan.digest
    for step in plan.steps:
        names = set(map(_name, step.names))
        known = known - names if step.backwards else known | names
        listed = sorted(known)
        step.before, step.after = digest, digest_of(listed)
        digest = step.noted = step.after
        plan.states[digest] = listed
    plan.fills = heard({migration.app_label for migration in plan.done})
    makes_kinds = bool(KINDS.intersection(conf.TENANT_APPS)) and any(map(changes_kinds, plan.done))
    common = {model._meta.app_label for model in common_models(apps.get_models())}
    plan.spreads = any(label in common for step in plan.steps for label, _ in step.names)
    if plan.fills or plan.spreads or makes_kinds:
        for step in plan.steps:  # whoever is killed on the way comes back, and does what follows
            step.noted = plan.digest
        last = plan.steps[-1]
        if not (plan.fills or plan.spreads) and last.migration is not None and last.script is None:
            last.makes_kinds, last.noted = True, last.after
    return plan


def targets_of(loader: MigrationLoader, wanted: Wanted) -> list[Any]:
    """The migrations that are wanted, as Django names them. Raises `TenantkitError` where it is not clear."""
    if not wanted.app_label:
        return list(loader.graph.leaf_nodes())
    label = wanted.app_label
    if label not in loader.migrated_apps:
        raise TenantkitError(f"There is no app {label!r} with migrations.")
    if not wanted.target:
        return list(loader.graph.leaf_nodes(label))
    if wanted.target == "zero":
        return [(label, None)]
    try:
        return [_key(loader.get_migration_by_prefix(label, wanted.target))]
    except (KeyError, ValueError) as error:
        raise TenantkitError(
            f"The app {label!r} has not one migration whose name begins with {wanted.target!r}. `showmigrations "
            f"{label}` lists them."
        ) from error


def _gained_or_lost(migration: Migration, known: set[Key], backwards: bool) -> list[Key]:
    own, replaced = _key(migration), list(migration.replaces)
    if backwards:
        return [key for key in [own, *replaced] if key in known]
    return [key for key in replaced if key not in known] or [own]


def _unrecorded_squashes(loader: MigrationLoader, known: set[Key]) -> list[Key]:
    """Squashed migrations of which all that they replace is on record."""
    return [
        key
        for key, migration in loader.replacements.items()
        if key not in known and all(replaced in known for replaced in migration.replaces)
    ]


def _states(plan: Plan) -> Iterator[tuple[Migration, ProjectState]]:
    """The state before each step, in the order that Django would follow from the beginning."""
    nodes = plan.loader.graph.nodes
    full = _Planner(plan.loader).migration_plan(plan.loader.graph.leaf_nodes(), clean_start=True)
    todo = {step.migration: step.backwards for step in plan.steps if step.migration is not None}
    applied = {nodes[key] for key in plan.loader.applied_migrations if key in nodes}
    state = ProjectState(real_apps=plan.loader.unmigrated_apps)
    forwards = not any(todo.values())
    if forwards:
        for migration, _ in full:
            if migration in applied:
                migration.mutate_state(state, preserve=False)
    for migration, _ in full:
        if migration in todo:
            if not forwards:
                _ = state.apps  # rendered once: what follows renders the models that change
            yield migration, state
            state = migration.mutate_state(state, preserve=True)
        elif migration in applied and not forwards:
            migration.mutate_state(state, preserve=False)


def _key(migration: Migration) -> Key:
    return migration.app_label, migration.name


def _name(key: Key) -> str:
    return ".".join(key)
