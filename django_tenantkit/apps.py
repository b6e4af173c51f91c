"""What happens when Django starts."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from . import fields as _fields  # noqa: F401 - its receiver must be there before any model is made


class TenantkitConfig(AppConfig):
    """The app."""

    name = "django_tenantkit"
    verbose_name = "Tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Refuse foreign engines, keep caches of tenants apart, register checks, notice changes, guard databases."""
        from . import access, builtin_caches, checks, lookup, sessions  # noqa: F401
        from .isolation import entries
        from .lifecycle import finished, guard

        entries.install()
        builtin_caches.keep_all_apart()
        access.connect()
        lookup.connect()
        sessions.connect()
        connection_created.connect(refuse_foreign_engine, dispatch_uid="django_tenantkit.engine")
        pre_migrate.connect(guard.before_migrate, sender=self, dispatch_uid="django_tenantkit.guard")
        post_migrate.connect(finished.forget, sender=self, dispatch_uid="django_tenantkit.finished")
        post_migrate.connect(guard.after_migrate, sender=self, dispatch_uid="django_tenantkit.guard")


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
