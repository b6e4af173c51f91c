"""django-pgschemas."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django_pgschemas.schema import activate, activate_public

from .base import Peer


class DjangoPgschemas(Peer):
    def migrate_shared(self) -> None:
        call_command("migrateschema", schemas=["public"], verbosity=0, interactive=False)

    def migrate_all(self) -> None:
        call_command("migrateschema", dynamic_schemas=True, verbosity=0, interactive=False)

    def enter(self, tenant: Any) -> None:
        activate(tenant)

    def leave(self) -> None:
        activate_public()


SIDE = DjangoPgschemas
