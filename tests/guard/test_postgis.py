"""`django_tenantkit.backends.postgis`, on a PostgreSQL 15 with PostGIS where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.roles import servers

CONTROL = Path("/usr/share/postgresql/15/extension/postgis.control")


@pytest.fixture(scope="module")
def found():
    """What the application saw of two tenants' places while it stood in the first."""
    if not (servers.BINARIES.is_dir() and CONTROL.exists()):
        pytest.skip("no PostgreSQL 15 with PostGIS on this machine")
    try:
        from django.contrib.gis import gdal  # noqa: F401
    except ImproperlyConfigured:
        pytest.skip("no GDAL on this machine")
    with servers.postgresql() as server, server.place() as place:
        place.set_up()
        with place.connect() as superuser:
            superuser.execute("CREATE EXTENSION postgis")
        environment = os.environ | {
            "POSTGIS_DATABASE": json.dumps(place.entry(place.roles.application)),
            "POSTGIS_ROLES": json.dumps(place.roles),
        }
        command = [sys.executable, "-m", "tests.guard.on_postgis"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


def test_the_orm_finds_the_tenants_places(found):
    assert found["orm"] == [[0.0, 0.0]]


def test_raw_sql_finds_the_tenants_places(found):
    assert found["sql"] == [["POINT(0 0)"]]
