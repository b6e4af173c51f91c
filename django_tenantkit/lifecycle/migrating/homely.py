"""One migration in one home, as Django does it, and so that it can be killed: what was done and its record are one
transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from ...conf import conf
from ...context import tenant_context
from ...exceptions import HomeMissing
from ...sql import homes as homes_sql
from ...sql import migrating as sql
from ...sql import places as places_sql
from ...sql.common import fill
from ..homes import guard_home
from ..kinds import fill_home, make_kinds
from ..signing import sign_home
from .plans import Plan, Script, Step
from .recording import recorded


class StateMoved(Exception):
    """The home is in another state than the plan begins with; nothing was done."""


class Home:
    """A home at work: the connection to it, which is the system's, its schema, its place and its tenant, if it
    has one. `noted` is what its place is to say, if the work came to something."""

    noted: str | None = None

    def __init__(self, connection: Any, schema: str, uid: UUID, tenant: Any = None) -> None:
        self.connection = connection
        self.schema = schema
        self.uid = uid
        self.tenant = tenant

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.tenant.slug if self.tenant is not None else f"ready place {self.uid}"

    def missing(self) -> HomeMissing:
        """The error where there is no such schema."""
        return HomeMissing(
            f"The schema {self.schema} of {self.name} is not there, or has no record of migrations. It was not made "
            "anew: restore it from a backup."
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for whoever else is at work on it, also for what a killed process has left running."""
        with self.connection.cursor() as cursor:
            cursor.execute(places_sql.LOCK, [str(self.uid)])
        try:
            yield
        finally:
            if self.connection.connection is not None and not self.connection.connection.closed:
                with self.connection.cursor() as cursor:
                    cursor.execute(places_sql.UNLOCK, [str(self.uid)])

    def digest(self) -> str:
        """The state that it says it is in. Raises `HomeMissing`."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                homes_sql.FIND_HOME,
                [homes_sql.quoted(self.schema), f"{homes_sql.quoted(self.schema)}.django_migrations"],
            )
            if not all(cursor.fetchone()):
                raise self.missing()
            cursor.execute(sql.digest_in(self.schema))
            return str(cursor.fetchone()[0])


def run_steps(home: Home, plan: Plan, steps: Sequence[Step]) -> None:
    """Run migrations in a home, one transaction each, forwards or backwards. Raises `StateMoved`, and whatever a
    migration raises; those before it are done then."""
    with home.connection.in_home(home.schema), home.locked():
        if home.digest() != steps[0].before:
            raise StateMoved
        for step in steps:
            run_step(home, plan, step)


def run_step(home: Home, plan: Plan, step: Step) -> None:
    """Run one in a home that is locked, and keep what was sent as its script if it can be shared."""
    connection, migration = home.connection, step.migration
    assert migration is not None
    state = plan.state_before(step)
    _forget_rows(state)
    with connection.schema_editor(atomic=migration.atomic) as editor, tenant_context(home.tenant):
        if migration.atomic:
            _keep(home, step)
        with recorded(connection) as recording:
            after = (migration.unapply if step.backwards else migration.apply)(state.clone(), editor)
            for statement in editor.deferred_sql:
                editor.execute(statement)
            editor.deferred_sql.clear()
            if step.may_unguard:
                guard_home(connection, home.schema)
                sign_home(connection, home.schema)
            if step.makes_kinds:
                make_kinds(connection)
    if not migration.atomic:
        _keep(home, step)
    home.noted = step.noted
    plan.remember(step, after)
    if step.is_waiting:
        if obstacle := recording.obstacle or _names_home(home, recording.statements):
            step.alone = obstacle
        else:
            step.script = Script(home.schema, tuple(recording.statements))


def _names_home(home: Home, statements: Iterable[str]) -> str:
    """Why statements are for one home alone, if they name it otherwise than by its schema."""
    names = home.uid.hex, str(home.uid)
    text = "\n".join(statements).replace(home.schema, "")
    return "it names the tenant" if any(name in text for name in names) else ""


def finish(home: Home, plan: Plan, *, again: bool = False) -> None:
    """Do what follows the steps of a plan, or all that ever does `again`: rows of nobody get values for columns that
    are new, and apps make their first rows. Until it is done the place is said to be behind, so that a process that is
    killed here leaves nothing out."""
    if not (plan.finishes or again):
        return
    with home.connection.in_home(home.schema):
        if plan.spreads or again:
            with home.connection.cursor() as cursor:
                cursor.execute(fill(home.schema))
        migrations = [(migration, False) for migration in plan.done]
        fill_home(home.connection, migrations, conf.TENANT_APPS if again else plan.fills)


def _keep(home: Home, step: Step) -> None:
    with home.connection.cursor() as cursor:
        cursor.execute(sql.record(home.schema, step.names, backwards=step.backwards))


def _forget_rows(state: Any) -> None:
    """What historical managers remember is another tenant's: content types, for one."""
    for model in state.apps.get_models():
        for manager in model._meta.managers:
            if hasattr(manager, "clear_cache"):
                manager.clear_cache()
