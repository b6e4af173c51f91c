"""A connection beside Django's, for what is not a tenant's: roles, and what logins may do."""

from __future__ import annotations

from typing import Any, cast

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper

#: Parameters that make a connection Django's.
_DJANGOS = ("cursor_factory", "context", "prepare_threshold")


def connect_outside(connection: BaseDatabaseWrapper, user: str | None = None) -> psycopg.Connection[Any]:
    """Connect as DATABASES says, whoever `connection` is logged in as: in autocommit mode, with no tenant
    and as no other role. With `user` as that role; its password is libpq's business (PGPASSWORD, ~/.pgpass).
    """
    params = DatabaseWrapper.get_connection_params(cast(DatabaseWrapper, connection))
    present: dict[str, Any] = {name: value for name, value in params.items() if name not in _DJANGOS}
    if user is not None:
        present.pop("password", None)
        present["user"] = user
    return psycopg.connect(**present, autocommit=True)
