"""The engine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.backends.postgresql import base

from django_tenantkit.backends.postgresql.session import Session, session_cursor
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.sql.roles import roles_of
from django_tenantkit.sql.session import HOME, context, search_path, set_local


class DatabaseWrapper(base.DatabaseWrapper):
    """Plain Django's, with one constant text in front of each statement."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        settings = context(1, None, (), connection.info.user)
        settings += [(HOME, schema_name(UUID(int=0))), search_path('"public"')]
        session = Constant(roles_of(self.settings_dict))
        session.text = set_local(settings, '"public"').encode()
        connection.cursor_factory = session_cursor(base.Cursor, session)
        return connection


class Constant(Session):
    """Says the same, whatever the scope."""

    text = b""

    def prefix(self) -> bytes:
        return self.text
