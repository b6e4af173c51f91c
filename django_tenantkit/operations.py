"""Migration operations for tables that have rows already.

`makemigrations` adds the tenant's column and asks for one tenant that all existing rows are to belong to. Where
they belong to several, and where the model has many-to-many fields, write `MakeTenantModel` in place of what it
wrote. `MakeSharedModel` is the way back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import NotSupportedError, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.sql import Query

from .context import unscoped
from .exceptions import TenantkitError
from .fields import TenantField, TenantScoped
from .keys import automatic_throughs, bound_field, constraint_name
from .policies import NAME, TenantPolicy, policy_of
from .registry import tenant_field
from .sql import filling

#: How many rows get their tenant in one statement, outside of a transaction.
BATCH = 10_000

#: An expression in SQL, and its parameters.
Value = tuple[str, list[Any]]
Model = type[models.Model]


class _Stages(NamedTuple):
    """The state of the project before, with a tenant that may be empty, with one that may not, and guarded."""

    shared: ProjectState
    empty: ProjectState
    filled: ProjectState
    guarded: ProjectState


class MakeTenantModel(Operation):
    """Make a shared model a tenant model, with its rows. The column is added, filled and made NOT NULL, then come
    key, references and policy; the same for the automatic through tables of its many-to-many fields.

        MakeTenantModel("Line", fill="order")                 # the tenant of the order
        MakeTenantModel("Remark", fill="line__order")
        MakeTenantModel("Region", fill=Value(1))              # an expression
        MakeTenantModel("Region", fill=by_country)            # by_country(apps, schema_editor), as for RunPython

    `field` and `policy` are those of the model where it declares its own; a child in multi-table inheritance has
    `field_name="child_tenant", field=TenantField(db_column="tenant_id"), fill="parent_ptr"`. A reference to the
    tenant that is there already stays, if it has the name `field_name`: rename it first. With `concurrently=True`,
    in a migration with `atomic = False`, rows are filled in batches and the key is built while the table is in use.

    Raises `TenantkitError` where rows are left without a tenant, and changes nothing then (outside of a
    transaction what was done stays so, and the operation goes on with it when it is run again).
    """

    reversible = True
    reduces_to_sql = True

    def __init__(
        self,
        name: str,
        fill: str | models.expressions.BaseExpression | Callable[[Any, Any], None] | None = None,
        *,
        field_name: str = "tenant",
        field: TenantField | None = None,
        policy: TenantPolicy | None = None,
        concurrently: bool = False,
    ) -> None:
        self.name = name
        self.fill = fill
        self.field_name = field_name
        self.field = field
        self.policy = policy
        self.concurrently = concurrently

    def describe(self) -> str:
        return f"Make {self.name} a tenant model"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.name.lower()}_of_tenants"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The field, the policy, and the mark of tenant models."""
        key = app_label, self.name.lower()
        policy = (self.policy or TenantPolicy(name=NAME)).clone()
        policy.name %= {"app_label": app_label.lower(), "class": self.name.lower()}
        found = state.models[key]
        found.fields = {**found.fields, self.field_name: self.field or TenantField()}
        found.options = {**found.options, "constraints": [*found.options["constraints"], policy]}
        if models.Model in found.bases:
            found.bases = (TenantScoped, *found.bases)
        state.reload_model(*key)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Add, fill, close, guard."""
        self._make(schema_editor, self._stages(app_label, from_state, to_state), app_label)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Take the guard away, and the column, unless it was there before."""
        self._unmake(schema_editor, self._stages(app_label, to_state, from_state), app_label)

    def _stages(self, app_label: str, shared: ProjectState, guarded: ProjectState) -> _Stages:
        key = app_label, self.name.lower()
        filled, empty = guarded.clone(), guarded.clone()
        for state in (filled, empty):
            options = state.models[key].options
            others = [one for one in options["constraints"] if not isinstance(one, TenantPolicy)]
            state.models[key].options = {**options, "constraints": others}
        before = shared.models[key].fields.get(self.field_name)
        if before is None or before.null:
            fields = empty.models[key].fields
            empty.models[key].fields = {**fields, self.field_name: _nullable(fields[self.field_name].clone())}
        for state in (filled, empty):
            state.reload_model(*key)
        return _Stages(shared, empty, filled, guarded)

    def _make(self, editor: Any, stages: _Stages, app_label: str) -> None:
        shared, empty, filled, guarded = (stage.apps.get_model(app_label, self.name) for stage in stages)
        if not self.allow_migrate_model(editor.connection.alias, guarded):
            return
        if self.concurrently and editor.atomic_migration:
            raise NotSupportedError(
                f"{self.describe()}: concurrently=True cannot run in a transaction. Set atomic = False in the "
                "migration."
            )
        throughs = _throughs(shared, filled)
        editor.throughs_follow = True
        for before, after in throughs:
            self._add_field(editor, before, _nullable(tenant_field(after)))
        self._change_column(editor, shared, empty)
        editor.throughs_follow = False
        self._fill(editor, stages.empty.apps, empty)
        if bound_field(filled) is not None:
            _refuse_nobodys(editor, filled, self.describe())
        for _, through in throughs:
            self._give_tenant(editor, through, _tenant_of_end(editor, through, filled))
            _refuse_nobodys(editor, through, self.describe())
        _settle(editor)
        with self._gently(editor, filled, *(through for _, through in throughs)):
            self._change_column(editor, empty, filled)
            for _, through in throughs:
                field = tenant_field(through)
                editor.alter_field(through, _nullable(field), field)
        editor.add_constraint(guarded, policy_of(guarded))  # and those of the through tables

    def _unmake(self, editor: Any, stages: _Stages, app_label: str) -> None:
        shared, empty, filled, guarded = (stage.apps.get_model(app_label, self.name) for stage in stages)
        if not self.allow_migrate_model(editor.connection.alias, guarded):
            return
        editor.remove_constraint(guarded, policy_of(guarded))
        if editor.connection.vendor == "postgresql" and _field(shared, self.field_name) is not None:
            editor.open_table(guarded)  # the column stays; otherwise the table is opened when it goes
        for _, through in _throughs(shared, filled):
            editor.remove_constraint(through, policy_of(through))
            editor.remove_field(through, tenant_field(through))
        self._change_column(editor, filled, empty)
        self._change_column(editor, empty, shared)

    def _change_column(self, editor: Any, before: Model, after: Model) -> None:
        """Add, alter or remove the column, whatever leads from one stage to the next."""
        old, new = (_field(model, self.field_name) for model in (before, after))
        if old is None:
            self._add_field(editor, before, new)
        elif new is None:
            editor.remove_field(before, old)
        else:
            editor.alter_field(before, old, new)

    def _add_field(self, editor: Any, model: Model, field: Any) -> None:
        """Add a column, unless an attempt that failed outside of a transaction has done so."""
        if self.concurrently and not editor.collect_sql and editor.connection.vendor == "postgresql":
            with editor.connection.cursor() as cursor:
                found = editor.connection.introspection.get_table_description(cursor, model._meta.db_table)
            if field.column in {column.name for column in found}:
                editor.move_table(model, field)
                return
        editor.add_field(model, field)

    def _fill(self, editor: Any, apps: Any, model: Model) -> None:
        with unscoped(reason=f"migration: {self.describe()}"):
            if isinstance(self.fill, str):
                self._give_tenant(editor, model, _tenant_at(editor, model, self.fill))
            elif callable(self.fill):
                self.fill(apps, editor)
            elif self.fill is not None:
                self._give_tenant(editor, model, _expression(editor, model, self.fill))

    def _give_tenant(self, editor: Any, model: Model, value: Value) -> None:
        quote = editor.quote_name
        table, column = quote(model._meta.db_table), quote(tenant_field(model).column)
        text, params = value
        if not self.concurrently or editor.connection.vendor != "postgresql":
            editor.execute(filling.fill(table, column, text), params)
            return
        with editor.connection.cursor() as cursor:
            while True:
                cursor.execute(filling.fill_some(table, column, text, BATCH), [*params, *params])
                if not cursor.rowcount:
                    return

    def _drop_half_made(self, editor: Any, table: str) -> None:
        with editor.connection.cursor() as cursor:
            cursor.execute(filling.HALF_MADE, [table])
            found = [name for (name,) in cursor.fetchall()]
        for name in found:
            editor.execute(f"DROP INDEX CONCURRENTLY {name}", params=None)

    @contextmanager
    def _gently(self, editor: Any, *closing: Model) -> Iterator[None]:
        """Build keys concurrently, and let nobody wait while the tables are read for empty tenants."""
        if not self.concurrently or editor.connection.vendor != "postgresql":
            yield
            return
        quote = editor.quote_name
        for model in closing:
            self._drop_half_made(editor, quote(model._meta.db_table))
        promises = [
            (quote(model._meta.db_table), quote(constraint_name(model._meta.db_table, [], "_tenant_filled")), field)
            for model in closing
            if (field := bound_field(model)) is not None
        ]
        for table, name, field in promises:
            for statement in filling.promise_not_null(table, name, quote(field.column)):
                editor.execute(statement, params=None)
        editor.builds_concurrently = True
        try:
            yield
        finally:
            editor.builds_concurrently = False
        for table, name, _ in promises:
            editor.execute(filling.drop_promise(table, name), params=None)


