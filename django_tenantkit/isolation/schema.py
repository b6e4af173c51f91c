"""Tenants that have a schema."""

from __future__ import annotations

from uuid import UUID

from .base import Home, Isolation
from .entries import shard_alias


def schema_name(uid: UUID) -> str:
    """The name of the schema of the tenant with that uid."""
    return f"t_{uid.hex}"


def left_name(uid: UUID) -> str:
    """The name of that schema once the tenant left it: nothing looks there."""
    return f"left_{uid.hex}"


class SchemaIsolation(Isolation):
    """A schema of the tenant's own, with tables of the same shape. It is first in the `search_path` of the tenant's
    statements, before `public`; the schema that row tenants share is not in that path. On another
    server it is in the shard there, see `entries.py`."""

    name = "schema"

    def home(self, uid: UUID, server: str) -> Home:
        return Home(schema_name(uid), shard_alias(server))
