"""The private names of Django that this package uses, each with what it relies on.

When Django changes one of them, the test here says which, before anything leaks. All of the compiler's
stand in `backends/compiler.py`, those of the schema editor in `backends/mixins.py`, `referencing.py` and `guarding.py`.
"""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django
import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.fields import GenericRelation
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentTypeManager
from django.contrib.sessions.backends.file import SessionStore as FileSessionStore
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.postgresql import base as postgresql
from django.db.backends.postgresql import introspection, schema
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState
from django.db.models import QuerySet, deletion
from django.db.models.base import Model
from django.db.models.fields import related
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor
from django.db.models.signals import post_migrate
from django.db.models.sql import compiler, datastructures, query, subqueries
from django.db.utils import ConnectionHandler
from django.utils.connection import BaseConnectionHandler

from django_tenantkit.backends.guarding import GuardingSchemaEditor
from django_tenantkit.backends.mixins import TenantSchemaEditor
from django_tenantkit.backends.referencing import ReferencingSchemaEditor
from django_tenantkit.lifecycle.kinds import _DONE_HERE


def digest(thing: object) -> str:
    """A short hash of a function's source."""
    return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:12]


#: Functions that ours replace or work inside of. When one of these changes: read it, change ours if it
#: needs to, and then the hash.
SOURCES = {
    "SQLCompiler.get_from_clause": (compiler.SQLCompiler.get_from_clause, "cdb85995dbc7"),
    "SQLCompiler.as_sql": (compiler.SQLCompiler.as_sql, "0f0b77905ec8"),
    "SQLCompiler.execute_sql": (compiler.SQLCompiler.execute_sql, "c1be0e0faedc"),
    "SQLCompiler.get_qualify_sql": (compiler.SQLCompiler.get_qualify_sql, "63b613187dfb"),
    "SQLCompiler.get_combinator_sql": (compiler.SQLCompiler.get_combinator_sql, "34cba2a64fc9"),
    "SQLInsertCompiler.as_sql": (compiler.SQLInsertCompiler.as_sql, "497ecc56a091"),
    "SQLInsertCompiler.execute_sql": (compiler.SQLInsertCompiler.execute_sql, "e07a5017e395"),
    "SQLUpdateCompiler.as_sql": (compiler.SQLUpdateCompiler.as_sql, "3fd8726c853d"),
    "SQLUpdateCompiler.pre_sql_setup": (compiler.SQLUpdateCompiler.pre_sql_setup, "131dd44640a7"),
    "SQLUpdateCompiler.execute_sql": (compiler.SQLUpdateCompiler.execute_sql, "86018c46af01"),
    "SQLDeleteCompiler._as_sql": (compiler.SQLDeleteCompiler._as_sql, "a485f3fb5e52"),
    "SQLDeleteCompiler.as_sql": (compiler.SQLDeleteCompiler.as_sql, "46731b2209a6"),
    "SQLAggregateCompiler.as_sql": (compiler.SQLAggregateCompiler.as_sql, "c3df20016b79"),
    "Join.as_sql": (datastructures.Join.as_sql, "cc3d1ed9d304"),
    "BaseTable.as_sql": (datastructures.BaseTable.as_sql, "9a9cb1587241"),
    "DeleteQuery.do_query": (subqueries.DeleteQuery.do_query, "3d2b6fb76c65"),
    "UpdateQuery.get_related_updates": (subqueries.UpdateQuery.get_related_updates, "16c8d9aa91af"),
    "create_many_to_many_intermediary_model": (related.create_many_to_many_intermediary_model, "99b96bc38362"),
    "ContentTypeManager": (ContentTypeManager, "6e49e9be9a2f"),
    "Apps.get_models": (Apps.get_models.__wrapped__, "f82d9a5a8358"),
    "Apps.clear_cache": (Apps.clear_cache, "dffec5a71043"),
    "BaseDatabaseSchemaEditor._create_index_sql": (BaseDatabaseSchemaEditor._create_index_sql, "32d0635115bc"),
    "BaseDatabaseSchemaEditor._field_indexes_sql": (BaseDatabaseSchemaEditor._field_indexes_sql, "89709fe1469e"),
    "SQLCompiler.get_default_columns": (compiler.SQLCompiler.get_default_columns, "7c8a7afcfbb0"),
    "Model._prepare_related_fields_for_save": (Model._prepare_related_fields_for_save, "d6d6a4ed2512"),
    "QuerySet.bulk_update": (QuerySet.bulk_update, "2369a42464b0"),
    "QuerySet.bulk_create": (QuerySet.bulk_create, "f822e0fc4c40"),
    "QuerySet._batched_insert": (QuerySet._batched_insert, "7a22f0af2ac4"),
    "Collector.collect": (deletion.Collector.collect, "2d0885bb209f"),
    "Collector.get_del_batches": (deletion.Collector.get_del_batches, "0202f51d7903"),
    "Model._save_table": (Model._save_table, "2a39268c21f5"),
    "ForwardManyToOneDescriptor.get_object": (ForwardManyToOneDescriptor.get_object, "de2821c02770"),
    "alter a type on PostgreSQL": (schema.DatabaseSchemaEditor._alter_column_type_sql, "0433310c9c91"),
    "alter a field on PostgreSQL": (schema.DatabaseSchemaEditor._alter_field, "e16cb275d9af"),
    "DatabaseIntrospection.get_relations": (introspection.DatabaseIntrospection.get_relations, "a267f2f57152"),
    "ModelState.from_model": (ModelState.from_model, "de1b9f427bfb"),
    "create_altered_constraints": (MigrationAutodetector.create_altered_constraints, "85ba7cc6f6a9"),
    # Where blocks begin and end, and connections are made and found: `backends/postgresql/together.py`, `homes.py`.
    "Atomic.__enter__": (transaction.Atomic.__enter__, "1cccb72ad29b"),
    "Atomic.__exit__": (transaction.Atomic.__exit__, "6c52b1e68d7d"),
    "BaseDatabaseWrapper.connect": (BaseDatabaseWrapper.connect, "65ad70c3f9c2"),
    "BaseDatabaseWrapper.close": (BaseDatabaseWrapper.close, "273787740ca0"),
    "BaseDatabaseWrapper.set_autocommit": (BaseDatabaseWrapper.set_autocommit, "4e91610fe9d8"),
    "BaseDatabaseWrapper.on_commit": (BaseDatabaseWrapper.on_commit, "3eb44439e2c5"),
    "PostgreSQL's _nodb_cursor": (postgresql.DatabaseWrapper._nodb_cursor, "ec0b8ac38a31"),
    "BaseConnectionHandler.__getitem__": (BaseConnectionHandler.__getitem__, "e2f3bd9b8a64"),
    "ConnectionHandler.create_connection": (ConnectionHandler.create_connection, "35d3e488ca4d"),
    # Where foreign keys, indexes and constraints are made, looked for and removed.
    "table_sql": (BaseDatabaseSchemaEditor.table_sql, "53df43063711"),
    "create_model": (BaseDatabaseSchemaEditor.create_model, "8e37abbc2c97"),
    "add_field": (BaseDatabaseSchemaEditor.add_field, "1fa946c41ba2"),
    "remove_field": (BaseDatabaseSchemaEditor.remove_field, "23068852c19d"),
    "alter_field": (BaseDatabaseSchemaEditor.alter_field, "d887d0836c21"),
    "_alter_field": (BaseDatabaseSchemaEditor._alter_field, "a05ae77d8e58"),
    "alter_db_table": (BaseDatabaseSchemaEditor.alter_db_table, "dd7480302aa9"),
    "_create_fk_sql": (BaseDatabaseSchemaEditor._create_fk_sql, "bcc88971496d"),
    "_fk_constraint_name": (BaseDatabaseSchemaEditor._fk_constraint_name, "3148be700ab0"),
    "_constraint_names": (BaseDatabaseSchemaEditor._constraint_names, "9fc5d394224f"),
    "_field_should_be_indexed": (BaseDatabaseSchemaEditor._field_should_be_indexed, "f7b8fc0c8863"),
    "_create_index_name": (BaseDatabaseSchemaEditor._create_index_name, "6e76155bce0c"),
}

