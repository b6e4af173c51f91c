"""An engine that is not ours refuses to connect."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from django_tenantkit.backends import mixins
from django_tenantkit.backends.compiler import TenantCompiler
from tests.testapp.models import Customer


@pytest.fixture
def foreign():
    """A connection of Django's own SQLite backend."""
    settings = connections.configure_settings(
        {"default": {}, "foreign": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    )
    wrapper = DatabaseWrapper(settings["foreign"], alias="foreign")
    yield wrapper
    wrapper.close()


def test_a_foreign_engine_is_refused_at_the_first_connection(foreign, django_db_blocker):
    with django_db_blocker.unblock(), pytest.raises(ImproperlyConfigured, match=r"DATABASES\['foreign'\]"):
        foreign.ensure_connection()


def test_the_refused_connection_is_closed(foreign, django_db_blocker):
    with django_db_blocker.unblock(), pytest.raises(ImproperlyConfigured):
        foreign.ensure_connection()
    assert foreign.connection is None
    with django_db_blocker.unblock(), pytest.raises(ImproperlyConfigured):
        foreign.cursor()


@pytest.mark.parametrize(
    "name", ["SQLCompiler", "SQLInsertCompiler", "SQLUpdateCompiler", "SQLDeleteCompiler", "SQLAggregateCompiler"]
)
def test_every_compiler_of_the_engine_is_ours(name):
    assert issubclass(connection.ops.compiler(name), TenantCompiler)


def test_the_engine_is_made_of_the_mixins():
    assert isinstance(connections["default"], mixins.TenantConnection)
    assert isinstance(connection.ops, mixins.TenantOperations)
    assert issubclass(connection.SchemaEditorClass, mixins.TenantSchemaEditor)


def test_making_an_object_runs_no_code_of_ours():
    """Nothing is patched into models: Django's own `__init__` and `from_db` are used."""
    assert "__init__" not in {name for cls in Customer.__mro__[:-1] for name in vars(cls) if cls.__name__ != "Model"}
    assert Customer.from_db.__func__.__module__ == "django.db.models.base"
