"""`suspend_tenant SLUG`."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from ...lifecycle.suspend import start_maintenance, suspend
from ..base import StatusCommand


class Command(StatusCommand):
    """Lock a tenant."""

    help = (
        "Lock a tenant: its users get a 403, and the database refuses its writes; or with --maintenance a 503. Its "
        "data stay as they are."
    )

    def add_options(self, parser: CommandParser) -> None:
        super().add_options(parser)
        parser.add_argument("--maintenance", action="store_true", help="Only for a while: a 503 with Retry-After.")
        parser.add_argument(
            "--fence",
            action=BooleanOptionalAction,
            help="Have the database refuse its writes, by whomever: without --maintenance it does anyway.",
        )

    def work(self, options: dict[str, Any]) -> None:
        if options["maintenance"]:
            return self.change(partial(start_maintenance, fenced=bool(options["fence"])), options)
        self.change(partial(suspend, fenced=options["fence"]), options)
