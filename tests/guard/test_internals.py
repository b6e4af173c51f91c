"""The private names of psycopg and of Django's PostgreSQL backend that `backends/postgresql/` uses.

When one of them changes, the test here says which, before a statement is sent without its context.
"""

from __future__ import annotations

import hashlib
import inspect

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.backends.postgresql import base, creation, operations
from psycopg import _connection_base, _cursor_base, _server_cursor_base, client_cursor, cursor

#: What ours replace, or work inside of. When one of these changes: read it, change ours if it needs to, and then
#: the hash.
SOURCES = {
    "BaseCursor._execute_gen": (_cursor_base.BaseCursor._execute_gen, "d4128fe2e220"),
    "BaseCursor._maybe_prepare_gen": (_cursor_base.BaseCursor._maybe_prepare_gen, "86dc8e74d068"),
    "BaseCursor._executemany_gen_pipeline": (_cursor_base.BaseCursor._executemany_gen_pipeline, "005e4ac27cd2"),
    "BaseCursor._stream_send_gen": (_cursor_base.BaseCursor._stream_send_gen, "a7c73754d0fe"),
    "BaseCursor._start_copy_gen": (_cursor_base.BaseCursor._start_copy_gen, "e1a507e8ebeb"),
    "BaseCursor._execute_send": (_cursor_base.BaseCursor._execute_send, "2e4b180e6286"),
    "BaseCursor._set_results": (_cursor_base.BaseCursor._set_results, "4fd84aaeeaab"),
    "BaseCursor._raise_for_result": (_cursor_base.BaseCursor._raise_for_result, "43de9edc18dd"),
    "ClientCursorMixin._execute_send": (client_cursor.ClientCursorMixin._execute_send, "aa1a90290c18"),
    "Cursor.executemany": (cursor.Cursor.executemany, "585a9befebb5"),
    "BaseConnection._exec_command": (_connection_base.BaseConnection._exec_command, "fb1d5546c144"),
    "ServerCursorMixin._declare_gen": (_server_cursor_base.ServerCursorMixin._declare_gen, "c03aa12d7ac8"),
    "ServerCursorMixin._fetch_gen": (_server_cursor_base.ServerCursorMixin._fetch_gen, "33d82be3e9fc"),
    "BaseDatabaseWrapper.connect": (BaseDatabaseWrapper.connect.__wrapped__, "65ad70c3f9c2"),
    "BaseDatabaseWrapper.close": (BaseDatabaseWrapper.close.__wrapped__, "273787740ca0"),
    "BaseDatabaseWrapper._nodb_cursor": (BaseDatabaseWrapper._nodb_cursor, "29bc834d686b"),
    "DatabaseWrapper.create_cursor": (base.DatabaseWrapper.create_cursor.__wrapped__, "5309d92ffca3"),
    "DatabaseWrapper.get_connection_params": (base.DatabaseWrapper.get_connection_params, "c3b08b880d60"),
    "DatabaseWrapper._configure_role": (base.DatabaseWrapper._configure_role, "8a46ea3fe639"),
    "DatabaseWrapper._close": (base.DatabaseWrapper._close, "8e39d0e91862"),
    "DatabaseOperations.sequence_reset_sql": (operations.DatabaseOperations.sequence_reset_sql, "18e72a57e8d4"),
    "DatabaseCreation.sql_table_creation_suffix": (creation.DatabaseCreation.sql_table_creation_suffix, "38c830048504"),
    "BaseDatabaseCreation.create_test_db": (BaseDatabaseCreation.create_test_db, "55baf3ed4729"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_relied_on_is_as_it_was(name):
    function, known = SOURCES[name]
    found = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]
    assert found == known, f"{name} changed: read it again, then set its hash here"
