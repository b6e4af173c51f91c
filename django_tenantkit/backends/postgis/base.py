"""PostGIS with tenant tables scoped, and with a session that says so to the database."""

from __future__ import annotations

from typing import Any

from django.contrib.gis.db.backends.postgis import base, introspection, operations, schema

from ..postgresql.base import (
    DatabaseOperations,
    PostgreSQLConnection,
    PostgreSQLOperations,
    PostgreSQLSchemaEditor,
)
from ..postgresql.introspection import ReferenceIntrospection


class PostGISOperations(PostgreSQLOperations, operations.PostGISOperations):
    """Django's operations, with our compilers."""


class PostGISSchemaEditor(PostgreSQLSchemaEditor, schema.PostGISSchemaEditor):
    """Django's schema editor, by the system, with indexes led by the tenant."""


class PostGISIntrospection(ReferenceIntrospection, introspection.PostGISIntrospection):
    """Django's introspection, which sees references with the tenant."""


class DatabaseWrapper(PostgreSQLConnection, base.DatabaseWrapper):
    """Django's connection, with the session protocol."""

    introspection_class = PostGISIntrospection
    ops_class = PostGISOperations
    SchemaEditorClass = PostGISSchemaEditor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.ops, PostGISOperations):  # connected to no database in particular
            self.ops = DatabaseOperations(self)
