"""Which shared rows are not deleted inside a tenant, where apps without tenants are at home."""

from __future__ import annotations

from django.apps import apps
from django.contrib.admin.models import LogEntry

from django_tenantkit.registry import TableMap


def referenced(models):
    return TableMap(object(), models).referenced


def test_what_rows_of_homes_refer_to_is_shared_by_all_of_them(settings):
    settings.TENANTKIT_TENANT_APPS = ["admin"]
    assert referenced([LogEntry]) == {
        "auth_user": "admin.LogEntry.user",
        "django_content_type": "admin.LogEntry.content_type",
    }


def test_rows_of_homes_are_the_tenants_to_delete(settings):
    """Though rows of tenants refer to users, these are its own."""
    settings.TENANTKIT_TENANT_APPS = ["admin", "auth"]
    everything = apps.get_models(include_auto_created=True)
    assert not {"auth_user", "auth_group", "auth_permission"} & set(referenced(everything))
