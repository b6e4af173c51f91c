"""Where the rows of a tenant live. One small class for each isolation; `isolation_of()` finds a tenant's."""

from __future__ import annotations

from typing import Any

from ..exceptions import TenantkitError
from .base import Home, Isolation
from .database import DatabaseIsolation
from .row import RowIsolation
from .schema import SchemaIsolation

__all__ = ["ISOLATIONS", "Home", "Isolation", "home_of", "isolation_of"]

ISOLATIONS: dict[str, Isolation] = {one.name: one for one in (RowIsolation(), SchemaIsolation(), DatabaseIsolation())}


def isolation_of(name: str) -> Isolation:
    """The isolation of that name. Raises `TenantkitError` for any other."""
    found = ISOLATIONS.get(name)
    if found is None:
        raise TenantkitError(f"There is no isolation {name!r}. Write one of {', '.join(ISOLATIONS)}.")
    return found


def home_of(tenant: Any) -> Home | None:
    """Where a tenant's rows live; None for the tables that the main database shares out."""
    return isolation_of(tenant.isolation).home(tenant.uid, tenant.database)