class MakeSharedModel(MakeTenantModel):
    """Make a tenant model a shared one: policy, references, key and column go, those of its automatic through
    tables too. `fill` is for the way back, as in `MakeTenantModel`."""

    def describe(self) -> str:
        return f"Make {self.name} a shared model"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.name.lower()}_shared"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model without the field, the policy and the mark."""
        key = app_label, self.name.lower()
        found = state.models[key]
        found.fields = {name: field for name, field in found.fields.items() if name != self.field_name}
        others = [one for one in found.options["constraints"] if not isinstance(one, TenantPolicy)]
        found.options = {**found.options, "constraints": others}
        found.bases = tuple(base for base in found.bases if base is not TenantScoped)
        state.reload_model(*key)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Take the guard away, and the column."""
        self._unmake(schema_editor, self._stages(app_label, to_state, from_state), app_label)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Add, fill, close, guard."""
        self._make(schema_editor, self._stages(app_label, from_state, to_state), app_label)


def _field(model: Model, name: str) -> Any:
    return next((field for field in model._meta.local_fields if field.name == name), None)


def _nullable(field: Any) -> Any:
    """The same field, as it is while rows have no tenant yet."""
    nullable = copy.copy(field)
    nullable.null = True
    return nullable


def _throughs(shared: Model, tenant: Model) -> list[tuple[Model, Model]]:
    """The automatic through tables that get a tenant with the model, as they are before and after."""
    before = {through._meta.db_table: through for through in automatic_throughs(shared)}
    return [
        (before[through._meta.db_table], through)
        for through in automatic_throughs(tenant)
        if tenant_field(through) is not None and tenant_field(before[through._meta.db_table]) is None
    ]


