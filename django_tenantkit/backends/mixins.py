"""What any Django database backend takes to scope tenant tables: see `backends/sqlite3/base.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models
from django.db.models.constants import OnConflict

from ..constraints import TenantUniqueConstraint
from ..context import carry_tenant
from ..registry import table_map, tenant_field
from .compiler import taken_elsewhere


class TenantOperations:
    """Mixin for `DatabaseOperations`. Set `compiler_module` to a module with the five compilers."""

    #: Checked when a connection is opened: another engine would not scope anything.
    scopes_tenants = True

    def on_conflict_suffix_sql(
        self,
        fields: Iterable[Any],
        on_conflict: Any,
        update_fields: Iterable[str],
        unique_fields: Iterable[str],
    ) -> str:
        """An upsert that meets another tenant's row leaves it alone; one by the fields of a
        `TenantUniqueConstraint` means the tenant's column too."""
        fields, unique = list(fields), list(unique_fields)
        model = fields[0].model if fields and fields[0] is not None else None
        field = None if model is None else table_map(model._meta.apps).tenant_fields.get(model._meta.db_table)
        if field is not None and _unique_within_tenant(model, unique):
            unique = [field.column, *unique]
        sql: str = super().on_conflict_suffix_sql(  # type: ignore[misc]
            fields, on_conflict, update_fields, unique
        )
        if on_conflict != OnConflict.UPDATE or model is None or field is None:
            return sql
        quote: Callable[[str], str] = self.quote_name  # type: ignore[attr-defined]
        table, column = quote(model._meta.db_table), quote(field.column)
        return f"{sql} WHERE {table}.{column} = EXCLUDED.{column}"

    def fetch_returned_insert_columns(self, cursor: Any, returning_params: Any) -> Any:
        """The columns of one inserted row. There is none when an upsert met another tenant's."""
        row = super().fetch_returned_insert_columns(cursor, returning_params)  # type: ignore[misc]
        if row is None:
            raise taken_elsewhere(1)
        return row


class Callback:
    """An `on_commit` callback bound to the tenant in which it was registered. Equal to the callback
    itself, as tests and libraries look for it."""

    def __init__(self, func: Callable[[], object]) -> None:
        self.func = func
        self._run = carry_tenant(_plain(func))

    def __call__(self) -> object:
        return self._run()

    def __eq__(self, other: object) -> bool:
        return self.func == (other.func if isinstance(other, Callback) else other)

    def __hash__(self) -> int:
        return hash(self.func)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.func, name)


def _plain(func: Callable[[], object]) -> Callable[[], object]:
    def call() -> object:
        return func()

    return call


class TenantConnection:
    """Mixin for `DatabaseWrapper`."""

    def on_commit(self, func: Any, robust: bool = False) -> None:
        """Run `func` after the transaction, in the tenant that is current now."""
        super().on_commit(Callback(func) if callable(func) else func, robust)  # type: ignore[misc]


class TenantSchemaEditor:
    """Mixin for `DatabaseSchemaEditor`: the automatic index of a foreign key in a tenant table is made
    (tenant, column), as every query has the tenant in front."""

    def _create_index_sql(self, model: type[models.Model], *, fields: Any = None, **kwargs: Any) -> Any:
        automatic = fields and len(fields) == 1 and not kwargs.get("name") and not kwargs.get("opclasses")
        if automatic and (leader := _index_leader(model, fields[0])) is not None:
            fields = [leader, *fields]
        return super()._create_index_sql(model, fields=fields, **kwargs)  # type: ignore[misc]

    def _constraint_names(
        self, model: type[models.Model], column_names: Iterable[str] | None = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        names = super()._constraint_names  # type: ignore[misc]
        columns = list(column_names) if column_names is not None else None
        if columns is not None and len(columns) == 1 and kwargs.get("index"):
            field = next((f for f in model._meta.local_fields if f.column == columns[0]), None)
            leader = _index_leader(model, field) if field is not None else None
            if leader is not None:
                found: list[str] = names(model, [leader.column, *columns], *args, **kwargs)
                return found + names(model, columns, *args, **kwargs)  # type: ignore[no-any-return]
        return names(model, columns, *args, **kwargs)  # type: ignore[no-any-return]


def _unique_within_tenant(model: Any, columns: list[str]) -> bool:
    """Whether a `TenantUniqueConstraint` of `model` is on exactly these columns, beside the tenant's."""
    return any(
        {model._meta.get_field(name).column for name in constraint.fields} == set(columns)
        for constraint in model._meta.constraints
        if isinstance(constraint, TenantUniqueConstraint) and constraint.fields
    )


def _index_leader(model: type[models.Model], field: Any) -> Any:
    """The tenant field that leads the index of `field`, or None where the index stays plain."""
    leader = tenant_field(model)
    if leader is None or leader == field or not field.is_relation:
        return None
    return leader
