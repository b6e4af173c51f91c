"""What happens when rows are written: triggers, rules, and our functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...sql import common, copies, fence, noting
from .evidence import Evidence
from .finding import MIGRATE, NOTICE, WARNING, Check, Finding, ident
from .guarded import Function, is_same_trigger


class TriggerMissing(Check):
    """A trigger of ours is missing, or does something else: that which keeps a row's tenant, for instance."""

    id = "trigger.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            there = {row.name: row for row in evidence.triggers[table.oid]}
            for name, statement in table.expected.triggers:
                wanted = statement.format(table=table.name, schema=table.name.partition(".")[0])
                if name in there and is_same_trigger(wanted, there[name].definition):
                    continue
                state = "another" if name in there else "no"
                drop = f"DROP TRIGGER {name} ON {table.name}; " if name in there else ""
                yield self.found(
                    f"{name} on {table.name}",
                    f"{table.name} has {state} trigger {name}, which keeps what must not change.",
                    f"{drop}{wanted};",
                )


class TriggerDisabled(Check):
    """A trigger of ours, or one behind a foreign key, is disabled."""

    id = "trigger.disabled"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            for row in evidence.triggers[table.oid]:
                if row.disabled and (row.internal or row.name in dict(table.expected.triggers)):
                    of = f", which checks {row.constraint}," if row.internal else ""
                    yield self.found(
                        f"{row.name} on {table.name}",
                        f"The trigger {row.name} of {table.name}{of} does not fire.",
                        f"ALTER TABLE {table.name} ENABLE TRIGGER {ident(row.name)};",
                    )


class TriggerForeign(Check):
    """A trigger that is not ours fires on a tenant table."""

    id = "trigger.foreign"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            for row in evidence.triggers[table.oid]:
                if row.internal or row.name in dict(table.expected.triggers):
                    continue
                if not _notes_copies(row) and not _fences(row):
                    how = ", which acts as its owner" if row.definer else ""
                    yield self.found(
                        f"{row.name} on {table.name}",
                        f"{table.name} has the trigger {row.name}, which calls {row.function}{how}.",
                        f"DROP TRIGGER {ident(row.name)} ON {table.name};",
                        "Unless somebody needs it, and it writes rows of the same tenant only.",
                        severity=WARNING if row.definer else None,
                    )


def _notes_copies(row: Any) -> bool:
    """Whether it is ours on a table of which homes have copies, see `sql/copies.py` and `sql/common.py`."""
    function = str(row.function).partition("(")[0]
    return (row.name, function) == (copies.TRIGGER, "tenantkit.note_change") or (
        row.name in common.TRIGGERS and function == "tenantkit.spread_common"
    )


def _fences(row: Any) -> bool:
    """Whether it is part of a fence or notes what changes, see `fences.py`."""
    return bool(
        (row.name.startswith(fence.PREFIX) and str(row.function).startswith("tenantkit.refuse_fenced"))
        or (row.name.startswith(noting.PREFIX) and str(row.function).startswith("tenantkit.note_row"))
    )


class TriggerEvent(Check):
    """A trigger on events: it sees every statement that defines something, and acts as whoever runs it."""

    id = "trigger.event"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for row in evidence.event_triggers:
            yield self.found(
                row.name,
                f"The event trigger {row.name} calls {row.function} at {row.event}, as whoever is there: "
                "the owner during a migration.",
                f"DROP EVENT TRIGGER {row.name};",
                "Unless somebody needs it, and the function is known.",
            )


class RulePresent(Check):
    """A rule rewrites statements on a tenant table, and acts with the rights of the table's owner."""

    id = "rule.present"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            for rule in evidence.rules[table.oid]:
                yield self.found(
                    f"{rule.name} on {table.name}",
                    f"{table.name} has the rule {rule.name}, which acts with the rights of the table's owner.",
                    f"DROP RULE {rule.name} ON {table.name};",
                    "A trigger can do the same as its caller.",
                )


class FunctionChanged(Check):
    """A function of the schema tenantkit is missing, says something else than ours, or is somebody else's."""

    id = "function.changed"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        there = {row.name: row for row in evidence.own_functions}
        wanted = evidence.wanted_functions
        for name, ours in wanted.items():
            found = there.get(name)
            if found is None:
                yield self._finding(name, "is missing")
            elif Function(found.body, found.definer) != ours:
                yield self._finding(name, "does not do what ours does")
        for found in evidence.own_functions:
            if found.name not in wanted:
                yield self.found(
                    found.signature,
                    f"{found.signature} is in our schema and not ours.",
                    f"ALTER FUNCTION {found.signature} SET SCHEMA public;",
                )

    def _finding(self, name: str, state: str) -> Finding:
        return self.found(f"tenantkit.{name}", f"The function tenantkit.{name} {state}.", MIGRATE)
