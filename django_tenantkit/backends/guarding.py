"""Policies, as PostgreSQL's schema editor makes them for tenant tables: see `policies.py`.

A `TenantPolicy` among the constraints of a model becomes row-level security and a trigger right after CREATE
TABLE, or when it is added. The automatic through tables of many-to-many fields stand in no migration: theirs
are made with the table, and again when a policy of either end is added.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from ..conf import conf
from ..keys import automatic_throughs
from ..policies import TenantPolicy, policy_of, prepare
from ..sql import own_tables
from ..sql import policies as sql
from .referencing import ReferencingSchemaEditor

Model = type[models.Model]


class GuardingSchemaEditor(ReferencingSchemaEditor):
    """Mixin for `DatabaseSchemaEditor` of any PostgreSQL backend, in front of `TenantSchemaEditor`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_prepared = False
        self._made: set[str] = set()

    def create_model(self, model: Model) -> None:
        """Make a table, and guard it before anything is in it."""
        super().create_model(model)  # type: ignore[misc]
        self._made.add(model._meta.db_table)
        if (policy := policy_of(model)) is not None:
            # Where a column has a default in the database, Django has put the constraints off.
            text = policy.create_sql(model, self)
            self.deferred_sql = [statement for statement in self.deferred_sql if statement != text]
            self._guard(model, policy)

    def add_constraint(self, model: Model, constraint: Any) -> None:
        """Add a constraint. With a policy comes all that the table lacks: its key and its references too."""
        if not isinstance(constraint, TenantPolicy):
            super().add_constraint(model, constraint)  # type: ignore[misc]
            return
        if model._meta.db_table not in self._made or constraint.shares_rows_of_nobody:
            self._bind(model)
        self._unguard(model)  # it may have been left shut
        self._guard(model, constraint)
        for through in automatic_throughs(model):
            if through._meta.db_table not in self._made:
                self._guard_again(through)

    def remove_constraint(self, model: Model, constraint: Any) -> None:
        """Remove a constraint. The key and the references of the table stay as long as the tenant's column, and
        without its policy the table is shut: nobody but its owner sees rows until another one is added."""
        if not isinstance(constraint, TenantPolicy):
            super().remove_constraint(model, constraint)  # type: ignore[misc]
            return
        for statement in sql.shut(self.quote_name(model._meta.db_table)):
            self.execute(statement, params=None)

    def remove_field(self, model: Model, field: Any) -> None:
        """Remove a column. With the tenant's the table is one of all tenants."""
        if getattr(field, "names_the_tenant", False):
            self.open_table(model)
        super().remove_field(model, field)

    def open_table(self, model: Model) -> None:
        """Leave a table without any guard, as one that all tenants share."""
        for statement in sql.disable(self.quote_name(model._meta.db_table)):
            self.execute(statement, params=None)

    def _lower(self, model: Model, field: Any) -> None:
        """PostgreSQL alters no column that a policy or a trigger names."""
        super()._lower(model, field)
        if self._is_named(model, field):
            self._unguard(model)
        elif _is_our_own(model):
            for statement in own_tables.lower(self.quote_name(model._meta.db_table)):
                self._run(statement)  # `migrate` makes it again, see lifecycle/guard.py

    def _raise(self, model: Model, field: Any) -> None:
        super()._raise(model, field)
        if self._is_named(model, field):
            self._guard_again(model)

    def _is_named(self, model: Model, field: Any) -> bool:
        """Whether the policies or the triggers of a table name a column."""
        policy = policy_of(model)
        if policy is None:
            return False
        column = self.quote_name(field.column)
        return any(column in statement for statement in policy.creation(model, self.connection))

    def _guard_again(self, model: Model) -> None:
        if (policy := policy_of(model)) is not None:
            self._unguard(model)
            self._guard(model, policy)

    def _guard(self, model: Model, policy: TenantPolicy) -> None:
        if not self._is_prepared:
            self._is_prepared = True
            prepare(self.connection, self._run)
        for statement in policy.creation(model, self.connection):
            self._run(statement)

    def _unguard(self, model: Model) -> None:
        for statement in sql.remove(self.quote_name(model._meta.db_table)):
            self._run(statement)

    def _run(self, statement: str) -> None:
        self.execute(statement, params=None)


def _is_our_own(model: Model) -> bool:
    """Whether it is one of those in `sql/own_tables.py`: the tenants, their domains, members and jobs."""
    swapped = (conf.TENANT_MODEL.lower(), conf.DOMAIN_MODEL.lower())
    return model._meta.app_label == "django_tenantkit" or model._meta.label_lower in swapped
