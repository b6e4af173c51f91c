"""Our compilers over Django's connection, and the tenant and its path set on the session before each statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from django_tenantkit.backends.mixins import TenantConnection
from django_tenantkit.backends.postgresql.base import DatabaseOperations
from django_tenantkit.conf import conf
from django_tenantkit.context import current_scope
from django_tenantkit.sql.roles import Roles, roles_of

SET = """SELECT set_config('tenantkit.tenant', %s, false), set_config('role', %s, false),
    set_config('search_path', %s, false)"""


class NaiveCursor:
    """Mixin for cursors of psycopg."""

    roles: Roles

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._set()
        return super().execute(*args, **kwargs)  # type: ignore[misc]

    def executemany(self, *args: Any, **kwargs: Any) -> Any:
        self._set()
        return super().executemany(*args, **kwargs)  # type: ignore[misc]

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self._set()
        return super().stream(*args, **kwargs)  # type: ignore[misc]

    @contextmanager
    def copy(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self._set()
        with super().copy(*args, **kwargs) as copy:  # type: ignore[misc]
            yield copy

    def _set(self) -> None:
        scope = current_scope()
        key = "" if scope.key is None else str(scope.key)
        role = self.roles.application if scope.reason is None else self.roles.operator
        home = scope.home.schema if scope.home is not None else conf.ROW_SCHEMA
        path = f"{home}, public" if home else '"$user", public'
        psycopg.ClientCursor(self._conn).execute(SET, [key, role, path])  # type: ignore[attr-defined]


class Cursor(NaiveCursor, base.Cursor):
    pass


class ServerSideCursor(NaiveCursor, base.ServerSideCursor):
    pass


class DatabaseWrapper(TenantConnection, base.DatabaseWrapper):
    ops_class = DatabaseOperations

    def get_connection_params(self) -> dict[str, Any]:
        factory = type("Cursor", (Cursor,), {"roles": roles_of(self.settings_dict)})
        return super().get_connection_params() | {"cursor_factory": factory}

    def create_cursor(self, name: str | None = None) -> Any:
        if name is None:
            return super().create_cursor()
        factory = type("ServerSideCursor", (ServerSideCursor,), {"roles": roles_of(self.settings_dict)})
        return factory(self.connection, name=name, withhold=self.connection.autocommit)
