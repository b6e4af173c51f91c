"""SQLite with tenant tables scoped."""

from __future__ import annotations

from django.db.backends.sqlite3 import base, operations, schema

from ..mixins import TenantConnection, TenantOperations, TenantSchemaEditor


class DatabaseOperations(TenantOperations, operations.DatabaseOperations):
    """Django's operations, with our compilers."""

    compiler_module = "django_tenantkit.backends.sqlite3.compiler"


class DatabaseSchemaEditor(TenantSchemaEditor, schema.DatabaseSchemaEditor):
    """Django's schema editor, with indexes led by the tenant."""


class DatabaseWrapper(TenantConnection, base.DatabaseWrapper):
    """Django's connection, with our operations and schema editor."""

    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
