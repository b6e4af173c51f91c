"""The private names of Django that this package uses, each with what it relies on.

When Django changes one of them, the test here says which, before anything leaks. All of the compiler's
stand in `backends/compiler.py`, those of the schema editor in `backends/mixins.py`.
"""

from __future__ import annotations

import hashlib
import inspect

import pytest
from django.apps.registry import Apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import QuerySet
from django.db.models.base import Model
from django.db.models.fields import related
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor
from django.db.models.sql import compiler, datastructures, query, subqueries


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
    "Apps.get_models": (Apps.get_models.__wrapped__, "f82d9a5a8358"),
    "Apps.clear_cache": (Apps.clear_cache, "dffec5a71043"),
    "BaseDatabaseSchemaEditor._create_index_sql": (BaseDatabaseSchemaEditor._create_index_sql, "32d0635115bc"),
    "BaseDatabaseSchemaEditor._field_indexes_sql": (BaseDatabaseSchemaEditor._field_indexes_sql, "89709fe1469e"),
    "SQLCompiler.get_default_columns": (compiler.SQLCompiler.get_default_columns, "7c8a7afcfbb0"),
    "Model._prepare_related_fields_for_save": (Model._prepare_related_fields_for_save, "d6d6a4ed2512"),
    "QuerySet.bulk_update": (QuerySet.bulk_update, "2369a42464b0"),
    "Model._save_table": (Model._save_table, "2a39268c21f5"),
    "ForwardManyToOneDescriptor.get_object": (ForwardManyToOneDescriptor.get_object, "de2821c02770"),
}


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
        (BaseDatabaseOperations, "on_conflict_suffix_sql"),
        (BaseDatabaseOperations, "fetch_returned_insert_columns"),
        (BaseDatabaseWrapper, "on_commit"),
        (BaseDatabaseSchemaEditor, "_constraint_names"),
    ],
)
def test_django_still_has(owner, name):
    assert hasattr(owner, name)
