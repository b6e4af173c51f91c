"""The tenant field, which makes a table a tenant table, and what puts it where nobody wrote it.

Two places get a tenant field by themselves, when their class is prepared: the automatic through
table of a many-to-many with a tenant model at either end, and the own table of a child in
multi-table inheritance (`<model>_tenant`, in the column `tenant_id`). Plain ManyToManyFields are
enough therefore. A field class of our own would leave out every M2M written by others.
"""

from __future__ import annotations

import secrets
import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.fields import NOT_PROVIDED
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor
from django.db.models.signals import class_prepared
from django.db.models.utils import make_model_tuple

from .conf import conf
from .context import current_scope
from .policies import attach_policy, policy_of
from .registry import tenant_field


def uuid7() -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then random bits. Rows with such
    keys can move between databases, and new ones stay together in the index."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


class TenantScoped:
    """Marks tenant models in the bases of migrations, where abstract models leave no trace. So the
    through tables of a model in migration state carry the tenant from the model's first migration,
    in whatever order its fields are added."""


class _CurrentTenantDescriptor(ForwardManyToOneDescriptor):  # type: ignore[type-arg]
    """`row.tenant` is the current tenant's own object when it is the same tenant: no query."""

    def get_object(self, instance: models.Model) -> Any:
        scope = current_scope()
        if scope.tenant is not None and getattr(instance, self.field.attname) == scope.key:
            return scope.tenant
        return super().get_object(instance)


class TenantReference(models.ForeignKey[Any, Any]):
    """A foreign key to the tenant model of the deployment. Migrations do not name the model, so that
    they fit a swapped one. It makes no table a tenant table: see `TenantField`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("to", conf.TENANT_MODEL)
        kwargs.setdefault("on_delete", models.DO_NOTHING)
        super().__init__(*args, **kwargs)

    @property
    def swappable_setting(self) -> str | None:
        """The setting that migrations depend on, or None where the project leaves it unset."""
        return "TENANTKIT_TENANT_MODEL" if hasattr(settings, "TENANTKIT_TENANT_MODEL") else None

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for key in ("to", *self._implied):
            kwargs.pop(key, None)
        return name, path, args, kwargs

    _implied: tuple[str, ...] = ()


class TenantField(TenantReference):
    """The tenant that a row belongs to. A model with this field is a tenant model: the compiler scopes
    its table, fills the field in on INSERT and refuses to change it. Shown neither in forms nor by
    serializers, Django's and DRF's, and it offers no other tenant as a choice."""

    names_the_tenant = True
    #: Whether rows without a tenant are everybody's to read, as `GlobalRows` in the model's constraints says.
    shares_rows_of_nobody = False
    forward_related_accessor_class = _CurrentTenantDescriptor
    _implied = ("on_delete", "editable", "blank", "related_name", "limit_choices_to", "serialize")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {
            "on_delete": models.DO_NOTHING,
            "editable": False,
            "blank": True,  # full_clean() runs before the compiler fills the field in
            "related_name": "+",
            "limit_choices_to": models.Q(pk__in=()),  # filters made of the field would list the tenants
        }
        super().__init__(*args, **kwargs)

    @property
    def serialize(self) -> bool:
        """Whether the tenant is part of a row's data: only for unscoped code, which sees several
        tenants' rows. Django's serializers and DRF's ModelSerializer ask this of every field."""
        return current_scope().reason is not None

    @serialize.setter
    def serialize(self, value: bool) -> None:
        """Django's own constructor sets it."""

    def get_default(self) -> Any:
        """What a new object has: nothing, until the compiler fills it in, unless the field was given a default."""
        return None if self.default is NOT_PROVIDED is self.db_default else super().get_default()

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        """Nothing to look up: the compiler compares it with the current tenant when it is written."""


def carries_tenant(model: type[models.Model]) -> bool:
    """Whether `model` is a tenant model, by its field or, in migration state, by its mark."""
    return issubclass(model, TenantScoped) or tenant_field(model) is not None


def _complete(sender: type[models.Model], **kwargs: Any) -> None:
    """Give a model that was just prepared the tenant field that its kind of table needs, and its policy. Models
    in migration state have both by what was written."""
    if sender._meta.auto_created:
        _complete_through(sender)
    elif sender.__module__ != "__fake__" and not sender._meta.proxy and not sender._meta.abstract:
        _complete_child(sender)
        attach_policy(sender)
    policy = None if sender._meta.proxy else policy_of(sender)
    if policy is not None and policy.shares_rows_of_nobody:
        tenant_field(sender).shares_rows_of_nobody = True


def _complete_child(model: type[models.Model]) -> None:
    """The field of a child in multi-table inheritance has a name of its own, as its parent's field is
    among its fields already; the column has the usual name, for raw SQL and policies."""
    inherits = any(tenant_field(parent) is not None for parent in model._meta.parents)
    if inherits and tenant_field(model) is None and not model._meta.swapped:
        field = TenantField(db_column="tenant_id")
        model.add_to_class(f"{model._meta.model_name}_tenant", field)
    elif issubclass(model, TenantScoped) and tenant_field(model) is None:
        raise ImproperlyConfigured(
            f"{model._meta.label} inherits TenantModel and has no TenantField: its rows would be shared by all "
            "tenants. Remove what replaces `tenant` in the class, or inherit models.Model."
        )


def _complete_through(through: type[models.Model]) -> None:
    """Wait until both ends exist: the fields of an abstract base are added after the model's own."""
    ends = [
        make_model_tuple(field.remote_field.model)
        for field in through._meta.local_fields
        if field.remote_field is not None
    ]

    def complete(*models_at_ends: type[models.Model]) -> None:
        if tenant_field(through) is None and any(map(carries_tenant, models_at_ends)):
            through.add_to_class("tenant", TenantField())
            attach_policy(through)

    through._meta.apps.lazy_model_operation(complete, *ends)


class_prepared.connect(_complete, dispatch_uid="django_tenantkit.fields")
