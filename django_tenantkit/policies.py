"""Row-level security, declared with the model and written by `makemigrations`.

Every tenant model gets a `TenantPolicy`. Another one in `class Meta: constraints` takes its place:

    class Draft(TenantModel):
        author = models.ForeignKey(User, on_delete=models.CASCADE)

        class Meta:
            constraints = [UserRows(user="author", roles=["editor"])]

A policy of your own is a subclass with `read` or `write`. PostgreSQL only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.constraints import BaseConstraint

from .exceptions import TenantkitError
from .registry import tenant_field
from .sql import functions
from .sql import policies as sql
from .sql.roles import roles_of

NAME = "%(app_label)s_%(class)s_tenant_policy"


class Row:
    """What a policy can say of a row of a table: conditions in SQL, with names quoted and values cast."""

    def __init__(self, model: type[models.Model], connection: Any) -> None:
        self.model = model
        self.connection = connection

    def column(self, name: str) -> str:
        """The column of a field."""
        return str(self.connection.ops.quote_name(self._field(name).column))

    @cached_property
    def is_own(self) -> str:
        """The row belongs to the current tenant."""
        field = tenant_field(self.model)
        return sql.is_own(self.column(field.name), field.db_type(self.connection))

    @cached_property
    def is_nobodys(self) -> str:
        """The row belongs to no tenant."""
        return f"{self.column(tenant_field(self.model).name)} IS NULL"

    def is_users(self, name: str) -> str:
        """The field refers to the user who acts."""
        return sql.is_users(self.column(name), self._field(name).db_type(self.connection))

    def has_role(self, *roles: str) -> str:
        """The user who acts has one of `roles` in the current tenant."""
        return sql.has_role(roles)

    def _field(self, name: str) -> Any:
        for field in self.model._meta.local_concrete_fields:
            if field.name == name:
                return field
        raise FieldDoesNotExist(f"{self.model._meta.label} has no field {name!r} in its own table")


class TenantPolicy(BaseConstraint):
    """A tenant reads and writes its own rows; operators reach the rows of all tenants; nobody changes the
    tenant of a row. The name is that of the constraint in migrations and is free; the policies themselves are
    called the same in every table.

    A subclass says in `read` which of its tenant's rows the application may read, and in `write` which it may
    add, change and delete: conditions in SQL, made with `Row`. Raise `version` when they say something else
    than before, and `makemigrations` writes the change.
    """

    version: int = 1
    #: Whether rows without a tenant are for every tenant to read.
    shares_rows_of_nobody: ClassVar[bool] = False

    def __init__(self, *, name: str = NAME, version: int | None = None) -> None:
        super().__init__(name=name)
        if version is not None:
            self.version = version

    def read(self, row: Row) -> str | None:
        """Which of its tenant's rows the application may read; None: all of them."""
        return None

    def write(self, row: Row) -> str | None:
        """Which of its tenant's rows the application may add, change and delete; None: all of them."""
        return self.read(row)

    def policies(self, model: type[models.Model], connection: Any) -> list[sql.Policy]:
        """The policies of `model`'s table, with the roles that the settings name now."""
        row = Row(model, connection)
        visible = f"({row.is_own} OR {row.is_nobodys})" if self.shares_rows_of_nobody else row.is_own
        conditions = sql.Conditions(
            sql.both(visible, self.read(row)), sql.both(row.is_own, self.write(row)), visible, row.is_own
        )
        return sql.policies(conditions, roles_of(connection.settings_dict))

    def creation(self, model: type[models.Model], connection: Any) -> list[str]:
        """The statements that put `model`'s table under guard; nothing where the database has no policies."""
        if connection.vendor != "postgresql":
            return []
        quote = connection.ops.quote_name
        table, column = quote(model._meta.db_table), quote(tenant_field(model).column)
        return [
            sql.enable(table),
            *(sql.create_policy(table, policy, quote(policy.role)) for policy in self.policies(model, connection)),
            sql.create_trigger(table, column),
        ]

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """Nothing inside CREATE TABLE; the schema editor makes the policies right after it."""
        return None

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """The statements that put the table under guard, as one text."""
        return "; ".join(self.creation(model, schema_editor.connection)) or None

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        """The statements that take the policies away, as one text; the table stays shut."""
        if schema_editor.connection.vendor != "postgresql":
            return None
        table = schema_editor.quote_name(model._meta.db_table)
        return "; ".join(sql.shut(table))

    def validate(self, model: Any, instance: Any, exclude: Collection[str] | None = None, using: str = "") -> None:
        """Nothing that forms could say: whose row it is, is not theirs to choose."""

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        path = path.replace("django_tenantkit.policies.", "django_tenantkit.constraints.")
        return path, args, {**kwargs, "version": self.version}

    def _identity(self) -> Any:
        """What it says; a renamed model's table keeps its policies, so the name does not count."""
        path, args, kwargs = self.deconstruct()
        return path, args, {key: value for key, value in kwargs.items() if key != "name"}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantPolicy) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(type(self))


