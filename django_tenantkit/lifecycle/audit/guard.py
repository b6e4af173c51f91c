"""Tables, row-level security and its policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...sql import fence
from .evidence import Evidence, Found
from .finding import MIGRATE, NOTICE, WARNING, Check, Finding, ident
from .guarded import COMMANDS, Policy


class TableMissing(Check):
    """A tenant model has no table."""

    id = "table.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.expected.tables:
            if table.name not in evidence.oids:
                yield self.found(table.name, f"The table of {table.label} is not in this database.", MIGRATE)


class TableUnguarded(Check):
    """In place of a tenant model's table is something that can have no policies: a foreign table, a materialized
    view, or a view that does not read a tenant table."""

    id = "table.unguarded"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        judged = {view.oid for view in evidence.views if view.kind == "v"}  # as views
        kinds = {"f": "a foreign table", "m": "a materialized view", "v": "a view of something else"}
        for relation in evidence.relations.values():
            if relation.kind in kinds and relation.oid not in judged:
                yield self.found(
                    relation.name,
                    f"{relation.name} is {kinds[relation.kind]}, which can have no row-level security.",
                    advice="Copy the rows into a table of the model.",
                )


class TableOwner(Check):
    """A tenant table belongs to another role than the owner."""

    id = "table.owner"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        owner = evidence.roles.owner
        for table in evidence.tables:
            if table.owner != owner and table.owner not in evidence.web:  # theirs is a finding of its own
                yield self.found(
                    table.name,
                    f"{table.name} belongs to {table.owner} and not to {owner}.",
                    f"ALTER TABLE {table.name} OWNER TO {ident(owner)};",
                )


class ColumnMissing(Check):
    """A tenant table has no column for the tenant."""

    id = "column.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            if table.oid not in evidence.columns:
                column = table.expected.tenant
                yield self.found(table.name, f"{table.name} has no column {column}.", MIGRATE)


class ColumnNullable(Check):
    """The tenant's column may be empty."""

    id = "column.nullable"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            column = evidence.columns.get(table.oid)
            if column is not None and not column.filled and not table.expected.nullable:
                yield self.found(
                    table.name,
                    f"{table.name}.{column.name} may be NULL: such a row belongs to nobody, and references from it "
                    "are not compared.",
                    f"ALTER TABLE {table.name} ALTER COLUMN {column.quoted} SET NOT NULL;",
                )


class RlsOff(Check):
    """Row-level security is not enabled."""

    id = "rls.off"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            if not table.enabled:
                yield self.found(
                    table.name,
                    f"{table.name} has no row-level security: raw SQL reads and writes the rows of all tenants.",
                    f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY;",
                )


class RlsUnforced(Check):
    """Row-level security does not bind the table's owner."""

    id = "rls.unforced"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            if not table.forced:
                yield self.found(
                    table.name,
                    f"Row-level security of {table.name} does not bind its owner, {table.owner}.",
                    f"ALTER TABLE {table.name} FORCE ROW LEVEL SECURITY;",
                )


class PolicyMissing(Check):
    """A policy of ours is not there."""

    id = "policy.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            there = {policy.name for policy in evidence.policies[table.oid]}
            for policy in table.expected.policies:
                if policy.name not in there:
                    yield self.found(
                        f"{policy.name} on {table.name}",
                        f"{table.name} has no policy {policy.name}.",
                        create(policy, table),
                    )


class PolicyChanged(Check):
    """A policy of ours says something else than we wrote."""

    id = "policy.changed"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            there = {policy.name: policy for policy in evidence.policies[table.oid]}
            for policy in table.expected.policies:
                theirs = there.get(policy.name)
                changes = list(_changes(evidence, table, policy, theirs)) if theirs is not None else []
                if changes:
                    yield self.found(
                        f"{policy.name} on {table.name}",
                        f"The policy {policy.name} of {table.name} was changed: {'; '.join(changes)}.",
                        f"DROP POLICY {policy.name} ON {table.name}; {create(policy, table)}",
                    )


class PolicyOpening(Check):
    """A further permissive policy opens a table to requests: permissive ones are OR-ed."""

    id = "policy.opening"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table, policy in _foreign(evidence):
            if policy.permissive and evidence.is_web(policy.roles):
                yield self.found(
                    f"{policy.name} on {table.name}",
                    f"The permissive policy {policy.name} of {table.name}, for {', '.join(policy.roles)}, adds rows to "
                    f"what ours lets through: USING ({policy.condition}) WITH CHECK ({policy.check}).",
                    _drop(policy, table),
                    "To narrow what requests see, make it AS RESTRICTIVE.",
                )


class PolicyExtra(Check):
    """A policy that is not ours, and opens nothing to requests."""

    id = "policy.extra"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table, policy in _foreign(evidence):
            if not (policy.permissive and evidence.is_web(policy.roles)):
                kind = "permissive" if policy.permissive else "restrictive"
                yield self.found(
                    f"{policy.name} on {table.name}",
                    f"{table.name} has the {kind} policy {policy.name}, for {', '.join(policy.roles)}, which no model "
                    "asks for.",
                    _drop(policy, table),
                )


def create(policy: Policy, table: Found) -> str:
    """The statement that makes a policy."""
    kind = "PERMISSIVE" if policy.permissive else "RESTRICTIVE"
    roles = ", ".join(map(ident, policy.roles))
    using = f" USING ({policy.condition})" if policy.condition is not None else ""
    check = f" WITH CHECK ({policy.check})" if policy.check is not None else ""
    return f"CREATE POLICY {policy.name} ON {table.name} AS {kind} FOR {policy.command} TO {roles}{using}{check};"


def _drop(policy: Any, table: Found) -> str:
    return f"DROP POLICY {ident(policy.name)} ON {table.name};"


def _foreign(evidence: Evidence) -> Iterator[tuple[Found, Any]]:
    """The policies that no model asks for."""
    for table in evidence.tables:
        ours = {policy.name for policy in table.expected.policies}
        for policy in evidence.policies[table.oid]:
            if policy.name not in ours and (policy.permissive or not policy.name.startswith(fence.PREFIX)):
                yield table, policy


def _changes(evidence: Evidence, table: Found, ours: Policy, theirs: Any) -> Iterator[str]:
    """What differs, in words."""
    if theirs.permissive != ours.permissive:
        yield "it is permissive" if theirs.permissive else "it is restrictive"
    if theirs.command != COMMANDS[ours.command]:
        yield f"it is for another command ({theirs.command!r} in pg_policy.polcmd)"
    if set(theirs.roles) != set(ours.roles):
        yield f"it is for {', '.join(theirs.roles)} and not for {', '.join(ours.roles)}"
    written = set(re.findall(r"\w+", f"{ours.condition} {ours.check}"))
    if foreign := [name for name in theirs.functions if name not in written]:
        # Planning may run functions, so an expression with one that we did not write is not planned.
        yield f"it calls {', '.join(foreign)}: USING ({theirs.condition}) WITH CHECK ({theirs.check})"
        return
    if not evidence.same(table, ours.condition, theirs.condition):
        yield f"USING is {theirs.condition}"
    if not evidence.same(table, ours.check, theirs.check):
        yield f"WITH CHECK is {theirs.check}"
