"""The five compilers of SQLite with the tenant condition."""

from __future__ import annotations

from django.db.models.sql import compiler

from ..compiler import TenantCompiler, TenantDeleteCompiler, TenantInsertCompiler, TenantUpdateCompiler


class SQLCompiler(TenantCompiler, compiler.SQLCompiler):
    """SELECT."""


class SQLAggregateCompiler(TenantCompiler, compiler.SQLAggregateCompiler):
    """SELECT of an aggregate over a subquery."""


class SQLInsertCompiler(TenantInsertCompiler, compiler.SQLInsertCompiler):
    """INSERT."""


class SQLUpdateCompiler(TenantUpdateCompiler, compiler.SQLUpdateCompiler):
    """UPDATE."""


class SQLDeleteCompiler(TenantDeleteCompiler, compiler.SQLDeleteCompiler):
    """DELETE."""