class GlobalRows(TenantPolicy):
    """Rows without a tenant are for every tenant to read, and for operators to write; the others are their
    tenant's. The model declares `tenant = TenantField(null=True)`."""

    shares_rows_of_nobody = True


class UserRows(TenantPolicy):
    """A row belongs to the user whom the field `user` names: nobody else in the tenant reads or writes it,
    but those who have one of `roles`. With `readable=True` all of the tenant read it."""

    def __init__(self, *, user: str, roles: Sequence[str] = (), readable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = user
        self.roles = tuple(roles)
        self.readable = readable

    def read(self, row: Row) -> str | None:
        """The user's rows, or all of them where the tenant may read."""
        return None if self.readable else self.write(row)

    def write(self, row: Row) -> str | None:
        """The user's rows, and all of them for who has one of the roles."""
        own = row.is_users(self.user)
        return f"{own} OR {row.has_role(*self.roles)}" if self.roles else own

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "user": self.user, "roles": self.roles, "readable": self.readable}


class RoleRows(TenantPolicy):
    """Who in the tenant may do what: `write` and `read` name roles, and None means everybody."""

    def __init__(self, *, write: Sequence[str] | None, read: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.write_roles = None if write is None else tuple(write)
        self.read_roles = None if read is None else tuple(read)

    def read(self, row: Row) -> str | None:
        """All rows, for the roles that read."""
        return None if self.read_roles is None else row.has_role(*self.read_roles)

    def write(self, row: Row) -> str | None:
        """All rows, for the roles that write."""
        return None if self.write_roles is None else row.has_role(*self.write_roles)

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "write": self.write_roles, "read": self.read_roles}


def prepare(connection: Any, execute: Callable[[str], Any]) -> None:
    """Make what policies and triggers name, where it is missing: the roles, and our functions. Raises
    `TenantkitError` with the next step where the login may not."""
    roles = roles_of(connection.settings_dict)
    with connection.cursor() as cursor:
        cursor.execute(sql.FIND_MISSING, [list(roles[:3])])
        missing, user, may_create, has_functions = cursor.fetchone()
    if missing and not may_create:
        raise TenantkitError(
            f"There are no roles {', '.join(missing)} on the server of DATABASES[{connection.alias!r}], which policies "
            f"refer to, and {user} may not make them. Make them with `manage.py setup_roles`, or name roles that exist "
            "in TENANTKIT_OWNER_ROLE, TENANTKIT_APPLICATION_ROLE and TENANTKIT_OPERATOR_ROLE."
        )
    for name in missing:
        execute(sql.create_role(connection.ops.quote_name(name)))
    if not has_functions:
        for statement in (*functions.STATEMENTS, *functions.privileges(roles)):
            execute(statement)


def policy_of(model: type[models.Model]) -> TenantPolicy | None:
    """The policy of `model`'s table, or None for one without."""
    if tenant_field(model) is None:
        return None
    return next((found for found in model._meta.constraints if isinstance(found, TenantPolicy)), None)


def attach_policy(model: type[models.Model]) -> None:
    """Give a model that was just prepared the policy that it declares none of. Migrations read
    `original_attrs`, and everything else `constraints`."""
    meta: Any = model._meta
    if tenant_field(model) is None or not meta.managed or meta.swapped:
        return
    if policy_of(model) is None:
        name = NAME % {"app_label": meta.app_label.lower(), "class": meta.model_name}
        meta.constraints = [*meta.constraints, TenantPolicy(name=name)]
        meta.original_attrs["constraints"] = meta.constraints
