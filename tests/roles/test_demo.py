"""The demo on a server that DATABASE_URL names makes its roles, and takes them away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.roles.servers import PASSWORD, Place

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(place: Place) -> Place:
    """On a server of ours alone: others run demos where DATABASE_URL says."""
    if "DATABASE_URL" in os.environ and not place.server.asks_password:
        pytest.skip("somebody's server may have other demos on it")
    return place


def demo(place: Place, user: str) -> subprocess.CompletedProcess[str]:
    """`manage.py demo --once` as the demo's tests start it, with that login."""
    unwanted = ("DJANGO_SETTINGS_MODULE", "TENANTKIT_", "PYTEST_", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    found = place.server.parameters
    host, port = found.get("host", ""), f":{found['port']}" if found.get("port") else ""
    where = f"{port}/postgres?host={quote(host)}" if host.startswith("/") else f"{host}{port}/postgres"
    url = f"postgresql://{user}:{quote(PASSWORD)}@{where}"
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--once"],
        cwd=ROOT,
        env={**environment, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def left_behind(place: Place) -> list[Any]:
    return place.rows(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'tenantkit_demo') "
        "UNION ALL SELECT datname FROM pg_database WHERE starts_with(datname, 'tenantkit_demo')"
    )


def test_it_runs_as_the_application_and_leaves_nothing(place: Place) -> None:
    ran = demo(place, place.role("admin", "LOGIN CREATEROLE CREATEDB"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert left_behind(place) == []


@pytest.mark.parametrize(("attributes", "what"), [("LOGIN", "create database"), ("LOGIN CREATEDB", "create role")])
def test_a_login_that_may_not_is_told_so(attributes: str, what: str, place: Place) -> None:
    weak = place.role("weak", attributes)
    ran = demo(place, weak)
    assert ran.returncode == 1
    assert f"permission denied to {what}" in ran.stderr
    assert place.rows("SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s", weak) == []
