"""Fixtures for pytest. They need pytest-django, and are there wherever django_tenantkit is installed and
named in INSTALLED_APPS. A fixture of the same name in a conftest.py takes their place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..context import tenant_context
from ..models import AbstractTenant
from .client import TenantAsyncClient, TenantClient
from .tenants import make_tenant


@pytest.fixture
def tenant(db: None) -> AbstractTenant:
    """An active tenant, `acme`. The test runs with no tenant: see `in_tenant`."""
    return make_tenant("acme")


@pytest.fixture
def other_tenant(db: None) -> AbstractTenant:
    """Another active tenant, `globex`, to show that nothing crosses the line."""
    return make_tenant("globex")


@pytest.fixture
def in_tenant(tenant: AbstractTenant) -> Iterator[AbstractTenant]:
    """`tenant`, entered for the whole test: `@pytest.mark.usefixtures("in_tenant")`."""
    with tenant_context(tenant):
        yield tenant


@pytest.fixture
def tenant_client(tenant: AbstractTenant) -> TenantClient:
    """A test client at the host of `tenant`. Its `force_login(user)` is a login there."""
    return TenantClient(tenant)


@pytest.fixture
def async_tenant_client(transactional_db: None, tenant: AbstractTenant) -> TenantAsyncClient:
    """An async test client at the host of `tenant`. Coroutines reach the database by a connection of their
    own, so what the test wrote must be committed: hence `transactional_db`."""
    return TenantAsyncClient(tenant)
