"""A fence does not outlive the tenant that it was about: a key may be given to another one."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from django_tenantkit.lifecycle.fence import fence, is_fenced
from django_tenantkit.testing.tenants import make_tenant

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the database's own guard"),
]


@pytest.mark.parametrize("closed", [False, True])
def test_flush_lifts_fences(closed: bool) -> None:
    tenant = make_tenant("acme")
    fence(tenant, closed=closed)
    assert is_fenced(tenant)
    call_command("flush", verbosity=0, interactive=False)
    assert not is_fenced(tenant)
