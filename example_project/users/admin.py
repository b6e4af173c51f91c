"""What operators see on the base domain: the people of all tenants, and the tenants themselves."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from django_tenantkit.models import Domain, Membership, Tenant

from .models import User

admin.site.site_header = admin.site.site_title = "Workbench · operators"


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Rows of all tenants can refer to a person, so they are not deleted here: take `is_active` from them."""

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ("user", "tenant", "role", "created_at")
    list_filter = ("tenant", "role")
    autocomplete_fields = ("user",)


class DomainInline(admin.TabularInline):
    model = Domain
    extra = 0


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    """To look and to correct. Tenants are made, suspended and resumed by commands or the API, which also
    do what belongs to it; they are never deleted as a row."""

    list_display = ("slug", "name", "plan", "status", "created_at")
    list_filter = ("status", "plan")
    search_fields = ("slug", "name")
    readonly_fields = ("uid", "slug", "status", "created_at")
    inlines = (DomainInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False
