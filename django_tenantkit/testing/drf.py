"""DRF's test client at a tenant's host. Import it where rest_framework is installed."""

from __future__ import annotations

from rest_framework.test import APIClient

from .client import _SyncRequests


class TenantAPIClient(_SyncRequests, APIClient):
    """`TenantAPIClient(tenant).post("/invoices/", {...}, format="json")`. After `force_authenticate` the
    user is known only when DRF authenticates, as with a token."""
