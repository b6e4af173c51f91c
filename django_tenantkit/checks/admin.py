"""The admin leaves the tenant out, as forms do."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from .common import TAG, Messages, imported, tenant_names

#: Options in which the admin makes a form field or a widget of each name.
FORM_OPTIONS = ("list_editable", "autocomplete_fields", "raw_id_fields", "radio_fields")


@register(TAG, Tags.admin)
def check_admin(**kwargs: Any) -> list[CheckMessage]:
    """E401 and W402."""
    if not apps.is_installed("django.contrib.admin"):
        return []
    sites = imported("django.contrib.admin.sites.all_sites")
    admins = [admin for site in sites for admin in site._registry.values()]
    inlines = [inline for admin in admins for inline in admin.inlines]
    return [message for admin in [*admins, *inlines] for message in tenant_in_options(admin)]


def tenant_in_options(admin: Any) -> Messages:
    """Options of an admin, or of an inline, that name the tenant."""
    tenant = tenant_names(admin.model)
    who = (admin if isinstance(admin, type) else type(admin)).__qualname__
    for name in sorted(tenant & _form_fields(admin)):
        yield Error(
            f"{who} puts {name!r} into a form, which Django refuses: the tenant is filled in by itself.",
            hint=f"Leave {name!r} out of fields, fieldsets, {', '.join(FORM_OPTIONS)}.",
            obj=who,
            id="tenantkit.E401",
        )
    for name in sorted(tenant & {_first(entry) for entry in getattr(admin, "list_filter", ())}):
        yield Warning(
            f"{who} filters its list by {name!r}: all rows that it can show are of one tenant.",
            hint=f"Leave {name!r} out of list_filter.",
            obj=who,
            id="tenantkit.W402",
        )


def _form_fields(admin: Any) -> set[str]:
    """The names that are made into form fields, as far as the class says."""
    given = flatten_fieldsets(admin.fieldsets) if admin.fieldsets else flatten(admin.fields or ())
    found = {*given, *(name for option in FORM_OPTIONS for name in getattr(admin, option, ()))}
    return found - set(admin.readonly_fields)


def _first(entry: Any) -> str:
    """The field that an entry of `list_filter` begins with."""
    name = entry[0] if isinstance(entry, list | tuple) else entry
    return name.partition("__")[0] if isinstance(name, str) else ""
