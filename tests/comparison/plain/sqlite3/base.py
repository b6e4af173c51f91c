"""Django's SQLite. It claims to scope tenants, so that the app lets it connect."""

from django.db.backends.sqlite3 import base, operations


class DatabaseOperations(operations.DatabaseOperations):
    scopes_tenants = True


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
