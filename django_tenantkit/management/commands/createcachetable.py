"""`manage.py createcachetable`, by the system, like `migrate`."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import createcachetable
from django.db import connections

from ..system import as_system


class Command(createcachetable.Command):
    """Django's command."""

    def handle(self, *args: Any, **options: Any) -> None:
        with as_system(connections[options["database"]]):
            super().handle(*args, **options)