#: Templates that ours replace while Django fills them in.
TEMPLATES = {
    "sql_create_table": "CREATE TABLE %(table)s (%(definition)s)",
    "sql_create_column": "ALTER TABLE %(table)s ADD COLUMN %(column)s %(definition)s",
    "sql_create_column_inline_fk": "CONSTRAINT %(name)s REFERENCES %(to_table)s(%(to_column)s)%(deferrable)s"
    "; SET CONSTRAINTS %(namespace)s%(name)s IMMEDIATE",
    "sql_create_fk": "ALTER TABLE %(table)s ADD CONSTRAINT %(name)s FOREIGN KEY (%(column)s) REFERENCES %(to_table)s "
    "(%(to_column)s)%(deferrable)s",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_django_writes_ddl_as_it_did(name):
    assert getattr(schema.DatabaseSchemaEditor, name) == TEMPLATES[name]


@pytest.mark.parametrize("name", SOURCES)
def test_django_has_not_changed_under_us(name):
    function, known = SOURCES[name]
    assert digest(function) == known, f"Django's {name} changed: read it again, then set its hash here"


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (compiler.SQLCompiler, "quote_name_unless_alias"),
        (compiler.SQLCompiler, "compile"),
        (query.Query, "get_initial_alias"),
        (query.Query, "is_empty"),
        (query.Query, "table_alias"),
        (query.Query, "has_results"),
        (BaseDatabaseOperations, "compiler_module"),
        (BaseDatabaseOperations, "bulk_batch_size"),
        (BaseDatabaseOperations, "on_conflict_suffix_sql"),
        (BaseDatabaseOperations, "fetch_returned_insert_columns"),
        (BaseDatabaseWrapper, "on_commit"),
        (BaseDatabaseWrapper, "_close"),
        (postgresql.DatabaseWrapper, "_configure_role"),
        (BaseDatabaseSchemaEditor, "_constraint_names"),
    ],
)
def test_django_still_has(owner, name):
    assert hasattr(owner, name)


