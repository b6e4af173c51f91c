"""What is measured without the session protocol still runs: our compilers on Django's own connection."""

from __future__ import annotations

import pytest
from django.db import connection, connections

from django_tenantkit.models import Tenant
from tests.testapp.models import Customer

from .compilers.base import DatabaseWrapper


@pytest.mark.django_db
@pytest.mark.postgresql
def test_the_compilers_run_on_djangos_own_connection(tenant: Tenant) -> None:
    connections["compilers"] = DatabaseWrapper(connection.settings_dict, "compilers")
    try:
        with connections["compilers"].execute_wrapper(lambda run, sql, *rest: sql):
            pass
        assert Customer.objects.using("compilers").count() == 0
    finally:
        connections["compilers"].close()
        del connections["compilers"]
