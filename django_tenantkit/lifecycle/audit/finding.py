"""What the audit finds, and the base of everything that looks for something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from .evidence import PUBLIC, Evidence


class Severity(StrEnum):
    """An error lets rows cross the line, or hides that they did. A warning is a weakness that something
    else still covers. A notice is for somebody to know of."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


ERROR, WARNING, NOTICE = Severity.ERROR, Severity.WARNING, Severity.NOTICE

#: The cure for what migrations make.
MIGRATE = "manage.py migrate"

#: The cure for what the set-up of roles makes.
SET_UP = "manage.py setup_roles"


@dataclass(frozen=True)
class Finding:
    """One fault: its kind, what it is about, the fact, the cure (SQL that ends in a semicolon, or a command),
    and what else there is to say, or to do where nothing can simply be run. `rows` are some of the rows
    that are meant, for whoever has to put them right. `tenant`: in whose database it is, if not in the main one."""

    id: str
    severity: Severity
    object: str
    fact: str
    cure: str = ""
    advice: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    tenant: str = ""


def ident(name: str) -> str:
    """A name as an identifier of SQL; everybody's as the keyword. Cures are typed in, so names that somebody
    chose must not end them."""
    return "PUBLIC" if name == PUBLIC else '"' + name.replace('"', '""') + '"'


class Check:
    """Looks for one kind of fault. A subclass has an `id`, the `severity` that a finding has unless it says
    otherwise, and `find`. Its docstring is what the id stands for."""

    id: ClassVar[str]
    severity: ClassVar[Severity] = ERROR

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        """What there is of this kind. Reads only."""
        raise NotImplementedError

    def found(
        self,
        about: str,
        fact: str,
        cure: str = "",
        advice: str = "",
        severity: Severity | None = None,
        rows: tuple[dict[str, Any], ...] = (),
    ) -> Finding:
        """A finding of this kind."""
        return Finding(self.id, severity or self.severity, about, fact, cure, advice, rows)