def test_the_size_of_batches_is_asked_where_we_know_of():
    """Ours takes the collector's question for a deletion. Who asks from elsewhere must not look like it."""
    asking = {}
    for path in Path(django.__file__).parent.rglob("*.py"):
        if count := path.read_text(encoding="utf-8").count(".bulk_batch_size("):
            asking[path.name] = count
    assert asking == {"deletion.py": 1, "query.py": 2 if django.VERSION < (6, 0) else 3}


def test_generic_relations_are_told_by_the_method_that_the_collector_calls():
    assert hasattr(GenericRelation, "bulk_related_objects")


def test_a_signal_says_who_listens():
    """`lifecycle/kinds.py` leaves out those of Django's who would do again what it did."""
    receivers = [receiver for kind in post_migrate._live_receivers(apps.get_app_config("auth")) for receiver in kind]
    assert {create_contenttypes, create_permissions} <= set(receivers)
    assert {create_contenttypes.__module__, create_permissions.__module__} <= _DONE_HERE


def test_our_schema_editor_replaces_what_it_means_to():
    """A helper of ours with the name of one of Django's would take its place."""
    meant = {"_alter_column_type_sql", "_alter_field", "_constraint_names", "_create_fk_sql", "_create_index_sql"}
    meant |= {"_delete_fk_sql", "_field_should_be_indexed", "_fk_constraint_name"}
    private = {
        name
        for mixin in (ReferencingSchemaEditor, GuardingSchemaEditor, TenantSchemaEditor)
        for name, value in vars(mixin).items()
        if callable(value) and name.startswith("_") and hasattr(schema.DatabaseSchemaEditor, name)
    }
    assert private - {"__init__"} == meant


class Told:
    """A connection that notes what a block asks of it, in order."""

    def __init__(self) -> None:
        self.in_atomic_block = self.needs_rollback = self.closed_in_transaction = False
        self.commit_on_exit = True
        self.savepoint_ids: list[Any] = []
        self.atomic_blocks: list[Any] = []
        self.asked: list[str] = []

    def __setattr__(self, name: str, value: Any) -> None:
        if "asked" in vars(self) and name == "in_atomic_block":
            self.asked.append(f"in a block: {value}")
        vars(self)[name] = value

    def get_autocommit(self) -> bool:
        return True

    def set_autocommit(self, autocommit: bool, **force: bool) -> None:
        self.asked.append(f"autocommit {autocommit} {sorted(force)}")

    def __getattr__(self, name: str) -> Any:
        return lambda *sids: self.asked.append(f"{name}{sids or ''}")


BEGUN = ["autocommit False ['force_begin_transaction_with_broken_autocommit']", "in a block: True"]


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (None, ["in a block: False", "commit", "autocommit True []"]),
        (ValueError(), ["in a block: False", "rollback", "autocommit True []"]),
    ],
)
def test_a_block_asks_the_connection_in_this_order(error: Exception | None, ended: list[str]) -> None:
    told = Told()
    told.savepoint = lambda: "s"
    with patch.object(transaction, "get_connection", lambda using: told):
        outer, inner = transaction.atomic(), transaction.atomic()
        outer.__enter__()
        inner.__enter__()
        assert (told.asked, told.savepoint_ids, told.atomic_blocks) == (BEGUN, ["s"], [outer, inner])
        inner.__exit__(error and type(error), error, None)
        last = ["savepoint_rollback('s',)", "savepoint_commit('s',)"] if error else ["savepoint_commit('s',)"]
        assert told.asked[len(BEGUN) :] == last
        del told.asked[:]
        outer.__exit__(error and type(error), error, None)
    assert (told.asked, told.atomic_blocks) == (ended, [])


def test_a_block_whose_connection_was_closed_says_only_that_it_is_over() -> None:
    told = Told()
    with patch.object(transaction, "get_connection", lambda using: told), transaction.atomic():
        told.closed_in_transaction = True
    assert (told.asked[len(BEGUN) :], told.connection) == (["in a block: False"], None)


def test_connections_are_kept_by_alias_for_each_thread() -> None:
    made = object()
    connections["tenantkit_test"] = made
    assert connections._connections.tenantkit_test is made
    del connections["tenantkit_test"]
    assert not hasattr(connections._connections, "tenantkit_test")


@pytest.mark.parametrize(
    ("cache", "names"),
    [
        (LocMemCache, ("_delete",)),
        (RedisCache, ("_cache",)),
        (FileSessionStore, ("_get_storage_path",)),
    ],
)
def test_caches_and_sessions_can_be_listed_as_erasing_does(cache, names):
    assert [name for name in names if not hasattr(cache, name)] == []


def test_caches_keep_their_keys_where_erasing_looks():
    local = LocMemCache("internals", {})
    local.set("a", 1)
    assert list(local._cache) == [":1:a"]
    assert local._lock
    assert DatabaseCache("cached", {})._table == "cached"
    assert hasattr(RedisCacheClient, "get_client")
