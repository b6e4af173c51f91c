"""What the database should hold, as the models say it: plain descriptions, so that the audit needs no model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps.registry import Apps
from django.db import models, router

from ...conf import conf
from ...keys import FK, CheckedForeignKey, TenantForeignKey, TenantKey, constraint_name
from ...keys import TRIGGER as REFERENCE
from ...policies import TenantPolicy, policy_of
from ...registry import table_map, tenant_field
from ...sql.policies import TRIGGER, create_trigger
from ...sql.references import create_check
from ...sql.roles import roles_of
from ..guard import own_models, own_statements
from .guarded import Policy, policies, policies_in, triggers_in

#: Stands in statements for the schema that our own tables are in, which only the database knows.
SCHEMA = "{schema}"


@dataclass(frozen=True)
class Reference:
    """A column that holds the key of a row: of the tenant itself, or of a tenant's row. `bound`: its foreign
    key compares the tenants, too, as it does unless rows of nobody are among them."""

    label: str
    column: str
    target: str
    target_column: str
    to_tenant: bool = False
    bound: bool = True
    name: str = ""


@dataclass(frozen=True)
class Generic:
    """A generic foreign key: two columns that name a content type and a row of its table."""

    label: str
    type_column: str
    id_column: str
    types: str


@dataclass(frozen=True)
class Table:
    """A table with policies. `name` is quoted as in SQL; columns are not. `tenant` is the tenant's column,
    empty for a table of our own, such as that of domains. `key_name` names the unique constraint on tenant
    and primary key, where there is one. `triggers` are statements by name."""

    label: str
    name: str
    tenant: str = ""
    key: str = ""
    key_name: str | None = None
    nullable: bool = False
    references: tuple[Reference, ...] = ()
    generic: tuple[Generic, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Expected:
    """All guarded tables, the names of all tables that a model knows, the tables of content types by their
    natural key, and the statements that make our own functions, with `SCHEMA` in them."""

    tables: tuple[Table, ...]
    known: frozenset[str]
    types: dict[tuple[str, str], Table] = field(default_factory=dict)
    statements: tuple[str, ...] = ()


def expected(apps: Apps, connection: Any) -> Expected:
    """What the models of `apps` want of the database of `connection`. Nothing is asked of it."""
    tables: dict[str, Table] = {}
    types: dict[tuple[str, str], Table] = {}
    known = set()
    managed_first = sorted(apps.get_models(include_auto_created=True), key=lambda model: not model._meta.managed)
    for model in managed_first:
        meta = model._meta
        if not router.allow_migrate_model(connection.alias, model):
            continue
        known.add(quoted(meta.db_table))
        if meta.proxy or tenant_field(model) is None:
            continue
        table = tables.setdefault(meta.db_table, _table(model, connection))
        types[meta.app_label, str(meta.model_name)] = table
    statements = own_statements(connection, SCHEMA, own_models())
    return Expected((*tables.values(), *_own_tables(statements)), frozenset(known), types, tuple(statements))


def quoted(name: str) -> str:
    """A table's or column's name as Django quotes it: one that has quotes already stays as it is."""
    return name if name.startswith('"') and name.endswith('"') else f'"{name}"'


def _table(model: type[models.Model], connection: Any) -> Table:
    meta: Any = model._meta
    tenant = tenant_field(model)
    name, roles = quoted(meta.db_table), roles_of(connection.settings_dict)
    key = TenantKey.of(model)
    wanted = (policy_of(model) or TenantPolicy(name=meta.label)).policies(model, connection)
    return Table(
        label=meta.label,
        name=name,
        tenant=tenant.column,
        key=meta.pk.column or "",
        key_name=None if key is None else key.name,
        nullable=tenant.null,
        references=tuple(_references(model)),
        generic=tuple(_generic(model)),
        policies=policies(wanted, roles, signed=bool(conf.SIGNED_CONTEXT)),
        triggers=((TRIGGER, create_trigger("{table}", quoted(tenant.column))), *_checks(model)),
    )


def _checks(model: type[models.Model]) -> Iterator[tuple[str, str]]:
    """The triggers of references from or to rows of nobody."""
    for own in model._meta.local_concrete_fields:
        check = CheckedForeignKey.of(model, own) if isinstance(own, models.ForeignKey) else None
        if check is not None:
            name = constraint_name(model._meta.db_table, [check.column], REFERENCE)
            yield name, create_check(quoted(name), "{table}", quoted(check.column), check)


def _own_tables(statements: list[str]) -> Iterator[Table]:
    """The tables of our own, which have policies of another kind and are shared."""
    found = list(policies_in(statements))
    triggers = list(triggers_in(statements))
    for path in dict.fromkeys(path for path, _ in found):
        name = path.removeprefix(f"{SCHEMA}.")
        yield Table(
            label=name,
            name=name,
            policies=tuple(policy for table, policy in found if table == path),
            triggers=tuple((trigger, statement) for table, trigger, statement in triggers if table == path),
        )


def _references(model: type[models.Model]) -> Iterator[Reference]:
    tenant = tenant_field(model)
    tables = table_map(model._meta.apps).tenant_fields
    for own in model._meta.local_concrete_fields:
        if not isinstance(own, models.ForeignKey):
            continue
        target: Any = own.target_field.model._meta
        if own is tenant or target.db_table in tables:
            yield Reference(
                f"{model._meta.label}.{own.name}",
                own.column,
                quoted(target.db_table),
                str(own.target_field.column),
                to_tenant=own is tenant,
                bound=TenantForeignKey.of(model, own) is not None,
                name=constraint_name(model._meta.db_table, [own.column], FK),
            )


def _generic(model: type[models.Model]) -> Iterator[Generic]:
    """Found by their attributes, as content types need not be installed. One that a parent's table holds
    is among a child's private fields too."""
    for own in model._meta.private_fields:
        if not hasattr(own, "ct_field") or not hasattr(own, "fk_field") or own.one_to_many:
            continue
        kind: Any = model._meta.get_field(own.ct_field)
        number: Any = model._meta.get_field(own.fk_field)
        if number in model._meta.local_fields:
            types = quoted(kind.remote_field.model._meta.db_table)
            yield Generic(f"{model._meta.label}.{own.name}", kind.column, number.column, types)
