"""Constraints that contain the tenant in SQL and leave it out in Python. Policies are here too, under the
name that migrations have for them; they are made in `policies.py`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models.constraints import UniqueConstraint
from django.db.utils import DEFAULT_DB_ALIAS

from .context import current_scope
from .policies import GlobalRows, RoleRows, TenantPolicy, UserRows
from .references import tenant_of
from .registry import tenant_field

__all__ = ["GlobalRows", "RoleRows", "TenantPolicy", "TenantUniqueConstraint", "UserRows"]

_OPCLASSES = {
    "UUIDField": "uuid_ops",
    "CharField": "text_ops",
    "SlugField": "text_ops",
    "AutoField": "int4_ops",
    "IntegerField": "int4_ops",
    "SmallAutoField": "int2_ops",
    "SmallIntegerField": "int2_ops",
}


class TenantUniqueConstraint(UniqueConstraint):
    """Unique within the tenant: `TenantUniqueConstraint(fields=["number"], name="unique_number")`.

    Takes what `UniqueConstraint` takes. The tenant's column leads the index. As `fields` leave the
    tenant out, forms, `full_clean()` and DRF's validators check it without knowing of tenants: their
    query is scoped like any other.
    """

    def with_tenant(self, model: type[models.Model]) -> UniqueConstraint:
        """The constraint as the database has it, with the tenant of `model`'s table in front."""
        field = tenant_field(model)
        if field is None:
            raise ValueError(
                f"{model._meta.label} has no tenant field, so {self.name} cannot be unique within a tenant. "
                "Inherit TenantModel, or use UniqueConstraint."
            )
        _, expressions, kwargs = super().deconstruct()
        if expressions:
            return UniqueConstraint(models.F(field.name), *expressions, **kwargs)
        opclasses = [self._key_opclass(field), *self.opclasses] if self.opclasses else []  # type: ignore[attr-defined]
        return UniqueConstraint(**{**kwargs, "fields": (field.name, *self.fields), "opclasses": opclasses})

    @staticmethod
    def _key_opclass(field: Any) -> str:
        """PostgreSQL wants an operator class for every column as soon as one is given."""
        return _OPCLASSES.get(field.target_field.get_internal_type(), "int8_ops")

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """The clause inside CREATE TABLE."""
        return self.with_tenant(model).constraint_sql(model, schema_editor)

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """The statement that adds it."""
        return self.with_tenant(model).create_sql(model, schema_editor)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        """The statement that removes it."""
        return self.with_tenant(model).remove_sql(model, schema_editor)

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Collection[str] | None = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Raise `ValidationError` when the tenant has such a row already. Unscoped code compares within
        the tenant that the instance names."""
        if current_scope().reason is None:
            return super().validate(model, instance, exclude, using)  # type: ignore[arg-type]
        field = tenant_field(model)
        owner = tenant_of(instance)
        if owner is None:
            return None  # the INSERT refuses it, and says what to write
        setattr(instance, field.attname, owner)
        return self.with_tenant(model).validate(model, instance, set(exclude or ()) - {field.name}, using)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantUniqueConstraint) and super().__eq__(other) is True

    __hash__ = UniqueConstraint.__hash__
