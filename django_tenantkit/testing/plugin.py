"""The pytest plugin. pytest loads it wherever this package is installed, so it imports nothing of Django
by itself; once Django is set up, it adds the fixtures of `fixtures.py`."""

from __future__ import annotations

import sys

import pytest

FIXTURES = "django_tenantkit.testing.fixtures"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Add the fixtures, if this is a Django project with this app. First of all: fixtures of conftest.py
    take the place of those that were there before them."""
    django = sys.modules.get("django.apps")
    if django is not None and django.apps.ready and django.apps.is_installed("django_tenantkit"):
        session.config.pluginmanager.import_plugin(FIXTURES)
