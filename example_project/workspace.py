"""The admin on a tenant's own address, for those who manage the tenant.

Django's own `admin.site` is for the operators and lives on the base domain: its permissions, like users
themselves, are shared by all tenants.
"""

from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest

from django_tenantkit.context import get_current_tenant
from example_project.pages.forms import LoginForm
from example_project.users.models import User

MANAGERS = ("owner", "admin")


def is_manager(request: HttpRequest) -> bool:
    """Whether the user manages the current tenant."""
    user, tenant = request.user, get_current_tenant()
    if tenant is None or not user.is_authenticated:
        return False
    return bool(user.tenant_memberships.filter(tenant=tenant.pk, role__in=MANAGERS).exists())


class WorkspaceSite(AdminSite):
    """Who may enter is decided by the role in the tenant, not by `is_staff`."""

    site_header = site_title = "Workbench"
    index_title = "Manage"
    index_template = "workspace/index.html"
    login_form = LoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        return is_manager(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"site_header": f"{get_current_tenant()} · Workbench"}


workspace = WorkspaceSite(name="workspace")


class WorkspaceAdmin(ModelAdmin):
    """Managers may do everything. Lists, look-ups and choices are the tenant's own by themselves; only
    people, who are shared, have to be asked for."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_manager(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_manager(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_manager(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_manager(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_manager(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.remote_field.model is User:
            kwargs["queryset"] = User.objects.members()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
