"""Keys and references that contain the tenant, so that no row can refer to another tenant's.

Both follow from the fields and are made with the table: nothing of them stands in migrations, and Django's
own way with foreign keys (altering, renaming, repointing, reversing) is theirs.

    UNIQUE (tenant_id, id)
    FOREIGN KEY (tenant_id, customer_id) REFERENCES shop_customer (tenant_id, id)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import models
from django.db.backends.utils import names_digest, split_identifier

from .registry import tenant_field

#: PostgreSQL cuts longer names off.
MAX_NAME = 63

KEY = "_tenant_key"
FK = "_tenant_fk"
#: A plain reference of which a trigger compares the tenants, and that trigger.
CHECKED = "_tenant_ck"
TRIGGER = "_tenant_ct"


def constraint_name(table: str, columns: list[str], suffix: str) -> str:
    """`shop_line_order_id_tenant_fk`, made shorter with a digest where it is too long."""
    table = split_identifier(table)[1]
    name = "_".join([table, *columns]) + suffix
    if len(name.encode()) <= MAX_NAME:
        return name
    end = f"_{names_digest(table, *columns, length=8)}{suffix}"
    return name.encode()[: MAX_NAME - len(end)].decode(errors="ignore") + end


def bound_field(model: type[models.Model]) -> Any:
    """The tenant field of `model`'s table if every row has a tenant, otherwise None: a key that may be
    empty is compared by no reference."""
    field = tenant_field(model)
    return None if field is None or field.null else field


class TenantKey(NamedTuple):
    """What references within the tenant refer to: the tenant and the primary key are unique together. Its index
    is the one that finds a tenant's rows."""

    name: str
    columns: list[str]

    @classmethod
    def of(cls, model: type[models.Model], key: models.Field[Any, Any] | None = None) -> TenantKey | None:
        """That of `model`'s table, or None for one that has none. `key` is its primary key where it is about to
        be another than the model's."""
        field = tenant_field(model)
        if field is None or field.primary_key or isinstance(model._meta.pk, models.CompositePrimaryKey):
            return None
        if field.null and not field.shares_rows_of_nobody:
            return None  # in the middle of becoming a tenant model: its rows are nobody's yet
        primary: Any = key or model._meta.pk
        return cls(constraint_name(model._meta.db_table, [], KEY), [field.column, primary.column])


class TenantForeignKey(NamedTuple):
    """A reference within the tenant: the row referred to has the tenant that this row has."""

    columns: list[str]
    to_columns: list[str]

    @classmethod
    def of(cls, model: type[models.Model], field: Any) -> TenantForeignKey | None:
        """That of a foreign key of `model`, or None for one that goes to a shared table or comes from one."""
        own = bound_field(model)
        target = field.target_field
        other = bound_field(target.model)
        if own is None or other is None or field is own or target is other or _is_unique_alone(target):
            return None
        return cls([own.column, field.column], [other.column, target.column])


def _is_unique_alone(field: Any) -> bool:
    """Whether a field that is no primary key is unique over all tenants: there is no key of it and the tenant.
    A check refuses this (E003), and references to it (E025)."""
    return bool(field.unique and not field.primary_key)


class CheckedForeignKey(NamedTuple):
    """A reference from or to rows that all tenants share (`GlobalRows`): no key compares a tenant that may be
    empty, so a trigger sees to it that the row referred to is shared, or of this row's tenant."""

    column: str
    key: str
    tenant: str
    to_tenant: str

    @classmethod
    def of(cls, model: type[models.Model], field: Any) -> CheckedForeignKey | None:
        """That of a foreign key of `model`, or None for one whose ends are not so."""
        own, other = tenant_field(model), tenant_field(field.target_field.model)
        if own is None or other is None or field is own:
            return None
        if not any((own.shares_rows_of_nobody, other.shares_rows_of_nobody, _is_unique_alone(field.target_field))):
            return None
        meta: Any = model._meta
        return cls(field.column, meta.pk.column, own.column, other.column)


def references_of(model: type[models.Model]) -> list[Any]:
    """The foreign keys from and to `model`'s own table that the database knows, the tenant's and Django's hidden
    ones among them."""
    found: list[Any] = [field for field in model._meta.local_fields if isinstance(field, models.ForeignKey)]
    for relation in model._meta.get_fields(include_parents=False, include_hidden=True):
        field: Any = getattr(relation, "field", None)
        if relation.auto_created and not relation.concrete and isinstance(field, models.ForeignKey):
            found.append(field)
    return [field for field in dict.fromkeys(found) if field.db_constraint and field.model._meta.managed]


def automatic_throughs(model: type[models.Model]) -> list[type[models.Model]]:
    """The through tables that Django made for many-to-many fields from and to `model`."""
    found = (field.model for field in references_of(model) if field.model._meta.auto_created)
    return list(dict.fromkeys(found))
