"""Admins that name the tenant where it has no place."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin import sites

from django_tenantkit.checks.admin import check_admin
from tests.testapp.models import Customer, Invoice, Line, Region, Vip


class LineInline(admin.TabularInline):
    model = Line
    fields = ("tenant", "product")


FAULTS = {
    "E401 fields": (Invoice, {"fields": ["number", "tenant"]}),
    "E401 nested fields": (Invoice, {"fields": ["number", ("amount", "tenant")]}),
    "E401 fieldsets": (Invoice, {"fieldsets": [(None, {"fields": ["tenant"]})]}),
    "E401 raw id": (Invoice, {"raw_id_fields": ["tenant"]}),
    "E401 autocomplete": (Invoice, {"autocomplete_fields": ["tenant"]}),
    "E401 radio": (Invoice, {"radio_fields": {"tenant": admin.VERTICAL}}),
    "E401 inline": (Invoice, {"inlines": [LineInline]}),
    "E401 child": (Vip, {"fields": ["vip_tenant"]}),
    "W402 list_filter": (Invoice, {"list_filter": ["tenant"]}),
    "W402 lookup": (Invoice, {"list_filter": ["tenant__name"]}),
    "W402 pair": (Invoice, {"list_filter": [("tenant", admin.RelatedFieldListFilter)]}),
}

FINE = {
    "nothing said": (Invoice, {}),
    "read only": (Invoice, {"fields": ["number", "tenant"], "readonly_fields": ["tenant"]}),
    "list": (Invoice, {"list_display": ["number", "customer"], "list_filter": ["customer"]}),
    "shared model": (Region, {"fields": ["name"]}),
    "another inline": (Customer, {"fields": ["name"]}),
}


@pytest.fixture
def register(monkeypatch):
    """Register a model with options, on a site of its own."""

    def registering(model, options):
        site = admin.AdminSite("own")
        site.register(model, type("OwnAdmin", (admin.ModelAdmin,), options))
        monkeypatch.setattr(sites, "all_sites", {site})

    return registering


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, register):
    register(*FAULTS[fault])
    assert [message.id for message in check_admin()] == [f"tenantkit.{fault.split()[0]}"]


@pytest.mark.parametrize("shape", FINE)
def test_what_is_no_fault_is_not_reported(shape, register):
    register(*FINE[shape])
    assert check_admin() == []


def test_a_message_names_the_admin_and_has_a_hint(register):
    register(Invoice, {"list_filter": ["tenant"]})
    (message,) = check_admin()
    assert message.msg.startswith("OwnAdmin filters its list by 'tenant'")
    assert message.hint == "Leave 'tenant' out of list_filter."


def test_nothing_is_checked_without_the_admin(register, settings):
    register(Invoice, {"list_filter": ["tenant"]})
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django.contrib.admin"]
    assert check_admin() == []
