"""Commands of Django's that make or change tables."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def as_system(connection: Any) -> AbstractContextManager[None]:
    """The system's login on a connection of ours; nothing on one that has no logins, as SQLite's."""
    enter: Any = getattr(connection, "as_system", nullcontext)
    context: AbstractContextManager[None] = enter()
    return context
