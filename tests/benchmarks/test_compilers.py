"""What is measured without the session protocol still runs: our compilers on Django's own connection."""

from __future__ import annotations

import pytest
from django.db import connection, connections

from django_tenantkit.models import Tenant
from tests.testapp.models import Customer

from .compilers.base import DatabaseWrapper


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
def test_the_compilers_run_on_djangos_own_connection(in_tenant: Tenant) -> None:
    connections["compilers"] = DatabaseWrapper(connection.settings_dict, "compilers")  # type: ignore[no-untyped-call]
    try:
        assert Customer.objects.using("compilers").count() == 0
    finally:
        connections["compilers"].close()
        del connections["compilers"]
