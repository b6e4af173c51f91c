"""`resume_tenant SLUG`."""

from __future__ import annotations

from typing import Any

from ...lifecycle.suspend import resume
from ..base import StatusCommand


class Command(StatusCommand):
    """Let a tenant work again."""

    help = "Let a tenant that is suspended or in maintenance work again."

    def work(self, options: dict[str, Any]) -> None:
        self.change(resume, options)
