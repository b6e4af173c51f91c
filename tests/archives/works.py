"""What is killed in the middle, and done again."""

from __future__ import annotations

from typing import Any

from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.lifecycle.archive.restoring import restore_tenant
from django_tenantkit.models import Tenant


def acme() -> Any:
    return Tenant.objects.get(slug="acme")


def write(file: str) -> None:
    export_tenant(acme(), file)


def load(file: str) -> None:
    import_tenant(file, "copy")


def update(file: str) -> None:
    import_tenant(file, on_conflict="update")


def clone() -> None:
    clone_tenant(acme(), "copy")


def restore(file: str) -> None:
    restore_tenant(acme(), file, ["all"])
