"""PostgreSQL with tenant tables scoped, and with a session that says so to the database."""

from __future__ import annotations

from django.db.backends.postgresql import base, introspection, operations, schema

from ..guarding import GuardingSchemaEditor
from ..homing import HomingSchemaEditor
from ..mixins import TenantConnection, TenantOperations, TenantSchemaEditor
from .creation import SystemCreation
from .homes import HomesMixin
from .introspection import ReferenceIntrospection
from .logins import LoginsMixin
from .system import SystemOperations, SystemSchemaEditor
from .together import TogetherMixin


class PostgreSQLOperations(SystemOperations, TenantOperations):
    """Mixin for the `DatabaseOperations` of any backend for PostgreSQL."""

    compiler_module = "django_tenantkit.backends.postgresql.compiler"


class PostgreSQLSchemaEditor(SystemSchemaEditor, HomingSchemaEditor, GuardingSchemaEditor, TenantSchemaEditor):
    """Mixin for the `DatabaseSchemaEditor` of any backend for PostgreSQL."""


class PostgreSQLConnection(HomesMixin, TogetherMixin, LoginsMixin, TenantConnection):
    """Mixin for the `DatabaseWrapper` of any backend for PostgreSQL."""

    creation_class = SystemCreation


class DatabaseOperations(PostgreSQLOperations, operations.DatabaseOperations):
    """Django's operations, with our compilers."""


class DatabaseSchemaEditor(PostgreSQLSchemaEditor, schema.DatabaseSchemaEditor):
    """Django's schema editor, by the system, with indexes led by the tenant."""


class DatabaseIntrospection(ReferenceIntrospection, introspection.DatabaseIntrospection):
    """Django's introspection, which sees references with the tenant."""


class DatabaseWrapper(PostgreSQLConnection, base.DatabaseWrapper):
    """Django's connection, with the session protocol."""

    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
