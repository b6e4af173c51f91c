"""One schema as the catalog has it, and nothing of it left out."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ...exceptions import SnapshotRefused
from ...sql import catalog
from .text import identifier


class Cursor(Protocol):
    """A cursor of psycopg or of Django. Django's must be the system's: another sends a tenant's context along."""

    description: Any

    def execute(self, query: Any, params: Any = None, /) -> Any:
        """Run one statement."""

    def fetchall(self) -> list[Any]:
        """Its rows."""


#: An object: its catalog and its oid in there.
Key = tuple[str, int]

#: What stands for kinds of objects in the statements of `sql/catalog.py`.
_KINDS = {
    "relations": "pg_class",
    "constraints": "pg_constraint",
    "functions": "pg_proc",
    "types": "pg_type",
    "collations": "pg_collation",
    "statistics": "pg_statistic_ext",
    "rules": "pg_rewrite",
    "triggers": "pg_trigger",
    "policies": "pg_policy",
}

#: Objects that are made and dropped with another one.
_PARTS = ("pg_attrdef",)


class World:
    """A schema, with all objects in it or depending on it. `needs` says on what each of them depends, and `parts`
    which are made and dropped with another one."""

    def __init__(self, cursor: Cursor, schema: str) -> None:
        self.cursor = cursor
        self.schema = schema
        found = self.ask(catalog.SCHEMA, {"schema": schema})
        if not found:
            raise SnapshotRefused(f"There is no schema {schema}.")
        self.oid, self.quoted, self.owner, self.version, self.comment = found[0]
        found = self.ask(catalog.MEMBERS, {"oid": self.oid})
        self.members: dict[Key, Any] = {(row.catalog, row.oid): row for row in found}
        inside = [key for key, member in self.members.items() if member.namespace in (None, self.oid)]
        self.given = {
            **{name: [oid for kind, oid in inside if kind == wanted] for name, wanted in _KINDS.items()},
            "oid": self.oid,
            "owner": self.owner,
            "catalogs": [key[0] for key in self.members],
            "oids": [key[1] for key in self.members],
        }
        self._depend()

    def _depend(self) -> None:
        self.needs: dict[Key, set[Key]] = {key: set() for key in self.members}
        self.parts: dict[Key, Key] = {}
        for row in self.rows(catalog.DEPENDENCIES):
            key, on = (row.catalog, row.oid), (row.on_catalog, row.on_oid)
            if row.how in "ex":
                raise SnapshotRefused(f"The {self.members[key].description} belongs to or depends on an extension.")
            self.needs[key].add(on)
            if row.how == "i" or row.catalog in _PARTS:
                self.parts.setdefault(key, on)

    def rows(self, query: str) -> list[Any]:
        """What a statement of `sql/catalog.py` says of this schema."""
        return self.ask(query, self.given)

    def ask(self, query: str, params: Mapping[str, Any]) -> list[Any]:
        """The rows of a statement, as named tuples."""
        self.cursor.execute(query, {name: value for name, value in params.items() if f"%({name})s" in query})
        row = namedtuple("row", [column[0] for column in self.cursor.description])  # type: ignore[misc]
        return [row(*values) for values in self.cursor.fetchall()]


@contextmanager
def reading(cursor: Cursor, schema: str) -> Iterator[None]:
    """How names are found and values printed while a schema is read; afterwards as before. Raises
    `SnapshotRefused` outside of a transaction."""
    path = f"{identifier(schema)}, pg_temp"
    cursor.execute(catalog.SETTINGS_BEFORE)
    before = list(cursor.fetchall()[0])
    cursor.execute(catalog.SETTINGS, {"path": path})
    cursor.execute(catalog.PATH)
    if cursor.fetchall()[0][0] != path:
        raise SnapshotRefused(f"The schema {schema} is read in a transaction, and there is none. Open one.")
    try:
        yield
    except SnapshotRefused:  # after an error of PostgreSQL's the transaction is over
        cursor.execute(catalog.RESTORE, before)
        raise
    cursor.execute(catalog.RESTORE, before)
