"""Tenants that have a database."""

from __future__ import annotations

from uuid import UUID

from .base import Home, Isolation
from .entries import database_alias


class DatabaseIsolation(Isolation):
    """A database of the tenant's own, with the tables that row tenants share in the main one."""

    name = "database"

    def home(self, uid: UUID, server: str) -> Home:
        return Home(database=database_alias(uid, server))
