"""What a connection reaches of the tenants: not all of them where some have a schema or a database of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from ..conf import conf
from ..context import Scope
from ..exceptions import TenantkitError, TenantsElsewhere
from ..registry import lives_at_home

#: Django's record of migrations, of which each home has its own.
_LEDGER = "django_migrations"


def check_unscoped(connection: Any, scope: Scope, fields: Iterable[Any], *, creates: bool = False) -> None:
    """Raise `TenantsElsewhere` where an unscoped statement on tenant tables, given by their tenant fields, would
    leave tenants out that live elsewhere; or would make a row here that belongs there. A migration means the home
    that it is in."""
    if scope.reason is None or list(conf.ISOLATIONS) == ["row"] or is_system(connection):
        return
    field = next((field for field in fields if field is not None), None)
    if field is None or (scope.rows_only and not creates):
        return
    label = field.model._meta.label
    if creates:
        raise TenantsElsewhere(
            f"A new {label} is made where its tenant lives, and unscoped code is nowhere in particular. Enter the "
            "tenant: `with tenant_context(tenant): ...`."
        )
    raise TenantsElsewhere(
        f"Unscoped code reaches the {label} of row tenants only, and this deployment has others "
        '(TENANTKIT_ISOLATIONS). Use `for_each_tenant(function, reason="...")`, or say '
        '`unscoped(reason="...", rows_only=True)`.'
    )


def check_shared_write(connection: Any, table: str, model: type[models.Model]) -> None:
    """Raise `TenantkitError` where a migration writes to a shared table while it runs for one tenant's home: it did
    so already in the main database, and would again for each tenant."""
    if getattr(connection, "migrating", "") and table != _LEDGER and not lives_at_home(model):
        raise TenantkitError(
            f"A migration that runs in the schema of a tenant writes to {model._meta.label}, which all tenants share; "
            "it did so when the main database was migrated. Give its RunPython "
            '`hints={"homes": False}`, or divide it in two.'
        )


def is_system(connection: Any) -> bool:
    """Whether the connection is logged in as the system: it makes and migrates tables."""
    return getattr(connection, "login", "") == "system"
