"""The tenant condition, added where SQL is compiled. What a query sees is decided here.

Mixins for Django's five SQL compilers; every private name of them that is used stands in this module
(and in `tests/test_django_internals.py`, which fails loudly when one changes). A backend takes them in
a module of its own, see `backends/postgresql/compiler.py`.

With no tenant a marker stands in the tenant's place: `str(queryset.query)` works, execution refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models.constants import OnConflict
from django.db.models.sql import Query
from django.db.models.sql.datastructures import Join
from django.utils.functional import cached_property

from ..context import Scope, current_scope, describe
from ..exceptions import CrossTenantReference, NoCurrentTenant, TenantImmutable, TenantkitError
from ..isolation.copying import bring_for_insert, bring_for_update
from ..references import belongs_elsewhere, check_deletion, check_references, tenant_field_to_load, tenant_key
from ..registry import TableMap, own_field, table_map
from .conditions import NoTenantMarker, ScopedWhere
from .reach import check_insert, check_select, check_unscoped, check_write

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler as _Compiler
else:
    _Compiler = object


#: The tenant that rows for all tenants have.
NOBODY = object()


class TenantCompiler(_Compiler):
    """Mixin for `SQLCompiler` and `SQLAggregateCompiler`, and the base of the other three."""

    query: Any
    connection: Any
    using: Any
    where: Any
    executes = False

    @cached_property
    def tables(self) -> TableMap:
        """Which tables of this query's models belong to tenants."""
        return table_map(self.query.model._meta.apps)

    def tenant_value(self, field: models.Field[Any, Any], scope: Scope) -> Any:
        """The parameter for the current tenant: its key, or a marker."""
        if scope.guard is not None:
            scope.guard()
        if scope.key is None:
            return NoTenantMarker(field.model._meta.label)
        if type(scope.key) is int:
            return scope.key
        return field.get_db_prep_value(scope.key, self.connection)

    def tenant_condition(self, alias: str, field: Any, reads: bool = False) -> str:
        """`alias.tenant_id = %s`, quoted; for reading also the rows of no tenant, where they are shared."""
        column = self.connection.ops.quote_name(field.column)
        condition = f"{self.quote_name_unless_alias(alias)}.{column} = %s"
        if reads and field.shares_rows_of_nobody:
            return f"({condition} OR {condition.replace('= %s', 'IS NULL')})"
        return condition

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        """Execute, refusing tenant tables with no tenant."""
        self.executes = True
        result: Any = super().execute_sql(*args, **kwargs)
        if self.connection.group is not None and self.connection.group.writes:
            self.connection.group.wrote(self.connection)
        return result

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """The statement. When it is about to be executed with no tenant, no marker may be in it."""
        if not self.executes:
            return super().as_sql(*args, **kwargs)
        scope = current_scope()
        if scope.key is not None or scope.reason is not None:
            return super().as_sql(*args, **kwargs)
        try:
            compiled: Any = super().as_sql(*args, **kwargs)
        except EmptyResultSet:
            self._refuse_unless_none()
            raise
        for _, params in compiled if isinstance(compiled, list) else [compiled]:
            for param in params:
                if type(param) is NoTenantMarker:
                    raise param.refusal()
        return compiled

    def _refuse_unless_none(self) -> None:
        """A filter that can match nothing is refused like any other; `.none()` is not a question."""
        model = self.query.model
        inner = getattr(self.query, "inner_query", self.query)
        if model is None or inner.is_empty():
            return
        field = self.tables.tenant_fields.get(model._meta.db_table)
        if field is not None:
            raise NoTenantMarker(field.model._meta.label).refusal()

    def get_from_clause(self) -> Any:
        """FROM, with the tenant's condition in the ON of each joined tenant table, and in `self.where`,
        which is compiled next, for the base table. Otherwise Django's own, line by line."""
        query = self.query
        scope = current_scope()
        check_select(self, scope)
        if query.model is None or scope.reason is not None:
            return super().get_from_clause()
        fields = self.tables.tenant_fields
        result: list[str] = []
        params: list[Any] = []
        conditions: list[str] = []
        values: list[Any] = []
        value: Any = None
        for alias, clause in tuple(query.alias_map.items()):
            if not query.alias_refcount[alias]:
                continue
            clause_sql, clause_params = self.compile(clause)
            params.extend(clause_params)
            if (field := fields.get(clause.table_name)) is not None:
                condition = self.tenant_condition(alias, field, reads=True)
                if scope.key is None or value is None:
                    value = self.tenant_value(field, scope)
                if clause.parent_alias is None:
                    conditions.append(condition)
                    values.append(value)
                else:
                    clause_sql = _and_on(clause, clause_sql, condition)
                    params.append(value)
            result.append(clause_sql)
        for table in query.extra_tables:
            alias, _ = query.table_alias(table)
            if alias not in query.alias_map or query.alias_refcount[alias] == 1:
                result.append(f", {self.quote_name_unless_alias(alias)}")
                if (field := fields.get(table) or fields.get(_unquoted(table))) is not None:
                    conditions.append(self.tenant_condition(alias, field, reads=True))
                    values.append(self.tenant_value(field, scope))
        if conditions:
            self.where = ScopedWhere(" AND ".join(conditions), values, self.where)
        return result, params

    def get_default_columns(
        self, select_mask: Any, start_alias: Any = None, opts: Any = None, from_parent: Any = None
    ) -> Any:
        """The columns of objects. `only()` and `defer()` do not leave the tenant out: an object would be
        taken for a new one, and accepted by another tenant's objects."""
        query = self.query
        if select_mask and self.executes and not query.combinator and not query.where.contains_over_clause:
            meta = opts or query.get_meta()
            field = tenant_field_to_load(meta.model, select_mask, self.tables)
            if field is not None:
                select_mask = {**select_mask, field: {}}
        return super().get_default_columns(select_mask, start_alias, opts, from_parent)

    def finds(self, where: Any, *more: models.Q) -> bool:
        """Whether there are rows of the query's model with these conditions."""
        probe = Query(self.query.model)
        probe.get_initial_alias()
        probe.where = where.clone()
        for condition in more:
            probe.add_q(condition)
        return probe.has_results(using=self.using)

    def scoped_where(self, alias: str, table: str, where: Any) -> Any:
        """`where` with the tenant's condition on `table`, or as it is for a shared table and unscoped."""
        field = self.tables.tenant_fields.get(table)
        scope = current_scope()
        check_write(self.connection, table, self.query.get_meta().model)
        if field is None or scope.reason is not None:
            check_unscoped(self.connection, scope, [field])
            return where
        return ScopedWhere(self.tenant_condition(alias, field), [self.tenant_value(field, scope)], where)


