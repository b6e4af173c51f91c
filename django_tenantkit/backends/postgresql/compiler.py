"""The five compilers of PostgreSQL with the tenant condition."""

from __future__ import annotations

from django.db.backends.postgresql import compiler

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
