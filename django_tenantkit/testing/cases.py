"""Test cases that run inside a tenant, for `unittest` and Django's test runner, and for pytest too."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest import TestResult
from unittest.mock import patch

from django.test import TestCase, TransactionTestCase

from ..context import tenant_context
from ..models import AbstractTenant
from .client import TenantAsyncClient, TenantClient, TenantClientMixin
from .tenants import make_tenant


class _InTenant(TransactionTestCase):
    """Runs `setUp`, the test, `tearDown` and the clean-ups in `self.tenant`; coroutine tests as well."""

    client_class = TenantClient
    async_client_class = TenantAsyncClient

    tenant: AbstractTenant
    other_tenant: AbstractTenant

    @classmethod
    def make_tenant(cls, slug: str) -> AbstractTenant:
        """Make one of the two tenants. Override it for tenants that need more, or to provision them."""
        return make_tenant(slug)

    def run(self, result: TestResult | None = None) -> TestResult | None:
        """Run the test in the tenant."""
        with patch.object(self, "setUp", partial(self._set_up, self.setUp)):
            return super().run(result)

    def debug(self) -> None:
        """Run the test in the tenant, letting errors out."""
        with patch.object(self, "setUp", partial(self._set_up, self.setUp)):
            super().debug()

    def _set_up(self, own: Any) -> None:
        """In place of `setUp`, so that an error here is an error of this test, and left by a clean-up,
        which comes after `tearDown`. Subclasses need not call `super().setUp()`."""
        self._take_tenants()
        self.enterContext(tenant_context(self.tenant))
        for client in (self.client, self.async_client):
            if isinstance(client, TenantClientMixin):
                client.tenant = self.tenant
        own()

    def _take_tenants(self) -> None:
        """Have `self.tenant` and `self.other_tenant` ready."""


class TenantTestCase(_InTenant, TestCase):
    """Django's `TestCase` with two tenants, `self.tenant` (acme) and `self.other_tenant` (globex).

    `setUpTestData`, `setUp` and the tests, coroutines too, run in `self.tenant`, and `self.client` and
    `self.async_client` talk to its host. `fixtures` are loaded before there are tenants, so they are for
    shared tables; in `setUpTestData`, `call_command("loaddata", ...)` loads rows of the tenant.
    """

    @classmethod
    def setUpClass(cls) -> None:
        """Make the tenants, and call `setUpTestData` in the first, where Django calls it."""
        with patch.object(cls, "setUpTestData", partial(cls._set_up_test_data, cls.setUpTestData)):
            super().setUpClass()

    @classmethod
    def _set_up_test_data(cls, own: Any) -> None:
        cls.tenant = cls.make_tenant("acme")
        cls.other_tenant = cls.make_tenant("globex")
        with tenant_context(cls.tenant):
            own()


class TenantTransactionTestCase(_InTenant):
    """Django's `TransactionTestCase` with `self.tenant` and `self.other_tenant`, made for each test, which
    runs in the first. What the test commits is committed; the tables are emptied after it."""

    def _take_tenants(self) -> None:
        self.tenant = self.make_tenant("acme")
        self.other_tenant = self.make_tenant("globex")
