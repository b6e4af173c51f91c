"""What the tests of the roles share."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from tests import databases
from tests.roles import servers

#: The entry of DATABASES that the tests add.
ALIAS = "set_up_here"


@pytest.fixture(scope="session", params=["own", "15"])
def server(request: pytest.FixtureRequest) -> Iterator[servers.Server]:
    """The server of this run, and one of the oldest version that is supported."""
    if request.param == "15":
        if not servers.BINARIES.is_dir():
            pytest.skip(f"no PostgreSQL 15 in {servers.BINARIES}")
        with servers.postgresql() as running:
            yield running
        return
    if databases.ADMIN not in os.environ:
        pytest.skip("this run has no PostgreSQL")
    admin = json.loads(os.environ[databases.ADMIN])
    with databases.as_admin() as connection:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        if connection.execute(query).fetchone() != (True,):
            pytest.skip("the role of DATABASE_URL is no superuser")
        yield servers.Server(connection.info.user, **databases.parameters(admin))


@pytest.fixture
def place(server: servers.Server) -> Iterator[servers.Place]:
    """A new database, without roles."""
    with server.place() as place:
        yield place


@dataclass
class Project:
    """A place as an entry of DATABASES, with the settings of a project. Its roles have their usual names."""

    place: servers.Place
    settings: Any

    def log_in(self, user: str | None = None, alias: str = ALIAS, **more: Any) -> None:
        """Let DATABASES say so."""
        entries = {"default": {}, alias: self.place.entry(user, **more)}
        connections.settings[alias] = connections.configure_settings(entries)[alias]
        with suppress(AttributeError):  # nobody has asked for it yet
            del connections[alias]

    def run(self, *options: str) -> Ran:
        """`setup_roles` with these options, and with the password of the one that `--user` names."""
        server = self.place.server
        password = server.parameters.get("password", "") if server.superuser in options else servers.PASSWORD
        with patch.dict(os.environ, PGPASSWORD=password):
            return Ran("setup_roles", "--database", ALIAS, *options)


class Ran:
    """How a command ended: its exit code, what it printed where, and its complaint."""

    def __init__(self, *command: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.code, self.complaint = 0, ""
        try:
            call_command(*command, stdout=out, stderr=err)
        except CommandError as error:
            self.code, self.complaint = error.returncode, str(error)
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def project(place: servers.Place, settings: Any) -> Iterator[Project]:
    """A project whose DATABASES has an entry for the new database; a superuser logs in."""
    yield from make_project(place, settings)


def make_project(place: servers.Place, settings: Any) -> Iterator[Project]:
    for role, name in place.roles._asdict().items():
        setattr(settings, f"TENANTKIT_{role.upper()}_ROLE", name)
    settings.TENANTKIT_SYSTEM_DATABASE = None
    settings.TENANTKIT_WEB_MAY_OPERATE = False
    project = Project(place, settings)
    project.log_in()
    try:
        yield project
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.settings[ALIAS]
