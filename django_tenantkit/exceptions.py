"""One tree of errors. The docstring of a class is its default message and names the cure."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


class TenantkitError(Exception):
    """django_tenantkit refused; see the message of the subclass."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))


class NoCurrentTenant(TenantkitError):
    """There is no current tenant. Enter one with `tenant_context(tenant)`; for work on all tenants
    say `unscoped(reason="...")`."""


class TenantContextError(TenantkitError):
    """A tenant_context was left in another order than it was entered. Do not hold a `with
    tenant_context(...)` open across a `yield`; decorate the generator with `@tenant_context(...)`."""


class TenantNotFound(TenantkitError):
    """There is no such tenant. `list_tenants` shows those that exist."""


class MalformedTenantName(TenantkitError):
    """The request names its tenant with something that is neither a slug nor a uid. Send one of them."""


class AmbiguousTenant(TenantkitError):
    """Two parts of the request name different tenants. Name one, and only once."""


class TenantAccessDenied(TenantkitError):
    """The user may not act in this tenant. Add a Membership, or change TENANTKIT_ACCESS_POLICY."""


class TenantSuspended(TenantkitError):
    """The tenant is suspended. `resume_tenant SLUG` lets it work again."""


class TenantUnavailable(TenantkitError):
    """The tenant is in maintenance. Try again later, or see its status with `list_tenants`."""


class HomeMissing(TenantUnavailable):
    """The schema or database of the tenant is not there. Restore it from a backup; `list_tenants` shows where it
    should be."""


class TenantsElsewhere(TenantkitError):
    """Unscoped code reaches row tenants only, and this deployment has others. Use `for_each_tenant(function,
    reason="...")`, or say `unscoped(reason="...", rows_only=True)`."""


class TenantsFailed(TenantkitError):
    """The function of `for_each_tenant()` failed in some tenants. `errors` has what it raised, by tenant, and
    `results` what it returned in the others. Call it again with `tenants=list(error.errors)`."""

    def __init__(self, results: Mapping[Any, Any], errors: Mapping[Any, Exception]) -> None:
        listed = "; ".join(f"{tenant.slug} ({type(error).__name__}: {error})" for tenant, error in errors.items())
        super().__init__(
            f"It failed in {len(errors)} of {len(errors) + len(results)} tenants: {listed}. The others are done; call "
            "it again for these: for_each_tenant(..., tenants=list(error.errors))."
        )
        self.results = results
        self.errors = errors


class AcrossDatabases(TenantkitError):
    """A statement would need rows of two databases: the main one and a tenant's. Start it at the tenant's model, or
    ask twice."""


class TenantImmutable(TenantkitError):
    """A row's tenant never changes. Create a new row in the other tenant instead."""


class CrossTenantReference(TenantkitError):
    """An object of another tenant cannot be referenced, saved or deleted here. Enter its tenant
    with `tenant_context(object.tenant)`."""


class SharedDeletionRefused(CrossTenantReference):
    """The row is shared by all tenants and rows of tenants can refer to it, so it is not deleted inside a
    tenant. Delete it for all of them: `with unscoped(reason="..."): ...`"""


class TenantDeletionRefused(TenantkitError):
    """A tenant is not deleted as a row: its data would stay behind. Use `suspend_tenant SLUG` to
    lock it, or `erase_tenant SLUG` to remove everything of it."""


class ProvisioningRefused(TenantkitError):
    """The tenant cannot be made as asked; nothing was changed."""


class JobFailed(TenantkitError):
    """A step of a long job failed; the steps before it are done and recorded. Remove the cause, then
    go on with the job by its uid."""


class EraseRefused(TenantkitError):
    """The tenant cannot be erased as asked; nothing was changed."""


class TenantRemains(TenantkitError):
    """Something of the tenant is left. Remove what is named, then go on with the job."""


class MigratingRefused(TenantkitError):
    """The homes of tenants cannot be migrated now; nothing was changed."""


class TenantStatusRefused(TenantkitError):
    """The tenant's status does not allow this; nothing was changed. `list_tenants` shows the status."""


class MoveRefused(TenantkitError):
    """The tenant cannot move there; it lives where it lived."""


class RolesRefused(TenantkitError):
    """The roles of the database cannot be what the settings say; nothing was changed."""


class SnapshotRefused(TenantkitError):
    """The schema cannot be copied from what the catalog says of it. Make the new one by its migrations."""


class QuotaExceeded(TenantkitError):
    """The tenant's plan does not allow more of this."""


class ArchiveRefused(TenantkitError):
    """The archive cannot be read; nothing was changed."""
