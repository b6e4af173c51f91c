"""django-tenants."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.db import connection

from .base import Peer


class DjangoTenants(Peer):
    def migrate_shared(self) -> None:
        call_command("migrate_schemas", shared=True, verbosity=0, interactive=False)

    def migrate_all(self) -> None:
        call_command("migrate_schemas", tenant=True, verbosity=0, interactive=False)

    def enter(self, tenant: Any) -> None:
        connection.set_tenant(tenant)

    def leave(self) -> None:
        connection.set_schema_to_public()


SIDE = DjangoTenants
