"""Keys and references with the tenant, as PostgreSQL's schema editor makes them: see `keys.py`.

References stay what Django takes them for, foreign keys of one field: `_create_fk_sql` writes them and
`_constraint_names` finds them, so altering, renaming and repointing are Django's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models
from django.db.backends.ddl_references import Columns, IndexName, Statement

from ..exceptions import TenantkitError
from ..keys import (
    CHECKED,
    FK,
    KEY,
    TRIGGER,
    CheckedForeignKey,
    TenantForeignKey,
    TenantKey,
    constraint_name,
    references_of,
)
from ..registry import tenant_field
from ..sql import references as sql
from ..sql.roles import roles_of

Model = type[models.Model]

FK_SUFFIX = "_fk_%(to_table)s_%(to_column)s"  # Django's own, for plain ones


class ReferencingSchemaEditor:
    """Mixin for `DatabaseSchemaEditor` of any PostgreSQL backend."""

    sql_create_key = "ALTER TABLE %(table)s ADD CONSTRAINT %(name)s UNIQUE (%(columns)s)"
    sql_create_key_index = "CREATE UNIQUE INDEX CONCURRENTLY %(name)s ON %(table)s (%(columns)s)"
    sql_delete_key_index = "DROP INDEX CONCURRENTLY IF EXISTS %(name)s"  # one that an attempt could not finish
    sql_use_key_index = "ALTER TABLE %(table)s ADD CONSTRAINT %(name)s UNIQUE USING INDEX %(name)s"
    sql_delete_key = "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s CASCADE"
    sql_rename_key = "ALTER INDEX IF EXISTS %(old)s RENAME TO %(new)s"
    sql_validate = "ALTER TABLE %(table)s VALIDATE CONSTRAINT %(name)s"
    sql_create_table: str
    sql_create_column_inline_fk: Any

    connection: Any
    quote_name: Any
    execute: Any
    _create_index_name: Any
    _create_index_sql: Any
    _delete_index_sql: Any
    deferred_sql: list[Any]
    collect_sql: bool

    #: Set by operations outside of a transaction: keys are built while the table is in use.
    builds_concurrently = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plain = False
        self._lowered: list[tuple[Model, Any]] = []

    # What Django calls for each change

    def table_sql(self, model: Model) -> Any:
        """The definition of a table; that of a tenant table has its key in it."""
        key = TenantKey.of(model)
        if key is None:
            return super().table_sql(model)  # type: ignore[misc]
        clause = f"CONSTRAINT {self.quote_name(key.name)} UNIQUE ({self._columns(key.columns)})"
        template = self.sql_create_table.replace("%(definition)s", f"%(definition)s, {_escaped(clause)}")
        with self._templates(sql_create_table=template):
            return super().table_sql(model)  # type: ignore[misc]

    def alter_db_table(self, model: Model, old_db_table: str, new_db_table: str) -> None:
        """Rename a table, and its key, so that a new table can have the name."""
        # Django renames the table in what it has put off, but not in the text of our triggers.
        self._do_deferred(lambda found: "TRIGGER" in found.template and found.references_table(old_db_table))
        super().alter_db_table(model, old_db_table, new_db_table)  # type: ignore[misc]
        if old_db_table != new_db_table and tenant_field(model) is not None:
            old, new = (self.quote_name(constraint_name(table, [], KEY)) for table in (old_db_table, new_db_table))
            self.execute(self.sql_rename_key % {"old": old, "new": new}, params=None)

    def add_field(self, model: Model, field: Any) -> None:
        """Add a column; a reference within the tenant is made in the same statement, as Django's are."""
        with self._templates(sql_create_column_inline_fk=self._inline(model, field)):
            super().add_field(model, field)  # type: ignore[misc]
        if _binds(field) or field.primary_key:
            self._bind(_home(model, field), field)

    def remove_field(self, model: Model, field: Any) -> None:
        """Remove a column; without the tenant's, references are plain again."""
        if _names_tenant(field):
            self._lead_indexes(model, with_tenant=False)
            self._unbind(model)
        super().remove_field(model, field)  # type: ignore[misc]

    def _alter_field(self, model: Model, old_field: Any, new_field: Any, *args: Any, **kwargs: Any) -> None:
        table, column = model._meta.db_table, old_field.column
        self._do_deferred(lambda statement: statement.references_column(table, column))
        if _binds(old_field) and not _binds(new_field):
            self._unbind(model)
        super()._alter_field(model, old_field, new_field, *args, **kwargs)  # type: ignore[misc]
        became_key = new_field.primary_key and not old_field.primary_key
        if became_key or (_binds(new_field) and not _binds(old_field)):
            self._bind(_home(model, new_field), new_field)
        if old_field.column != new_field.column and (_names_tenant(new_field) or new_field.primary_key):
            self._remake_checks(_home(model, new_field))
        while self._lowered:
            self._raise(*self._lowered.pop())

    def _field_should_be_indexed(self, model: Model, field: Any) -> bool:
        """Whether Django makes an index for a field; the tenant's has that of the key."""
        if _names_tenant(field):
            return False
        return super()._field_should_be_indexed(model, field)  # type: ignore[misc, no-any-return]

    def _alter_column_type_sql(self, model: Model, old_field: Any, new_field: Any, *args: Any) -> Any:
        """Called for each column that changes its type, those that refer to the altered one included."""
        home = _home(model, new_field)
        self._lower(home, new_field)
        if tenant_field(home) is not None:
            self._lowered.append((home, new_field))
        return super()._alter_column_type_sql(model, old_field, new_field, *args)  # type: ignore[misc]

    def _lower(self, model: Model, field: Any) -> None:
        """Remove what would keep a column from being altered. Django does so for references to and from it,
        but for those that have it as their tenant."""
        if _names_tenant(field):
            for other in references_of(model):
                if TenantForeignKey.of(other.model, other) is not None:
                    self._drop_references(other, self._foreign_keys(other))

    def _raise(self, model: Model, field: Any) -> None:
        """Make it again."""
        self._bind(model, field)

    # Keys

    def _bind(self, model: Model, changed: Any = None) -> None:
        """Make the key of a table and the references from and to it, as far as both ends have tenants. `changed`
        is the field that gave rise to it."""
        key = TenantKey.of(model, changed if changed is not None and changed.primary_key else None)
        if key is not None:
            self._add_key(model, key)
            self._lead_indexes(model, with_tenant=True)
            for field in references_of(model):
                self._make_reference(field)

    def _unbind(self, model: Model) -> None:
        """Make the references from and to a table plain ones, and remove its key."""
        self._plain = True
        try:
            for field in references_of(model):
                self._make_reference(field)
        finally:
            self._plain = False
        self._drop_key(model)

    def _add_key(self, model: Model, key: TenantKey) -> None:
        if ("u", key.columns) == self._constraints(model).get(key.name):
            return
        self._drop_key(model)  # one of another primary key
        parts = {
            "table": self.quote_name(model._meta.db_table),
            "name": self.quote_name(key.name),
            "columns": self._columns(key.columns),
        }
        concurrently = (self.sql_delete_key_index, self.sql_create_key_index, self.sql_use_key_index)
        for template in concurrently if self.builds_concurrently else (self.sql_create_key,):
            self.execute(template % parts, params=None)

    def _drop_key(self, model: Model) -> None:
        name = constraint_name(model._meta.db_table, [], KEY)
        if name in self._constraints(model):
            parts = {"table": self.quote_name(model._meta.db_table), "name": self.quote_name(name)}
            self.execute(self.sql_delete_key % parts, params=None)

    def _constraints(self, model: Model) -> dict[str, tuple[str, list[str]]]:
        """The unique constraints (`u`) and foreign keys (`f`) of a table by name, with their columns. Django's
        introspection does not find tables whose names are quoted, or have a schema."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql.CONSTRAINTS, [self.quote_name(model._meta.db_table)])
            return {name: (kind, columns) for name, kind, columns in cursor.fetchall()}

    def _foreign_keys(self, field: Any) -> dict[str, list[str]]:
        """The foreign keys of a field's column by name: plain ones, and those with a tenant."""
        found = self._constraints(field.model).items()
        return {name: columns for name, (kind, columns) in found if kind == "f" and columns[-1] == field.column}

    def _lead_indexes(self, model: Model, *, with_tenant: bool) -> None:
        """Make the automatic indexes of foreign keys anew: of the tenant and the column, or of the column only."""
        tenant, fields = tenant_field(model), list[Any](model._meta.local_fields)
        for field in fields:
            if field is tenant or not field.remote_field or not self._field_should_be_indexed(model, field):
                continue
            led = self._automatic_indexes(model, [tenant.column, field.column])
            plain = [name for name in self._automatic_indexes(model, [field.column]) if name not in led]
            options: dict[str, Any] = {"concurrently": self.builds_concurrently}
            if not with_tenant and led and not plain:  # those led by the tenant go with its column
                name = self._create_index_name(model._meta.db_table, [field.column])
                self.execute(self._create_index_sql(model, fields=[field], name=name, **options), params=None)
            if with_tenant and plain:
                if not led:
                    self.execute(self._create_index_sql(model, fields=[field], **options), params=None)
                for name in plain:
                    self.execute(self._delete_index_sql(model, name, **options), params=None)

    def _automatic_indexes(self, model: Model, columns: list[str]) -> list[str]:
        kept = {index.name for index in model._meta.indexes}
        found = self._names(model, columns, index=True, unique=False, type_=models.Index.suffix, exclude=kept)
        return [name for name in found if not name.endswith("_like")]

    # References

    def _reference(self, model: Model, field: Any) -> TenantForeignKey | None:
        """The reference within the tenant that a field is, unless plain ones are wanted."""
        if self._plain or not isinstance(field, models.ForeignKey) or not getattr(field, "db_constraint", False):
            return None
        return TenantForeignKey.of(_home(model, field), field)

    def _checked(self, model: Model, field: Any) -> CheckedForeignKey | None:
        """The reference from or to shared rows of tenants that a field is, unless plain ones are wanted."""
        if self._plain or not isinstance(field, models.ForeignKey) or not getattr(field, "db_constraint", False):
            return None
        return CheckedForeignKey.of(_home(model, field), field)

    def _make_reference(self, field: Any) -> None:
        """See to it that a foreign key is the one that the models mean, and the only one of its column."""
        for place, statement in enumerate(self.deferred_sql):
            if _makes(statement, field):
                self.deferred_sql[place] = self._create_fk_sql(field.model, field, FK_SUFFIX)
                return
        reference = self._reference(field.model, field)
        columns = [field.column] if reference is None else reference.columns
        checked = self._checked(field.model, field) is not None
        found = self._foreign_keys(field)
        right = [name for name in found if found[name] == columns and name.endswith(CHECKED) == checked]
        if not right:
            self._add_reference(field)
        elif self.builds_concurrently:  # an attempt before this one may have ended in front of it
            self._prove_reference(field, self.quote_name(right[0]))
        self._drop_references(field, [name for name in found if name not in right])

    def _do_deferred(self, concerned: Callable[[Statement], bool]) -> None:
        """Do now what Django has put off until the end of the migration: indexes and references. It looks only for
        those that are there when it alters what they are made of."""
        for statement in list(self.deferred_sql):
            if isinstance(statement, Statement) and concerned(statement):
                self.deferred_sql.remove(statement)
                self.execute(statement, params=None)

    def _remake_checks(self, model: Model) -> None:
        """Triggers know columns by their names."""
        for field in references_of(model):
            if self._checked(field.model, field) is not None:
                self._drop_references(field, self._foreign_keys(field))
                self._make_reference(field)

    def _add_reference(self, field: Any) -> None:
        """Add a foreign key to a table in use: its rows are compared while others read and write."""
        self._refuse_blind(field)
        statement = self._create_fk_sql(field.model, field, FK_SUFFIX)
        statement.template = statement.template.replace("%(deferrable)s", "%(deferrable)s NOT VALID")
        self.execute(statement, params=None)
        self._prove_reference(field, statement.parts["name"])

    def _prove_reference(self, field: Any, name: Any) -> None:
        """Compare the rows that were there before a reference with it; nothing where that was done."""
        table = self.quote_name(field.model._meta.db_table)
        self.execute(self.sql_validate % {"table": table, "name": name}, params=None)
        if (check := self._checked(field.model, field)) is not None:
            target = field.target_field
            names = (field.model._meta.db_table, check.column, check.tenant)
            others = (target.model._meta.db_table, target.column, check.to_tenant)
            self.execute(sql.refuse_crossing(*map(self.quote_name, (*names, *others))), params=None)

    def _drop_references(self, field: Any, names: Iterable[str]) -> None:
        for name in names:
            self.execute(self._delete_fk_sql(field.model, name), params=None)

    def _refuse_blind(self, field: Any) -> None:
        """Whoever is not shown a row finds nothing wrong with it, and PostgreSQL would call the key valid."""
        if self.collect_sql:
            return
        tables = [self.quote_name(model._meta.db_table) for model in (field.model, field.target_field.model)]
        owner = roles_of(self.connection.settings_dict).owner
        with self.connection.cursor() as cursor:
            cursor.execute(sql.IS_BLIND, [*tables, owner])
            user, blind = cursor.fetchone()
        if blind:
            raise TenantkitError(
                f"{user} is not shown the rows of all tenants, so it cannot tell whether those of "
                f"{field.model._meta.label}.{field.name} cross the line. Migrate as a member of the role {owner}: "
                "`manage.py setup_roles` makes a login for it, and TENANTKIT_SYSTEM_DATABASE names it."
            )

    def _create_fk_sql(self, model: Model, field: Any, suffix: str) -> Statement:
        statement: Statement = super()._create_fk_sql(model, field, suffix)  # type: ignore[misc]
        if (reference := self._reference(model, field)) is not None:
            target = field.target_field.model._meta.db_table
            statement.parts["column"] = Columns(model._meta.db_table, reference.columns, self.quote_name)
            statement.parts["to_column"] = Columns(target, reference.to_columns, self.quote_name)
        elif (check := self._checked(model, field)) is not None:
            statement.template += "; " + _escaped(self._trigger_sql(model, check))
        return statement

    def _trigger_sql(self, model: Model, check: CheckedForeignKey) -> str:
        table = model._meta.db_table
        name = self._quoted_name(table, [check.column], TRIGGER)
        return sql.create_check(name, self.quote_name(table), self.quote_name(check.column), check)

    def _delete_fk_sql(self, model: Model, name: str) -> Statement:
        statement: Statement = super()._delete_fk_sql(model, name)  # type: ignore[misc]
        if name.endswith(CHECKED):
            trigger = self.quote_name(name.removesuffix(CHECKED) + TRIGGER)
            drop = sql.drop_check(trigger, self.quote_name(model._meta.db_table))
            statement.template = f"{_escaped(drop)}; {statement.template}"
        return statement

    def _fk_constraint_name(self, model: Model, field: Any, suffix: str) -> Any:
        ours = FK if self._reference(model, field) else CHECKED if self._checked(model, field) else None
        if ours is None:
            return super()._fk_constraint_name(model, field, suffix)  # type: ignore[misc]
        return IndexName(model._meta.db_table, [field.column], ours, self._quoted_name)

    def _quoted_name(self, table: str, columns: list[str], suffix: str) -> str:
        return str(self.quote_name(constraint_name(table, columns, suffix)))

    def _constraint_names(
        self, model: Model, column_names: Iterable[str] | None = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Django asks for the foreign keys of a column: those with the tenant are among them."""
        columns = None if column_names is None else list(column_names)
        found = self._names(model, columns, *args, **kwargs)
        tenant = tenant_field(model)
        if kwargs.get("foreign_key") and tenant is not None and columns is not None and columns != [tenant.column]:
            found += self._names(model, [tenant.column, *columns], *args, **kwargs)
        return found

    def _names(self, model: Model, *args: Any, **kwargs: Any) -> list[str]:
        """Of constraints on exactly these columns."""
        return super()._constraint_names(model, *args, **kwargs)  # type: ignore[misc, no-any-return]

    def _inline(self, model: Model, field: Any) -> str:
        """What follows a column in ADD COLUMN, where Django has `CONSTRAINT ... REFERENCES ...`."""
        if (reference := self._reference(model, field)) is not None:
            own, other = (_escaped(self.quote_name(columns[0])) for columns in reference)
            return (
                f", ADD CONSTRAINT %(name)s FOREIGN KEY ({own}, %(column)s) REFERENCES %(to_table)s "
                f"({other}, %(to_column)s)%(deferrable)s; SET CONSTRAINTS %(namespace)s%(name)s IMMEDIATE"
            )
        check = self._checked(model, field)
        trigger = "" if check is None else f"; {_escaped(self._trigger_sql(model, check))}"
        return f"{self.sql_create_column_inline_fk}{trigger}"

    def _columns(self, names: Iterable[str]) -> str:
        return ", ".join(map(self.quote_name, names))

    @contextmanager
    def _templates(self, **templates: str) -> Iterator[None]:
        found = {name: getattr(self, name) for name in templates}
        vars(self).update(templates)
        try:
            yield
        finally:
            vars(self).update(found)


def _home(model: Model, field: Any) -> Model:
    """The model that a field is of, as it is after the change; `model` where the field was made by hand."""
    return getattr(field, "model", model)


def _names_tenant(field: Any) -> bool:
    return getattr(field, "names_the_tenant", False)


def _binds(field: Any) -> bool:
    """Whether every row of its table has a tenant because of a field."""
    return _names_tenant(field) and not field.null


def _makes(statement: Any, field: Any) -> bool:
    """Whether a statement that was put off makes the foreign key of `field`."""
    if not isinstance(statement, Statement) or "to_column" not in statement.parts:
        return False
    column: Any = statement.parts["column"]
    return bool(column.table == field.model._meta.db_table and column.columns[-1] == field.column)


def _escaped(text: str) -> str:
    """`text` as part of a template of Django's."""
    return text.replace("%", "%%")
