"""`suspend_tenant SLUG`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ...lifecycle.suspend import start_maintenance, suspend
from ..base import StatusCommand


class Command(StatusCommand):
    """Lock a tenant."""

    help = "Lock a tenant: its users get a 403, or with --maintenance a 503. Its data stay as they are."

    def add_options(self, parser: CommandParser) -> None:
        super().add_options(parser)
        parser.add_argument("--maintenance", action="store_true", help="Only for a while: a 503 with Retry-After.")

    def work(self, options: dict[str, Any]) -> None:
        self.change(start_maintenance if options["maintenance"] else suspend, options)
