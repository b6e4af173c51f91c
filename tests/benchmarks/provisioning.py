"""A schema made from a snapshot, rows and all, against the statements that its migrations ran, without rows.
Both go in one message, and are rolled back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, connections, transaction

from django_tenantkit.fields import uuid7
from django_tenantkit.isolation.entries import SHARED, database_alias
from django_tenantkit.lifecycle.databases import drop_database, make_database, migrate_database
from django_tenantkit.lifecycle.homes import migrate_home
from django_tenantkit.lifecycle.snapshot import differences, take
from django_tenantkit.lifecycle.templates import template_for
from django_tenantkit.sql.databases import create, drop
from django_tenantkit.sql.roles import roles_of

from .method import Work

REFERENCE, COPY = "reference_0001", "copied_0002"

#: What makes something; the rest asks, or writes down what was migrated.
_DDL = re.compile(r"\s*(CREATE|ALTER|COMMENT|DROP|DO|GRANT|REVOKE)\b")


@contextmanager
def works() -> Iterator[list[Work]]:
    """The bare statements, and the snapshot's."""
    with connection.as_system():
        statements = recorded()
        with transaction.atomic(), connection.cursor() as cursor:
            script = take(cursor, REFERENCE).script(COPY)
        bare = ";".join([f"SET LOCAL search_path = {COPY}, public", *statements]).replace(REFERENCE, COPY)
        try:
            for text in (bare, script):
                refuse_another(text)
            yield [lambda: run(bare), lambda: run(script)]
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"SET client_min_messages = warning; DROP SCHEMA {REFERENCE} CASCADE")


def recorded() -> list[str]:
    """Migrate the reference, and return the statements that made something."""
    connection.force_debug_cursor = True
    connection.queries_log.clear()
    try:
        migrate_home(connection, REFERENCE)
        log = [str(query["sql"]).rstrip(";") for query in connection.queries_log]
    finally:
        connection.force_debug_cursor = False
    return [statement for statement in log if _DDL.match(statement) and "pg_temp" not in statement]


def refuse_another(text: str) -> None:
    """Both sides do the same work."""
    raw = connection.connection
    with raw.transaction(force_rollback=True):
        cursor = psycopg.ClientCursor(raw)
        cursor.execute(text.encode())
        if found := differences(cursor, REFERENCE, COPY):
            raise RuntimeError(f"provision a schema: one side makes another schema: {found[:3]}")


def run(text: str) -> None:
    """Send one message, and undo it."""
    raw = connection.connection
    with raw.transaction(force_rollback=True):
        psycopg.ClientCursor(raw).execute(text.encode())


@contextmanager
def databases() -> Iterator[list[Work]]:
    """A database for which the statements that its migrations ran are sent in one message, and a copy of the template.
    Each is dropped again."""
    uid = uuid7()
    system: Any = connections[database_alias(uid)]
    main: Any = connections[SHARED]
    with main.as_system():
        make_database(uid)
        statements = _recorded_in(system, uid)
        system.close()
        drop_database(uid)
        template = template_for()
        with system._nodb_cursor() as cursor, system.as_system():
            params = {key: value for key, value in system.get_connection_params().items() if key not in _DJANGOS}
            owner = roles_of(system.settings_dict).owner
            text = ";\n".join([f'SET ROLE "{owner}"', *statements])

            def replay() -> None:
                cursor.execute(create(params["dbname"], owner, None))
                with psycopg.connect(**params, autocommit=True) as raw:
                    psycopg.ClientCursor(raw).execute(text.encode())
                cursor.execute(drop(params["dbname"]))

            def copy() -> None:
                cursor.execute(create(params["dbname"], owner, None, template))
                cursor.execute(drop(params["dbname"]))

            yield [replay, copy]


_DJANGOS = ("cursor_factory", "context", "prepare_threshold")


def _recorded_in(system: Any, uid: UUID) -> list[str]:
    system.force_debug_cursor = True
    try:
        migrate_database(uid)
        log = [str(query["sql"]).rstrip(";") for query in system.queries_log]
    finally:
        system.force_debug_cursor = False
    return [statement for statement in log if _DDL.match(statement) and "pg_temp" not in statement]
