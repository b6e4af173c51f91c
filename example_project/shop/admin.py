"""Customers, products and orders in the admin of a tenant."""

from typing import Any

from django.contrib.admin import TabularInline, display, register
from django.db.models import QuerySet
from django.http import HttpRequest

from example_project.workspace import WorkspaceAdmin, is_manager, workspace

from .models import Customer, Order, OrderLine, Product


@register(Customer, site=workspace)
class CustomerAdmin(WorkspaceAdmin):
    list_display = ("name", "email", "city", "country", "since")
    list_filter = ("country",)
    search_fields = ("name", "email")


@register(Product, site=workspace)
class ProductAdmin(WorkspaceAdmin):
    list_display = ("sku", "name", "price", "stock", "active")
    list_filter = ("active",)
    search_fields = ("sku", "name")


class LineInline(TabularInline):
    model = OrderLine
    autocomplete_fields = ("product",)
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_manager(request)

    has_view_permission = has_change_permission = has_delete_permission = has_add_permission


@register(Order, site=workspace)
class OrderAdmin(WorkspaceAdmin):
    list_display = ("number", "customer", "status", "ordered_at", "total")
    list_filter = ("status", "ordered_at")
    list_select_related = ("customer",)
    autocomplete_fields = ("customer",)
    search_fields = ("number", "customer__name")
    inlines = (LineInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return Order.objects.with_total().order_by("-ordered_at")

    @display(ordering="total")
    def total(self, order: Any) -> str:
        return f"{order.total or 0:.2f}"
