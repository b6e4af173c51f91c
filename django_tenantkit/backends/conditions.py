"""What the compilers put into a statement: the tenant's condition, and what stands for a tenant where there is
none."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FullResultSet

from ..exceptions import NoCurrentTenant


class NoTenantMarker:
    """Stands for the tenant in a statement compiled with none. No driver can send it."""

    __slots__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label

    def __repr__(self) -> str:
        return "<no current tenant>"

    def refusal(self) -> NoCurrentTenant:
        """The error for trying to execute the statement."""
        return NoCurrentTenant(
            f"{self.label} belongs to tenants and there is no current tenant. Enter one with "
            '`tenant_context(tenant)`; for work on all tenants say `unscoped(reason="...")`.'
        )


class ScopedWhere:
    """A WHERE with the tenant's conditions in front. Compiled in place of the query's own."""

    contains_aggregate = False
    contains_over_clause = False

    def __init__(self, sql: str, params: list[Any], where: Any) -> None:
        self.sql = sql
        self.params = params
        self.where = where

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """SQL and parameters; `EmptyResultSet` of the query's own WHERE goes through."""
        if self.where is None:
            return self.sql, self.params
        try:
            sql, params = compiler.compile(self.where)
        except FullResultSet:
            return self.sql, self.params
        return f"{self.sql} AND ({sql})", [*self.params, *params]
