"""Our app without what it does when Django starts."""

from __future__ import annotations

from django.apps import AppConfig


class PlainTenantkitConfig(AppConfig):
    """The models are there, for the tenant field to refer to, and Django's own engine is not refused."""

    name = "django_tenantkit"
    default_auto_field = "django.db.models.BigAutoField"
