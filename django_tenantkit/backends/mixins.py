"""What any Django database backend takes to scope tenant tables: see `backends/sqlite3/base.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models
from django.db.models.constants import OnConflict

from ..constraints import TenantUniqueConstraint
from ..context import carry_tenant
from ..exceptions import TenantkitError
from ..keys import automatic_throughs
from ..policies import TenantPolicy
from ..references import check_deletion, check_lives_here
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
        if on_conflict != OnConflict.UPDATE:
            plain: str = super().on_conflict_suffix_sql(  # type: ignore[misc]
                fields, on_conflict, update_fields, unique_fields
            )
            return plain
        fields, unique = list(fields), list(unique_fields)
        model = fields[0].model if fields and fields[0] is not None else None
        field = None if model is None else table_map(model._meta.apps).tenant_fields.get(model._meta.db_table)
        if field is not None and _unique_within_tenant(model, unique):
            unique = [field.column, *unique]
        sql: str = super().on_conflict_suffix_sql(  # type: ignore[misc]
            fields, on_conflict, update_fields, unique
        )
        if model is None or field is None:
            return sql
        quote: Callable[[str], str] = self.quote_name  # type: ignore[attr-defined]
        table, column = quote(model._meta.db_table), quote(field.column)
        same = f"{table}.{column} = EXCLUDED.{column}"
        if field.shares_rows_of_nobody:
            same = f"({same} OR {table}.{column} IS NULL AND EXCLUDED.{column} IS NULL)"
        return f"{sql} WHERE {same}"

    def bulk_batch_size(self, fields: Any, objs: Any) -> int:
        """How many of `objs` go into one statement. Django also asks this before it looks for rows that
        refer to objects about to be deleted: a shared one is refused here, before that question."""
        if objs and _are_about_to_be_deleted(objs[0], fields):
            for model in (type(objs[0]), *(field.remote_field.model for field in fields)):
                check_deletion(model)
        if objs and all(isinstance(obj, models.Model) for obj in objs):  # as bulk_update() asks
            check_lives_here(objs)
        size: int = super().bulk_batch_size(fields, objs)  # type: ignore[misc]
        return size

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

    #: The connections of a thread among which are those of tenants' databases, see `postgresql/together.py`.
    group: Any = None

    def on_commit(self, func: Any, robust: bool = False) -> None:
        """Run `func` after the transaction, in the tenant that is current now."""
        super().on_commit(Callback(func) if callable(func) else func, robust)  # type: ignore[misc]


class TenantSchemaEditor:
    """Mixin for `DatabaseSchemaEditor`: the automatic index of a foreign key in a tenant table is made
    (tenant, column), as every query has the tenant in front. Policies are nothing here, see `guarding.py`."""

    #: Set by the operation that gives a model's automatic through tables their tenant.
    throughs_follow = False

    def add_field(self, model: type[models.Model], field: Any) -> None:
        """Add a column. The tenant's alone would leave the rows of many-to-many fields without one."""
        self._refuse_without_throughs(model, field)
        super().add_field(model, field)  # type: ignore[misc]

    def alter_field(self, model: type[models.Model], old_field: Any, new_field: Any, strict: bool = False) -> None:
        """Alter a column, with the same exception."""
        if not getattr(old_field, "names_the_tenant", False):
            self._refuse_without_throughs(model, new_field)
        super().alter_field(model, old_field, new_field, strict)  # type: ignore[misc]

    def _refuse_without_throughs(self, model: type[models.Model], field: Any) -> None:
        if self.throughs_follow or not getattr(field, "names_the_tenant", False):
            return
        lacking = [through._meta.db_table for through in automatic_throughs(model) if tenant_field(through) is None]
        if lacking:
            raise TenantkitError(
                f"{', '.join(lacking)} would have no tenant, though {model._meta.label} gets one. In the migration "
                f"write django_tenantkit.operations.MakeTenantModel({model._meta.object_name!r}, fill=...) in place of "
                f"what adds or alters {field.name!r}, and of the constraint {model._meta.model_name}_tenant_policy."
            )

    def add_constraint(self, model: type[models.Model], constraint: Any) -> None:
        """Add a constraint; SQLite would make the table anew for a policy, which it does not have."""
        if not isinstance(constraint, TenantPolicy):
            super().add_constraint(model, constraint)  # type: ignore[misc]

    def remove_constraint(self, model: type[models.Model], constraint: Any) -> None:
        """Remove a constraint, unless it is a policy."""
        if not isinstance(constraint, TenantPolicy):
            super().remove_constraint(model, constraint)  # type: ignore[misc]

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


def _are_about_to_be_deleted(obj: Any, fields: list[Any]) -> bool:
    """Whether `fields` are what refers to `obj`, a saved object. `bulk_create()` and `bulk_update()` ask with
    the object's own columns, which contain the primary key if it has one; `in_bulk()` asks with keys."""
    if not isinstance(obj, models.Model) or obj.pk is None or obj._meta.pk in fields:
        return False
    targets = [getattr(getattr(field, "remote_field", None), "model", None) for field in fields]
    return all(target and isinstance(obj, target._meta.concrete_model) for target in targets)


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