def _unquoted(table: str) -> str:
    """The name of a table that `extra()` was given in quotes, or with a schema in front."""
    return table.replace('"', "").rpartition(".")[2]


def _and_on(clause: Any, sql: str, condition: str) -> str:
    """A JOIN with one more condition inside the parentheses of its ON."""
    if type(clause).as_sql is not Join.as_sql:
        raise TenantkitError(
            f"A join of class {type(clause).__name__} to the tenant table {clause.table_name} cannot be scoped. "
            "Use Django's own joins, or a subquery."
        )
    return f"{sql[:-1]} AND {condition})"


class TenantInsertCompiler(TenantCompiler):
    """Mixin for `SQLInsertCompiler`: fills in the tenant of new rows, or refuses."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """The statements, after each object got the current tenant."""
        meta = self.query.get_meta()
        field = self.tables.tenant_fields.get(meta.db_table)
        own = own_field(field, meta.model)
        check_insert(self.connection, meta.model, field, self.query.objs)
        if own is not None:
            self._fill_in(field, own.attname)
        bring_for_insert(self)
        return super().as_sql(*args, **kwargs)

    def _fill_in(self, field: Any, attname: str) -> None:
        scope = current_scope()
        if scope.guard is not None:
            scope.guard()
        key, objs = scope.key, self.query.objs
        meta = self.query.get_meta()
        if key is None and scope.reason is None:
            raise NoTenantMarker(meta.label).refusal()
        for obj in objs:
            state = obj.__dict__
            value = state[attname] if attname in state else getattr(obj, attname)
            if value is None:
                value = key if key is not None else _inherited_tenant(obj, field)
                if value is None and not field.shares_rows_of_nobody:
                    raise NoCurrentTenant(
                        f"A new {meta.label} must name its tenant while running {describe(scope)}: "
                        f"{meta.label}({field.name}=tenant, ...), or enter it with `tenant_context(tenant)`."
                    )
                setattr(obj, attname, value)
            elif key is not None and value != key:
                if tenant_key(field, value) != key:
                    raise CrossTenantReference(
                        f"This {meta.label} names another tenant than the current one, {describe(scope)}. "
                        f"Leave its tenant out, or enter that tenant with `tenant_context(...)`."
                    )
                setattr(obj, attname, key)
            elif key is None and _inherited_tenant(obj, field) not in (None, value):
                raise CrossTenantReference(f"This {meta.label} and its parent in inheritance name different tenants.")
            if key is None:
                check_references([obj], value, self.tables)
        if key is not None:
            check_references(objs, key, self.tables)

    def execute_sql(self, returning_fields: Any = None) -> Any:  # type: ignore[override]
        """Insert. An upsert that met a row of another tenant is an error, not a row that is missing."""
        query = self.query
        guarded = (
            query.on_conflict == OnConflict.UPDATE
            and query.get_meta().db_table in self.tables.tenant_fields
            and self.connection.features.can_return_rows_from_bulk_insert
        )
        if not guarded:
            return super().execute_sql(returning_fields)
        rows = super().execute_sql(returning_fields or [query.get_meta().pk])
        if len(rows) != len(query.objs):
            raise taken_elsewhere(len(query.objs) - len(rows))
        return rows if returning_fields else []


def _inherited_tenant(obj: models.Model, field: Any) -> Any:
    """What the parents of a child in multi-table inheritance have as their tenant."""
    for other in obj._meta.concrete_fields:
        is_tenant = other is not field and getattr(other, "names_the_tenant", False)
        if is_tenant and (value := getattr(obj, other.attname)) is not None:
            return value
    return None


class TenantUpdateCompiler(TenantCompiler):
    """Mixin for `SQLUpdateCompiler`: no row's tenant changes, no other tenant's row is referenced."""

    named_tenant: Any = None

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """The statement, after its values were checked."""
        query = self.query
        tenant = self.tables.tenant_fields.get(query.get_meta().db_table)
        bring_for_update(self)
        if tenant is None:
            return super().as_sql(*args, **kwargs)
        given = query.values
        query.values = self._checked(tenant, given)
        try:
            return super().as_sql(*args, **kwargs)
        finally:
            query.values = given

    def _checked(self, tenant: Any, given: list[Any]) -> list[Any]:
        """What is written: inside a tenant all but the tenant itself, which the rows found have already. Written
        once more it would fire triggers and have references checked. By itself it stays: something must be set."""
        scope = current_scope()
        values, named = [], []
        for item in given:
            field, model, value = item
            if field.column == tenant.column:
                named.append((field, model, self._checked_tenant(tenant, value, scope)))
            else:
                if isinstance(value, models.Model):
                    self._refuse_foreign(field, value, scope)
                values.append(item)
        return values if values and scope.key is not None else [*named, *values]

    def _refuse_foreign(self, field: Any, value: models.Model, scope: Scope) -> None:
        if scope.key is not None and belongs_elsewhere(value, scope.key):
            raise CrossTenantReference(
                f"{value._meta.label} given for {field} belongs to another tenant than the current one, "
                f"{describe(scope)}."
            )

    def _checked_tenant(self, field: Any, value: Any, scope: Scope) -> Any:
        label = field.model._meta.label
        if hasattr(value, "resolve_expression"):
            raise TenantImmutable(
                f"The tenant of {label} was given as an expression; a row's tenant never changes. Leave "
                f"{field.name} out of update() and bulk_update()."
            )
        key = value.pk if isinstance(value, models.Model) else value
        if scope.key is not None:
            if key is not None and key != scope.key and tenant_key(field, key) != scope.key:
                raise TenantImmutable(
                    f"This {label} belongs to another tenant than the current one, {describe(scope)}, and a row's "
                    "tenant never changes."
                )
            return scope.key
        if scope.reason is not None:
            if key is None and not field.shares_rows_of_nobody:
                raise TenantImmutable(f"{label} must name its tenant, {field.name}=...; a row's tenant never changes.")
            self.named_tenant = NOBODY if key is None else tenant_key(field, key)
        return key

    def pre_sql_setup(self) -> None:  # type: ignore[override]
        """Django's own, then the tenant's condition on the updated table."""
        super().pre_sql_setup()
        query = self.query
        self.found_where = query.where
        query.where = self.scoped_where(query.base_table, query.get_meta().db_table, query.where)
        if self.named_tenant is not None:
            field = self.tables.tenant_fields[query.get_meta().db_table]
            own = self.tenant_condition(query.base_table, field)
            nobodys = own.replace("= %s", "IS NULL")
            nobody = self.named_tenant is NOBODY
            values = [] if nobody else [field.get_db_prep_value(self.named_tenant, self.connection)]
            # In a migration that makes a shared model a tenant model, nobody's rows get their first tenant.
            either = f"({own} OR {nobodys})" if field.null and not field.shares_rows_of_nobody else own
            query.where = ScopedWhere(nobodys if nobody else either, values, query.where)

    def execute_sql(self, result_type: Any) -> Any:  # type: ignore[override]
        """Update. Unscoped code that names another tenant than the row's is told so."""
        count = super().execute_sql(result_type)
        if self.named_tenant is not None and not count and self.finds(self.found_where):
            raise TenantImmutable(
                f"A row of {self.query.get_meta().label} belongs to another tenant than the one given, and a row's "
                "tenant never changes."
            )
        return count


