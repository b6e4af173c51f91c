"""The base of rows that belong to a tenant."""

from __future__ import annotations

from typing import Any

from django.db import models

from ..context import current_scope, describe
from ..exceptions import CrossTenantReference, TenantImmutable
from ..fields import TenantField, TenantScoped, uuid7
from ..references import check_lives_here, check_references, tenant_key


class TenantModel(TenantScoped, models.Model):
    """A row of a tenant. Inherit it and write ordinary Django: the tenant is filled in on creation,
    every query is scoped when its SQL is compiled, and the tenant never changes.

    The key is a UUIDv7, so that rows can move between databases; declare `id = models.BigAutoField(
    primary_key=True)` for integers, or `id = None` and a primary key of your own. Managers are yours.

    `save()` and `delete()` raise `TenantImmutable` or `CrossTenantReference` for an object of another
    tenant and for one that refers to another tenant's object, before any SQL is sent.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = TenantField()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save in the current tenant."""
        key = current_scope().key
        owner = self.__dict__.get("tenant_id")
        if key is not None and owner != key:
            if owner is not None:
                self._refuse_if_foreign(owner, key, "saved")
            elif not self._state.adding:
                self._refuse_if_everybodys()
        if key is None:
            check_lives_here([self])
        super().save(*args, **kwargs)

    def _prepare_related_fields_for_save(self, operation_name: str, fields: Any = None) -> None:
        """Part of `save()` and of `bulk_update()`, which hand only keys to the compiler; `bulk_create()`
        hands it the objects."""
        super()._prepare_related_fields_for_save(operation_name, fields)  # type: ignore[misc]
        if operation_name != "bulk_create" and self._state.fields_cache:
            key = current_scope().key
            owner = self.__dict__.get("tenant_id") if key is None else key
            if owner is not None:
                check_references([self], owner)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete in the current tenant."""
        key = current_scope().key
        owner = self.__dict__.get("tenant_id")
        if key is not None and owner is not None and owner != key:
            self._refuse_if_foreign(owner, key, "deleted")
        if key is None:
            check_lives_here([self])
        return super().delete(*args, **kwargs)

    def _refuse_if_foreign(self, owner: Any, key: Any, done: str) -> None:
        field: Any = self._meta.get_field("tenant")
        if tenant_key(field, owner) == key:
            return
        error = CrossTenantReference if self._state.adding or done == "deleted" else TenantImmutable
        raise error(
            f"{self._meta.label} {self.pk} belongs to another tenant than the current one, "
            f"{describe(current_scope())}, so it cannot be {done} here; a row's tenant never changes. Enter its "
            "tenant with `tenant_context(object.tenant)`."
        )

    def _refuse_if_everybodys(self) -> None:
        field: Any = self._meta.get_field("tenant")
        if field.shares_rows_of_nobody:
            raise TenantImmutable(
                f"{self._meta.label} {self.pk} is a row of all tenants, so none of them changes it. Operators do: with "
                'unscoped(reason="..."): ...'
            )
