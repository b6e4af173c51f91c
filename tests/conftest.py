"""One database server per run of pytest, one database per process. How: `tests/databases.py`."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import psycopg
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from django_tenantkit.testing.embedded import EmbeddedServerError
from tests import databases

RUN = pytest.StashKey[databases.Run]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server before xdist starts its workers, which inherit its address."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    try:
        config.stash[RUN] = databases.begin_run()
    except (EmbeddedServerError, psycopg.OperationalError, databases.NotAllowedError) as error:
        raise pytest.UsageError(f"no database for the tests: {error}") from error
    # Django read the settings before there was a server, and keeps them in this dictionary.
    settings = connections.configure_settings({"default": databases.configured()})
    connections["default"].settings_dict.update(settings["default"])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run's server, or what it made on somebody else's."""
    if (run := config.stash.get(RUN, None)) is not None:
        databases.end_run(run)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database with all tables, cloned where the server can; in place of pytest-django's."""
    connection = connections["default"]
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            databases.clone(connection, os.environ.get("PYTEST_XDIST_WORKER", "main"))
        else:
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With TENANTKIT_REQUIRE_SERVICES=1 a test that was skipped for want of a service has failed."""
    report = yield
    required = os.environ.get("TENANTKIT_REQUIRE_SERVICES") == "1"
    if report.skipped and required and item.get_closest_marker("services"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but TENANTKIT_REQUIRE_SERVICES=1: {report.longrepr}"
    return report
