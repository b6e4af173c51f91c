"""Which schema a table is made in, as PostgreSQL's schema editor decides it.

The main database: shared tables in `public`, tables of tenants in TENANTKIT_ROW_SCHEMA. The home of a schema
tenant (`connection.migrating` names it): the tables of tenants alone; what a migration does to shared tables was
done in the main database. References from a home to shared tables are no constraints there: each would be a trigger
on the shared table, for every tenant (docs/explanation/isolations.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from django.db import DatabaseError, models

from ..conf import conf
from ..registry import lives_at_home
from ..sql.homes import FIND_INDEX, move_table, set_path

Model = type[models.Model]


class HomingSchemaEditor:
    """Mixin for `DatabaseSchemaEditor` of any PostgreSQL backend, in front of the others."""

    connection: Any

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Run a statement. A database has an extension once, so it goes where every home finds it."""
        if isinstance(sql, str) and sql.lstrip()[:16].upper() == "CREATE EXTENSION":
            with self._looking_in("public", conf.ROW_SCHEMA):
                super().execute(sql, params)  # type: ignore[misc]
        else:
            super().execute(sql, params)  # type: ignore[misc]

    def create_model(self, model: Model) -> None:
        """Make a table where it belongs."""
        if self._is_elsewhere(model):
            for through in _automatic_throughs_at_home(model):
                self.create_model(through)
            return
        with self._schema_of(model), self._bound_at_home(model._meta.local_fields):
            super().create_model(model)  # type: ignore[misc]

    def delete_model(self, model: Model) -> None:
        """Delete a table."""
        if self._is_elsewhere(model):
            for through in _automatic_throughs_at_home(model):
                self.delete_model(through)
            return
        super().delete_model(model)  # type: ignore[misc]

    def add_field(self, model: Model, field: Any) -> None:
        """Add a column, or the table of a many-to-many field. With the tenant's a shared table becomes one of
        tenants: it moves to where those of row tenants are, and schema tenants get one of their own."""
        becomes = _decides_where(model, field)
        if becomes and self.connection.migrating:
            self.create_model(field.model)
        elif self._concerns(model, field):
            with self._bound_at_home([field]):
                super().add_field(model, field)  # type: ignore[misc]
        self.move_table(model, field)

    def move_table(self, model: Model, field: Any) -> None:
        """Move a shared table to where those of row tenants are, if it becomes one with `field` and is not there."""
        if _decides_where(model, field):
            self._move(model, "public", conf.ROW_SCHEMA)

    def remove_field(self, model: Model, field: Any) -> None:
        """Remove it."""
        becomes = _decides_where(model, field)
        if becomes and self.connection.migrating:
            self.delete_model(model)
        elif self._concerns(model, field):
            super().remove_field(model, field)  # type: ignore[misc]
        if becomes:
            self._move(model, conf.ROW_SCHEMA, "public")

    def alter_field(self, model: Model, old_field: Any, new_field: Any, strict: bool = False) -> None:
        """Alter a column. Where a shared one changes, so do those of homes that refer to it."""
        if self._concerns(model, new_field):
            with self._bound_at_home([old_field, new_field]):
                super().alter_field(model, old_field, new_field, strict)  # type: ignore[misc]
            return
        for old, new in _references_from_homes(old_field, new_field):
            self.alter_field(new.model, old, new)

    def add_index(self, model: Model, index: Any, concurrently: bool = False) -> None:
        """Add an index, if the table is here. Outside of transactions a killed process may have begun it: a whole
        one is kept, a half-made one goes first."""
        if self._is_elsewhere(model):
            return
        if self.connection.migrating and concurrently:
            with self.connection.cursor() as cursor:
                cursor.execute(FIND_INDEX, [self.connection.migrating, index.name])
                found = cursor.fetchone()
            if found is not None and found[0]:
                return
            if found is not None:
                self.remove_index(model, index, concurrently)
        super().add_index(model, index, concurrently)  # type: ignore[misc]

    def remove_index(self, model: Model, index: Any, concurrently: bool = False) -> None:
        """Remove an index, if the table is here."""
        if not self._is_elsewhere(model):
            super().remove_index(model, index, concurrently)  # type: ignore[misc]

    def rename_index(self, model: Model, *args: Any) -> None:
        """Rename an index, if the table is here."""
        if not self._is_elsewhere(model):
            super().rename_index(model, *args)  # type: ignore[misc]

    def add_constraint(self, model: Model, *args: Any) -> None:
        """Add a constraint, if the table is here."""
        if not self._is_elsewhere(model):
            super().add_constraint(model, *args)  # type: ignore[misc]

    def remove_constraint(self, model: Model, *args: Any) -> None:
        """Remove a constraint, if the table is here."""
        if not self._is_elsewhere(model):
            super().remove_constraint(model, *args)  # type: ignore[misc]

    def alter_unique_together(self, model: Model, *args: Any) -> None:
        """Change what is unique together, if the table is here."""
        if not self._is_elsewhere(model):
            super().alter_unique_together(model, *args)  # type: ignore[misc]

    def alter_db_table(self, model: Model, *args: Any) -> None:
        """Rename a table, if the table is here."""
        if not self._is_elsewhere(model):
            super().alter_db_table(model, *args)  # type: ignore[misc]

    def alter_db_table_comment(self, model: Model, *args: Any) -> None:
        """Change the comment of a table, if the table is here."""
        if not self._is_elsewhere(model):
            super().alter_db_table_comment(model, *args)  # type: ignore[misc]

    def alter_db_tablespace(self, model: Model, *args: Any) -> None:
        """Move a table to another tablespace, if the table is here."""
        if not self._is_elsewhere(model):
            super().alter_db_tablespace(model, *args)  # type: ignore[misc]

    def _make_reference(self, field: Any) -> None:
        """Make a foreign key what the models mean, unless it leads from a tenant's schema to a shared table."""
        if not self.connection.migrating or lives_at_home(field.remote_field.model):
            super()._make_reference(field)  # type: ignore[misc]

    def _is_elsewhere(self, model: Model) -> bool:
        return bool(self.connection.migrating) and not lives_at_home(model)

    def _concerns(self, model: Model, field: Any) -> bool:
        """Whether what happens to a field happens here: a shared model's many-to-many table may be at home."""
        if not self._is_elsewhere(model):
            return True
        through = field.remote_field.through if field.many_to_many else None
        return through is not None and through._meta.auto_created and lives_at_home(through)

    def _schema_of(self, model: Model) -> AbstractContextManager[None]:
        """Make tables in the schema of `model`: the first one in the path."""
        at_home = lives_at_home(model)
        return self._looking_in(*((conf.ROW_SCHEMA, "public") if at_home else ("public", conf.ROW_SCHEMA)))

    @contextmanager
    def _looking_in(self, *schemas: str | None) -> Iterator[None]:
        """With these in the path, unless all is in `public` or in a tenant's schema."""
        if not conf.ROW_SCHEMA or self.connection.migrating:
            yield
            return
        found = self.connection.path
        self._set_path(tuple(map(str, schemas)))
        try:
            yield
        except BaseException as error:
            if isinstance(error, DatabaseError) and self.connection.in_atomic_block:
                self.connection.path = found  # in the database the rollback does it, and nothing can be set until then
            else:
                self._set_path(found)
            raise
        self._set_path(found)

    def _move(self, model: Model, found: str | None, wanted: str | None) -> None:
        if conf.ROW_SCHEMA and not self.connection.migrating:
            self.execute(move_table(str(found), self.connection.ops.quote_name(model._meta.db_table), str(wanted)))

    def _set_path(self, schemas: tuple[str, ...]) -> None:
        if schemas != self.connection.path:
            self.execute(set_path(*schemas), params=None)
            self.connection.path = schemas

    @contextmanager
    def _bound_at_home(self, fields: Iterable[Any]) -> Iterator[None]:
        """In a tenant's schema, foreign keys to shared tables are no constraints."""
        with ExitStack() as stack:
            for field in fields if self.connection.migrating else ():
                if not isinstance(field, models.ForeignKey):
                    continue
                reference: Any = field
                if reference.db_constraint and not lives_at_home(reference.remote_field.model):
                    reference.db_constraint = False
                    stack.callback(setattr, reference, "db_constraint", True)
            yield


def _decides_where(model: Model, field: Any) -> bool:
    """Whether `field` is the tenant's, on which alone it depends that the model's table is one of tenants."""
    return getattr(field, "names_the_tenant", False) and model._meta.app_label not in conf.TENANT_APPS


def _automatic_throughs_at_home(model: Model) -> list[Model]:
    throughs: list[Any] = [field.remote_field.through for field in model._meta.local_many_to_many]
    return [through for through in throughs if through._meta.auto_created and lives_at_home(through)]


def _references_from_homes(old_field: Any, new_field: Any) -> Iterator[tuple[Any, Any]]:
    """The foreign keys of homes to a shared column, before and after it changes."""
    if old_field.many_to_many:
        return
    for relation in new_field.model._meta.related_objects:
        field = relation.field
        if isinstance(field, models.ForeignKey) and field.target_field == new_field and lives_at_home(field.model):
            old = field.clone()
            old.set_attributes_from_name(field.name)
            old.model, old.remote_field.model = field.model, old_field.model
            yield old, field
