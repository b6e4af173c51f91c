"""Where a tenant's rows are or may have been, as the system's login reaches them: whatever its isolation is now, a
move may have left rows elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections, router

from ..conf import conf
from ..context import tenant_context
from ..isolation.entries import allows_databases, database_alias, shard_alias, shard_uid
from ..isolation.schema import left_name, schema_name
from ..models import Job, Place, PlaceState
from ..sql import erasing as sql
from ..sql.homes import quoted


@dataclass(frozen=True)
class Tables:
    """Tables of one schema in the database of one alias. `is_shared`: rows of several tenants are in them, told apart
    by the tenant's column."""

    alias: str
    schema: str
    is_shared: bool

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor of the system's login, in no tenant. Outside of transactions."""
        with tenant_context(None):
            connection: Any = connections[self.alias]
            with system_of(connection), connection.cursor() as cursor:
                yield cursor

    @property
    def connection(self) -> Any:
        """The connection, for code that is in no tenant."""
        return connections[self.alias]

    def full(self, table: str) -> str:
        """The full name of a table, quoted."""
        return f"{quoted(self.schema)}.{quoted(table)}" if self.schema else quoted(table)

    def existing(self) -> frozenset[str]:
        """The names of the tables that are there."""
        with self.cursor() as cursor:
            if not self.schema:
                return frozenset(self.connection.introspection.table_names(cursor))
            cursor.execute(sql.TABLES, [self.schema])
            return frozenset(name for (name,) in cursor.fetchall())


def system_of(connection: Any) -> AbstractContextManager[None]:
    """The system's login on a connection of ours; nothing on one that has no logins, as SQLite's."""
    enter: Any = getattr(connection, "as_system", nullcontext)
    context: AbstractContextManager[None] = enter()
    return context


def main_alias() -> str:
    """The alias of the main database, for code that is in no tenant."""
    return router.db_for_write(Job)


def shared_tables() -> Iterator[Tables]:
    """The tables that tenants share: those of the main database, and of each shard."""
    main = main_alias()
    is_postgresql = connections[main].vendor == "postgresql"
    schema = (conf.ROW_SCHEMA or "public") if is_postgresql else ""
    yield Tables(main, schema, is_shared=True)
    if is_postgresql:
        for alias in shards():
            yield Tables(alias, schema, is_shared=True)


def own_tables(uid: UUID) -> Iterator[Tables]:
    """The schemas and databases of a tenant that are there, by its uid: in use, or left and not dropped yet."""
    main = main_alias()
    if connections[main].vendor != "postgresql":
        return
    for alias in (main, *shards()):
        with Tables(alias, "public", is_shared=True).cursor() as cursor:
            cursor.execute(sql.SCHEMAS, [[schema_name(uid), left_name(uid)]])
            found = [name for (name,) in cursor.fetchall()]
        yield from (Tables(alias, name, is_shared=False) for name in found)
    if allows_databases():
        for alias in database_aliases(uid):
            yield Tables(alias, conf.ROW_SCHEMA or "public", is_shared=False)


def is_home_schema(name: str) -> bool:
    """Whether a schema is one tenant's, in use or left."""
    return re.fullmatch("(t|left)_[0-9a-f]{32}", name) is not None


def database_aliases(uid: UUID) -> Iterator[str]:
    """The aliases of the databases of that uid that are there, on whatever server."""
    for server in ("", *conf.SERVERS):
        if is_database(alias := database_alias(uid, server)):
            yield alias


def shards() -> Iterator[str]:
    """The aliases of the shards that are there. Raises what keeps a server from answering: nobody can say then what is
    in its."""
    for server in conf.SERVERS:
        if is_database(alias := shard_alias(server)):
            yield alias
        elif Place.objects.filter(pk=shard_uid(server)).exclude(state=PlaceState.MAKING).exists():
            connections[alias].ensure_connection()  # which raises


def is_database(alias: str) -> bool:
    """Whether the database of an alias is on its server."""
    connection: Any = connections[alias]
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.DATABASE, [connection.settings_dict["NAME"]])
        return cursor.fetchone() is not None
