"""A home as moving sees it: a connection of the system's, a schema, and what the catalog says of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from ...context import tenant_context
from ...isolation import Home, isolation_of
from ...isolation.entries import SHARED
from ...models import TenantIsolation
from ...sql import moving as sql
from ...sql.homes import quoted
from ..contents import contents
from ..fence import connection_of, schema_of


@dataclass(frozen=True)
class Spot:
    """Where a tenant with that uid lives, or will."""

    isolation: str
    server: str
    uid: UUID

    @classmethod
    def of(cls, tenant: Any) -> Spot:
        """Where it lives."""
        return cls(str(tenant.isolation), tenant.database, tenant.uid)

    @property
    def home(self) -> Home | None:
        """The same as connections know it."""
        return isolation_of(self.isolation).home(self.uid, self.server)

    @property
    def is_shared(self) -> bool:
        """Whether other tenants have rows in the same tables."""
        return self.isolation == TenantIsolation.ROW

    @property
    def alias(self) -> str:
        """The alias of its database."""
        home = self.home
        return home.database if home is not None and home.database else SHARED

    @property
    def schema(self) -> str:
        """The schema of its tables."""
        return schema_of(self.home)

    def __str__(self) -> str:
        return f"{self.isolation} on {self.server}" if self.server else self.isolation


class Column(NamedTuple):
    """What the catalog says of a column."""

    name: str
    type: str
    is_hashed: bool
    sequence: str | None


class Side:
    """A home with a connection of the system's, psycopg's own, in autocommit mode."""

    def __init__(self, spot: Spot, raw: Any) -> None:
        self.spot = spot
        self.raw = raw

    @property
    def is_main(self) -> bool:
        """Whether it is in the main database."""
        return self.spot.alias == SHARED

    def path(self, table: str) -> str:
        """The full name of a table, quoted."""
        return f"{quoted(self.spot.schema)}.{quoted(table)}"

    def ask(self, statement: str, given: Any = None) -> list[Any]:
        """The rows of a statement."""
        found: list[Any] = self.raw.execute(statement, given).fetchall()
        return found

    @cached_property
    def columns(self) -> dict[str, list[Column]]:
        """The columns of its tables, by table."""
        given = {"schema": quoted(self.spot.schema), "tables": tables(), "hashed": sql.HASHED}
        found: dict[str, list[Column]] = {}
        for table, *column in self.ask(sql.COLUMNS, given):
            found.setdefault(table, []).append(Column(*column))
        return found

    def column(self, table: str, name: str) -> Column:
        """One of them."""
        return next(one for one in self.columns[table] if one.name == name)


def tables() -> list[str]:
    """The names of all tables of homes."""
    return [content.table for content in contents()]


@contextmanager
def opened(*spots: Spot) -> Iterator[tuple[Any, list[Side]]]:
    """Connections of the system's to the main database and to where these are; homes in one database share one.
    Outside of transactions."""
    with tenant_context(None), ExitStack() as stack:
        wrappers: dict[str, Any] = {SHARED: connections[SHARED]}
        wrappers.update((spot.alias, connection_of(spot.home)) for spot in spots)
        for wrapper in wrappers.values():
            stack.enter_context(wrapper.as_system())
            wrapper.ensure_connection()
        yield wrappers[SHARED].connection, [Side(spot, wrappers[spot.alias].connection) for spot in spots]
