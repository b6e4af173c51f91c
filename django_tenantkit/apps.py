"""What happens when Django starts."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_delete

from . import fields as _fields  # noqa: F401 - its receiver must be there before any model is made
from .backends.compiler import shared_deletion
from .context import current_scope
from .exceptions import CrossTenantReference, TenantDeletionRefused
from .registry import table_map


class TenantkitConfig(AppConfig):
    """The app."""

    name = "django_tenantkit"
    verbose_name = "Tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Refuse foreign engines, guard the deletion of shared rows, register the checks, notice changes."""
        from . import access, checks, lookup, sessions  # noqa: F401

        access.connect()
        lookup.connect()
        sessions.connect()
        connection_created.connect(refuse_foreign_engine, dispatch_uid="django_tenantkit.engine")
        tables = table_map(apps)
        for model in apps.get_models():
            if model._meta.db_table in tables.referenced:
                pre_delete.connect(refuse_shared_deletion, sender=model, dispatch_uid="django_tenantkit.shared")


def refuse_foreign_engine(sender: Any, connection: Any, **kwargs: Any) -> None:
    """Raise `ImproperlyConfigured` for a connection whose engine would not scope anything."""
    if not getattr(connection.ops, "scopes_tenants", False):
        connection.close()
        connection.connection = None  # close() keeps an SQLite database in memory, and the next query would run
        raise ImproperlyConfigured(
            f"DATABASES[{connection.alias!r}] uses {connection.settings_dict['ENGINE']}, which does not scope the "
            "rows of tenants. Use django_tenantkit.backends.postgresql or .sqlite3, or give your engine the mixins "
            "of django_tenantkit.backends."
        )


def refuse_shared_deletion(sender: type[models.Model], **kwargs: Any) -> None:
    """Raise before anything is written when a shared row that tenants can refer to is deleted inside a
    tenant. Such models are never deleted without collecting, so the receiver costs no fast path."""
    tables = table_map(sender._meta.apps)
    if sender._meta.db_table in tables.tenant_tables:
        raise TenantDeletionRefused()
    if current_scope().reason is None:
        reference = tables.referenced[sender._meta.db_table]
        raise CrossTenantReference(shared_deletion(sender._meta.label, reference))
