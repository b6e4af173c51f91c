"""Django's own connection and compilers, declared fit so that the app lets it connect."""

from __future__ import annotations

from django.db.backends.postgresql import base, operations


class DatabaseOperations(operations.DatabaseOperations):
    """Scopes nothing. What it says is false, and only a benchmark may say it."""

    scopes_tenants = True


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