class TenantDeleteCompiler(TenantCompiler):
    """Mixin for `SQLDeleteCompiler`: own rows only; never a tenant, nor a shared row tenants refer to."""

    def _as_sql(self, query: Any) -> Any:
        meta = query.get_meta()
        check_deletion(meta.model)
        found = query.where
        self._refuse_rows_of_nobody(found)
        query.where = self.scoped_where(query.base_table, meta.db_table, found)
        try:
            return super()._as_sql(query)  # type: ignore[misc]
        finally:
            query.where = found

    def _refuse_rows_of_nobody(self, where: Any) -> None:
        """Django has deleted by now what refers to the rows it found, among them those that are everybody's."""
        field = self.tables.tenant_fields.get(self.query.get_meta().db_table)
        if field is None or not field.shares_rows_of_nobody or not self.executes or current_scope().key is None:
            return
        if self.finds(where, models.Q((f"{field.name}__isnull", True))):
            raise TenantImmutable(
                f"Among these {field.model._meta.label} are rows of all tenants, which none of them deletes. Leave "
                f"them out: filter({field.name}__isnull=False)."
            )


def taken_elsewhere(count: int) -> CrossTenantReference:
    """The error for `count` rows of an upsert that met rows of another tenant."""
    return CrossTenantReference(
        f"{count} of the rows could not be written: their unique values are taken outside this tenant. Nothing was "
        "changed."
    )