def _tenant_of_end(editor: Any, through: Model, model: Model) -> Value:
    """The tenant of the row of `model` that a row of the through table has at one of its ends."""
    end = next(field for field in through._meta.local_fields if field.remote_field and field.related_model is model)
    return _tenant_at(editor, through, end.name)


def _tenant_at(editor: Any, model: Model, path: str) -> Value:
    """The tenant at the end of references: `order`, or `line__order`."""
    quote, table, hops = editor.quote_name, model._meta.db_table, []
    for name in path.split("__"):
        field: Any = model._meta.get_field(name)
        model = field.target_field.model
        hops.append(filling.Hop(quote(field.column), quote(model._meta.db_table), quote(field.target_field.column)))
    tenant = tenant_field(model)
    if tenant is None:
        raise TenantkitError(
            f"{model._meta.label}, where {path!r} leads, has no tenant. Name a reference to a row that has one, and "
            f"make {model._meta.object_name} a tenant model before."
        )
    return filling.tenant_at(quote(table), hops, quote(tenant.column)), []


def _expression(editor: Any, model: Model, expression: Any) -> Value:
    query = Query(model)
    text, params = query.get_compiler(connection=editor.connection).compile(
        expression.resolve_expression(query, allow_joins=False)
    )
    return f"({text})", list(params)


def _refuse_nobodys(editor: Any, model: Model, what: str) -> None:
    if editor.collect_sql:
        return
    quote = editor.quote_name
    with editor.connection.cursor() as cursor:
        cursor.execute(filling.count_nobodys(quote(model._meta.db_table), quote(tenant_field(model).column)))
        (count,) = cursor.fetchone()
    if count:
        raise TenantkitError(
            f"{what}: {count} rows of {model._meta.db_table} have no tenant. Let `fill` give them one, or delete them "
            "before."
        )


def _settle(editor: Any) -> None:
    if editor.connection.vendor == "postgresql" and editor.atomic_migration:
        editor.execute(filling.SETTLE, params=None)
