"""The four roles of a database, by name."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from ..conf import Settings, conf

#: PostgreSQL cuts longer names off without a word, and two roles could become one.
MAX_NAME = 63

#: Where an entry of DATABASES keeps the name that it had before a test database took its place: the roles
#: of a project's tests are the project's.
ORIGINAL_NAME = "TENANTKIT_NAME"

_HINT = "Set TENANTKIT_OWNER_ROLE, TENANTKIT_APPLICATION_ROLE, TENANTKIT_OPERATOR_ROLE and TENANTKIT_SYSTEM_ROLE."


class Roles(NamedTuple):
    """`owner` owns the tables and cannot log in; `application` is what requests run as; `operator` sees the
    rows of all tenants; `system` logs in for migrations and lifecycle commands and acts as the owner."""

    owner: str
    application: str
    operator: str
    system: str


def roles_of(database: dict[str, Any]) -> Roles:
    """The roles of a database, given its entry in DATABASES. Roles are global to a server, so by default
    their names contain the database's. Raises `ImproperlyConfigured` for names that cannot be had."""
    name = str(database.get(ORIGINAL_NAME) or database.get("NAME") or "postgres")
    return _named(name, conf.OWNER_ROLE, conf.APPLICATION_ROLE, conf.OPERATOR_ROLE, conf.SYSTEM_ROLE)


def usual_roles(name: str) -> Roles:
    """The roles of the database of that name in a project that does not name them otherwise: no settings are
    read."""
    patterns = (Settings.OWNER_ROLE, Settings.APPLICATION_ROLE, Settings.OPERATOR_ROLE, Settings.SYSTEM_ROLE)
    return _named(name, *(pattern.default for pattern in patterns))


def _named(database: str, *patterns: str) -> Roles:
    roles = Roles(*(_name(pattern, database) for pattern in patterns))
    if len(set(roles)) < len(roles):
        raise ImproperlyConfigured(f"Two roles of the database {database!r} are one: {', '.join(roles)}. {_HINT}")
    return roles


def _name(pattern: str, database: str) -> str:
    """`pattern` for that database. Of a database's name that is too long the beginning stays, and a digest."""
    name = pattern.replace("{database}", database)
    if len(name.encode()) > MAX_NAME:
        fixed = pattern.replace("{database}", "")
        digest = hashlib.sha256(database.encode()).hexdigest()[:8]
        room = max(MAX_NAME - len(fixed.encode()) - len(digest) - 1, 0)
        start = database.encode()[:room].decode(errors="ignore")
        name = pattern.replace("{database}", f"{start}_{digest}")
    reserved = name in ("", "public", "none") or name.startswith("pg_") or "\0" in name
    if reserved or len(name.encode()) > MAX_NAME:
        raise ImproperlyConfigured(f"PostgreSQL can have no role of the name {name!r}. {_HINT}")
    return name
