"""Tenants that tests of homes share."""

from __future__ import annotations

from typing import Any

import pytest

from django_tenantkit.testing.tenants import make_tenant


@pytest.fixture
def acme(db: None) -> Any:
    """A tenant with a schema."""
    return make_tenant("acme", isolation="schema")


@pytest.fixture
def shared(db: None) -> Any:
    """A tenant whose rows are in tables that tenants share."""
    return make_tenant("shared")
