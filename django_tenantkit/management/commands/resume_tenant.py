"""`resume_tenant SLUG`."""

from __future__ import annotations

from typing import Any

from ...lifecycle.erase.grace import bring_back
from ..base import StatusCommand


class Command(StatusCommand):
    """Let a tenant work again."""

    help = (
        "Let a tenant that is suspended or in maintenance work again; or bring back one that is to be erased, as it "
        "was, while its grace lasts."
    )

    def work(self, options: dict[str, Any]) -> None:
        self.change(bring_back, options)
