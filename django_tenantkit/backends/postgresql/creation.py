"""Test databases: made and dropped by the system, used by the application."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import creation

from ...context import unscoped
from ...sql.roles import ORIGINAL_NAME, roles_of


class SystemCreation(creation.DatabaseCreation):
    """Django's, by the system: the application's role may not create databases."""

    connection: Any

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        """Make the test database and migrate it. Its roles are those of the database it stands for."""
        settings = self.connection.settings_dict
        settings.setdefault(ORIGINAL_NAME, settings["NAME"])
        return super().create_test_db(*args, **kwargs)

    def sql_table_creation_suffix(self) -> str:
        """The database belongs to the owner, who may then create in its schema `public`."""
        owner = self.connection.ops.quote_name(roles_of(self.connection.settings_dict).owner)
        return f"{super().sql_table_creation_suffix() or 'WITH'} OWNER {owner}"

    def serialize_db_to_string(self) -> str:
        """All rows, of all tenants."""
        with self.connection.as_system(), unscoped(reason="test database serialized"):
            return super().serialize_db_to_string()

    def deserialize_db_from_string(self, data: str) -> None:
        """The rows that were serialized, of all tenants."""
        with self.connection.as_system(), unscoped(reason="test database restored"):
            super().deserialize_db_from_string(data)
