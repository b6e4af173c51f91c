"""A schema as a text that makes it again under another name.

The idea is measured: the finished objects, read from the catalog of a schema that was migrated, and sent in one
message, take less time than the statements that migrations run, in one message as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from uuid import uuid4

from ...exceptions import SnapshotRefused
from ...sql import catalog
from ...sql.session import literal
from . import others, privileges
from .building import Plan
from .rows import Rows
from .tables import Tables, add_indexes
from .text import (
    BARE,
    IDENTIFIER,
    NAME,
    TENANT,
    Part,
    as_parts,
    fill_in,
    identifier,
    is_distinctive,
    is_plain,
    mentions,
    take_out,
)
from .types import add_collations, add_functions, add_sequences, add_types
from .world import Cursor, World, reading

_MAX_NAME = 63

#: A schema's name that is nobody's.
_MARK = f"t_{uuid4().hex}"

#: What the message sets for itself, and how it is set back: it may be a part of a longer transaction.
_BEFORE = (
    "SELECT set_config('tenantkit.path_before', current_setting('search_path'), true), "
    "set_config('tenantkit.role_before', current_setting('role'), true), "
    "set_config('tenantkit.bodies_before', current_setting('check_function_bodies'), true)"
)
_AFTER = (
    "SELECT set_config('search_path', current_setting('tenantkit.path_before'), true), "
    "set_config('check_function_bodies', current_setting('tenantkit.bodies_before'), true), "
    "set_config('role', current_setting('tenantkit.role_before'), true)"
)


@dataclass(frozen=True)
class Snapshot:
    """A finished schema: statements with its name, and its tenant's key, taken out. Can be pickled; `as_json()`
    and `from_json()` keep it elsewhere. It is good for servers of the same major version that have the same roles
    and the same shared tables. `version` is the server's, as a number: 180004."""

    version: int
    statements: tuple[tuple[Part, ...], ...]

    @cached_property
    def needs_tenant(self) -> bool:
        """Whether it has rows of a tenant, so that `script()` has to be told of whom they will be."""
        return any(mentions(statement, TENANT) for statement in self.statements)

    def script(self, schema: str, *, tenant: Any = None) -> str:
        """The text that makes the schema under the name `schema`, to be sent in one message, without parameters.

        It makes all or nothing, whether a transaction is open or not. Rows of the reference's tenant become those
        of the tenant with the key `tenant`. Raises `SnapshotRefused` for a name that PostgreSQL cannot have.
        """
        if not schema or "\0" in schema or len(schema.encode()) > _MAX_NAME or schema.startswith("pg_"):
            raise SnapshotRefused(f"PostgreSQL can have no schema of the name {schema!r}.")
        if is_plain(schema) and tenant is None and not self.needs_tenant:
            return self._text.replace(_MARK, schema)
        return self._filled(schema, tenant)

    @cached_property
    def _text(self) -> str:
        """For all names that need no quotes: one that stands for nothing else is replaced, which takes no time."""
        return self._filled(_MARK)

    def _filled(self, schema: str, tenant: Any = None) -> str:
        values = {IDENTIFIER: identifier(schema), NAME: schema}
        if is_plain(schema):
            values[BARE] = schema
        if tenant is not None:
            values[TENANT] = literal(str(tenant))
        elif self.needs_tenant:
            raise SnapshotRefused("The schema has rows of a tenant. Say whose they will be: script(..., tenant=key).")
        try:
            return ";\n".join(fill_in(statement, values) for statement in self.statements) + ";"
        except KeyError:
            raise SnapshotRefused(
                f"A text in the schema says its name where {schema!r} cannot stand. Choose a name of lower-case "
                "letters, digits and underscores, such as t_0190."
            ) from None

    def as_json(self) -> dict[str, Any]:
        """It as values that JSON has."""
        return {"version": self.version, "statements": self.statements}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json()` was made of."""
        return cls(kept["version"], tuple(as_parts(statement) for statement in kept["statements"]))


def take(
    cursor: Cursor, schema: str, *, tenant_columns: Mapping[str, str] | None = None, tenant: Any = None
) -> Snapshot:
    """Read a finished schema, in the transaction that is open.

    `tenant_columns` maps tables to their tenant's column; `tenant` is the key of the tenant to whom the rows there
    belong. Everything in the schema is read, the rows as well: those that migrations inserted. Raises
    `SnapshotRefused`, naming it, for whatever a copy would lack or could get wrong: then use the migrations.
    """
    if not is_distinctive(schema):
        raise SnapshotRefused(
            f"{schema!r} could stand in the schema's texts and mean something else. Copy one whose name has 8 "
            "characters or more and a digit among them."
        )
    with reading(cursor, schema):
        return _take(World(cursor, schema), tenant_columns or {}, tenant)


def _take(world: World, tenant_columns: Mapping[str, str], tenant: Any) -> Snapshot:
    if labels := world.rows(catalog.LABELS):
        raise SnapshotRefused(f"A security label is on {labels[0][0]}, which a copy would not have.")
    plan = Plan(world)
    rows = Rows(plan, tenant_columns, tenant)
    _plan(plan, rows)
    defaults = privileges.default_privileges(plan)
    grants = privileges.add_grants(plan)
    others.add_comments(plan)
    body: Iterable[Sequence[Part]] = (
        rows.inserts[text] if text in rows.inserts else take_out(text, world.schema) for text in plan.statements()
    )
    statements: list[Sequence[Part]] = [
        [_BEFORE],
        [f"SET LOCAL ROLE {world.owner}"],
        ["CREATE SCHEMA ", IDENTIFIER],
        ["SELECT set_config('search_path', ", (IDENTIFIER, ", pg_temp"), ", true)"],
        ["SET LOCAL check_function_bodies = off"],
        *([before, IDENTIFIER, after] for before, after in [*defaults, *grants]),
        *body,
    ]
    if positions := rows.positions():
        statements.append(take_out(positions, world.schema))
    if world.comment is not None:
        statements.append(["COMMENT ON SCHEMA ", IDENTIFIER, f" IS {literal(world.comment)}"])
    statements.append([_AFTER])
    return Snapshot(world.version, tuple(map(tuple, statements)))


def _plan(plan: Plan, rows: Rows) -> None:
    """Add all objects to the plan."""
    world = plan.world
    relations = world.rows(catalog.RELATIONS)
    constraints = world.rows(catalog.CONSTRAINTS)
    by_oid = {row.oid: row for row in relations}
    columns: dict[int, list[Any]] = {}
    for column in world.rows(catalog.COLUMNS):
        columns.setdefault(column.relation, []).append(column)
    add_collations(plan)
    add_types(plan, [row for row in constraints if row.domain], columns)
    add_functions(plan)
    identities = add_sequences(plan)
    Tables(plan, relations, columns, [row for row in constraints if row.relation]).add(identities)
    rows.add(relations, columns)
    add_indexes(plan, by_oid)
    others.add_views(plan, relations)
    others.add_rules(plan, by_oid)
    others.add_triggers(plan, by_oid)
    others.add_policies(plan, by_oid)
    others.add_statistics(plan)
    privileges.add_owners(plan, [row.oid for row in identities.values()])
