"""The engine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.backends.postgresql import base

from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.sql.session import HOME, context, search_path, set_local


class DatabaseWrapper(base.DatabaseWrapper):
    """Plain Django's, with one constant text in front of each statement."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        settings = context(1, None, (), connection.info.user)
        settings += [(HOME, schema_name(UUID(int=0))), search_path('"public"')]
        connection.cursor_factory = type("Cursor", (_Prefixed, base.Cursor), {"prefix": _sent(settings)})
        return connection


def _sent(settings: list[tuple[str, str]]) -> bytes:
    return set_local(settings, '"public"').encode()


class _Prefixed:
    prefix: bytes

    def _execute_send(self, query: Any, **kwargs: Any) -> None:
        statement = query.query
        query.query = self.prefix + statement
        try:
            super()._execute_send(query, **kwargs)  # type: ignore[misc]
        finally:
            query.query = statement

    def _set_results(self, results: Any) -> None:
        super()._set_results(results[1:])  # type: ignore[misc]
