"""Which database, and which objects may refer to each other."""

from __future__ import annotations

from typing import Any

from django.db import connections, models

from .caches import database_at_work
from .context import current_scope, describe
from .exceptions import CrossTenantReference
from .isolation.entries import HOME_OF, MAIN, SHARED, allows_databases, is_elsewhere
from .lifecycle.homes import home_apps
from .references import belongs_elsewhere, check_lives_here, tenant_of
from .registry import lives_at_home


class TenantRouter:
    """Name it in DATABASE_ROUTERS. Django asks it whenever an object is given to a foreign key or added
    to a many-to-many, and before anything is written through an object's related managers: there a
    reference to another tenant's object is first known."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        """Where tenants have databases: the current one's for tables of tenants, and for shared rows that an object
        from there leads to; the main one for the rest. Without databases of tenants None, no opinion."""
        instance = hints.get("instance")
        if (found := _database(model, instance)) == SHARED and instance is not None and lives_at_home(type(instance)):
            return str(current_scope().home.database)
        return found

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        """The same, for shared rows always the main one; or `CrossTenantReference` when the object that is written,
        or whose related objects are, belongs to another tenant than the current one; `TenantsElsewhere` when unscoped
        code writes one that is not here."""
        instance = hints.get("instance")
        if isinstance(instance, models.Model):
            _refuse_foreign(instance)
            check_lives_here([instance])
        return _database(model, instance)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """None (no opinion), or False where a tenant's home is migrated and the app has no tables in it; also for
        `RunPython` and `RunSQL` with `hints={"homes": False}`."""
        connection: Any = connections[db]
        if HOME_OF in connection.settings_dict and hints.get("homes") is False:
            return False
        if not getattr(connection, "migrating", ""):
            return None
        return None if app_label in home_apps() and hints.get("homes") is not False else False

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool | None:
        """None (no opinion), or `CrossTenantReference` when both belong to tenants and not to one, or one
        of them to another than the current one. True for objects of one tenant in two databases."""
        first, second = tenant_of(obj1), tenant_of(obj2)
        if first is not None and second is not None and first != second:
            raise CrossTenantReference(
                f"{obj1._meta.label} {obj1.pk} and {obj2._meta.label} {obj2.pk} belong to different tenants and "
                "cannot refer to each other."
            )
        if (first if second is None else second) not in (None, current_scope().key):
            _refuse_foreign(obj1 if second is None else obj2)
        return True if allows_databases() and _is_ours(obj1) and _is_ours(obj2) else None


def _database(model: type[models.Model], instance: Any) -> str | None:
    if not allows_databases() or (instance is not None and not _is_ours(instance)):
        return None
    home = current_scope().home
    if home is None or not home.database:
        at = database_at_work()  # where unscoped code of a migration is
        return at if at and lives_at_home(model) else MAIN
    return str(home.database) if lives_at_home(model) else SHARED


def _is_ours(obj: models.Model) -> bool:
    """Whether it is an object of the main database, or of a tenant's."""
    alias = obj._state.db
    return alias in (None, MAIN, SHARED) or is_elsewhere(alias)


def _refuse_foreign(obj: models.Model) -> None:
    scope = current_scope()
    if scope.key is not None and belongs_elsewhere(obj, scope.key):
        raise CrossTenantReference(
            f"{obj._meta.label} {obj.pk} belongs to another tenant than the current one, {describe(scope)}. Nothing "
            "here can refer to it or be written through it; enter its tenant with `tenant_context(...)`."
        )
