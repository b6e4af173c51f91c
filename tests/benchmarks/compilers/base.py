"""Django's own connection and cursors, with the operations that name our compilers."""

from __future__ import annotations

from django.db.backends.postgresql import base

from django_tenantkit.backends.mixins import TenantConnection
from django_tenantkit.backends.postgresql.base import DatabaseOperations


class DatabaseWrapper(TenantConnection, base.DatabaseWrapper):
    ops_class = DatabaseOperations
