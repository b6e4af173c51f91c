"""What guards a table, read from our own SQL: policies, triggers and functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...sql import policies as sql
from ...sql.roles import Roles

#: Commands as pg_policy has them.
COMMANDS = {"ALL": "*", "SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}

_FUNCTION = re.compile(r"FUNCTION tenantkit\.(\w+)\((.*?)AS\s+(\$\w*\$)(.*?)\3", re.DOTALL)
_POLICY = re.compile(r'CREATE POLICY (\w+) ON (.+?) FOR (\w+) TO "(.+?)" (USING|WITH CHECK) \((.*)\)$', re.DOTALL)
_TRIGGER = re.compile(r"CREATE TRIGGER (\w+) .*? ON (.+?) FOR EACH ROW .*", re.DOTALL)


@dataclass(frozen=True)
class Policy:
    """A policy of row-level security, in our own words: `condition` and `check` are what we wrote, and
    PostgreSQL prints them differently. `command` is a key of `COMMANDS`."""

    name: str
    roles: tuple[str, ...]
    condition: str | None
    check: str | None = None
    permissive: bool = True
    command: str = "ALL"


@dataclass(frozen=True)
class Function:
    """A function of ours: its body, in which only words count, and whether it acts as its owner."""

    body: str
    definer: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", " ".join(self.body.replace('"', "").split()))


def policies(found: Iterable[sql.Policy], roles: Roles, *, signed: bool = False) -> tuple[Policy, ...]:
    """The policies of a tenant table. `signed`: with TENANTKIT_SIGNED_CONTEXT."""
    made = [Policy(p.name, (p.role,), p.using, p.check, p.permissive, p.command) for p in found]
    if signed:
        both = (roles.application, roles.operator)
        made.append(Policy(sql.SIGNED, both, "(SELECT tenantkit.context_is_signed())", permissive=False))
    return tuple(made)


def policies_in(statements: Iterable[str]) -> Iterator[tuple[str, Policy]]:
    """The policies that statements of ours make, each with its table."""
    for statement in statements:
        if match := _POLICY.search(statement):
            name, table, command, role, clause, text = match.groups()
            using, check = (text, None) if clause == "USING" else (None, text)
            yield table, Policy(name, (role.replace('""', '"'),), using, check, command=command)


def triggers_in(statements: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """The triggers that statements of ours make: table, name, statement."""
    for statement in statements:
        if match := _TRIGGER.search(statement):
            yield match[2], match[1], statement


def is_same_trigger(ours: str, printed: str) -> bool:
    """Whether PostgreSQL prints our statement so: with parentheses, with varchar compared as text, and without
    the quotes that no name needs."""
    return _words(ours.replace("OLD.", "old.").replace("NEW.", "new.")) == _words(printed)


def _words(statement: str) -> list[str]:
    return re.sub(r'[()"]|::text', "", statement).split()


def functions(statements: Iterable[str]) -> dict[str, Function]:
    """The functions of the schema `tenantkit` that statements of ours make, by name."""
    return {
        name: Function(body, "SECURITY DEFINER" in head)
        for name, head, _, body in (match for text in statements for match in _FUNCTION.findall(text))
    }
