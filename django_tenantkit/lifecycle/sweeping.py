"""Copies of shared rows in a shard to which nobody refers any more are removed.

A tenant's database goes with its tenant, and its copies with it. A shard stays, and a copy of a user's row would stay
with it. So whatever takes a tenant out of a shard ends with `sweep()`. See docs/explanation/isolations.md for why it is
safe while others write there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db import connections, transaction

from ..conf import conf
from ..context import tenant_context
from ..exceptions import TenantkitError
from ..isolation.copied import generic_references, is_whole, shared_references
from ..isolation.copying import copy_again, forget_known
from ..isolation.entries import SHARED
from ..sql import sweeping as sql
from ..sql.homes import quoted
from .databases import shared_models
from .fence import PAUSE
from .homes import home_models
from .shards import schemas_on

#: Seconds that may pass between the moment at which a process brings a row, or believes that it is there, and that at
#: which the statement that refers to it reaches the server.
GAP = 1.0

#: How often it is tried: a copy that changes meanwhile may be one that somebody brings.
ROUNDS = 3

#: A copy: the name of its table and its key.
Copy = tuple[str, str]


@dataclass
class Seen:
    """What was seen in a shard: the versions of its copies, those that rows of tenants refer to, and where each copy
    leads to others."""

    versions: dict[Copy, str] = field(default_factory=dict)
    used: set[Copy] = field(default_factory=set)
    leads: dict[Copy, set[Copy]] = field(default_factory=dict)

    def unused(self, staying: Iterable[Copy] = ()) -> set[Copy]:
        """The copies that none leads to, from a tenant's row or from one that is `staying` anyway."""
        reached: set[Copy] = set()
        waiting = {*self.used, *staying}
        while waiting:
            reached |= waiting
            waiting = {to for copy in waiting for to in self.leads.get(copy, ())} - reached
        return self.versions.keys() - reached


def sweep(server: str) -> int:
    """Remove the copies of shared rows in the shard of a server that no tenant's row there leads to, and return how
    many. Rows of schemas that are out of reach count: they may come back. By the system's login, outside of
    transactions; called again after it was killed it does the rest.

    Waits, where there are such copies, until no process believes any more that it has brought them:
    TENANTKIT_LOOKUP_SECONDS. Raises `TenantkitError` where transactions do not end within TENANTKIT_FENCE_SECONDS."""
    removed = 0
    with tenant_context(None), schemas_on(server) as connection:
        for _ in range(ROUNDS):
            before = _look(connection)
            if not before.unused():
                break
            time.sleep(conf.LOOKUP_SECONDS + GAP)
            _wait_for_writers(connection, server)
            removed += len(_remove(connection, before))
        _unregister(connection)
    return removed


@contextmanager
def arriving(raw: Any) -> Iterator[None]:
    """While shared rows are there already, and the tenant's own not yet: nobody removes them meanwhile. `raw` is a
    connection of psycopg's to the database that the tenant comes to."""
    raw.execute(sql.ARRIVE)
    try:
        yield
    finally:
        if not raw.closed:
            raw.execute(sql.ARRIVED)


def _look(connection: Any) -> Seen:
    models = _copied(connection)
    seen = Seen(_versions(connection, models))
    with connection.cursor() as cursor:
        for table, model in models.items():
            for use in _uses(model, f"public.{quoted(table)}"):
                cursor.execute(sql.led_to(use, model._meta.pk.column))
                for key, other in cursor.fetchall():
                    seen.leads.setdefault((table, key), set()).add((use.target, other))
        _look_at_tenants(cursor, seen)
    return seen


def _copied(connection: Any) -> dict[str, Any]:
    """The models of which single rows are copied, by table; not yet all tables may be there."""
    there = connection.introspection.table_names()
    models = {model._meta.db_table: model for model in shared_models() if not is_whole(model)}
    return {table: model for table, model in models.items() if table in there}


def _versions(connection: Any, models: dict[str, Any]) -> dict[Copy, str]:
    """The versions of all copies, of `models` by table."""
    found: dict[Copy, str] = {}
    with connection.cursor() as cursor:
        for table, model in models.items():
            cursor.execute(sql.versions(table, model._meta.pk.column))
            found |= {(table, key): version for key, version in cursor.fetchall()}
    return found


def _look_at_tenants(cursor: Any, seen: Seen) -> None:
    """What rows of tenants refer to, schema by schema."""
    models = {model._meta.db_table: model for model in home_models()}
    generics = {table: list(_generic_columns(model)) for table, model in models.items()}
    columns = {use.column for table, model in models.items() for use in _uses(model, table)}
    columns |= {column for pairs in generics.values() for pair in pairs for column in pair}
    kinds = _kinds(cursor)
    cursor.execute(sql.COLUMNS, [list(models), list(columns)])
    for _, found in groupby(cursor.fetchall(), key=lambda row: row[0]):
        uses: list[sql.Use] = []
        for (schema, table), rows in groupby(found, key=lambda row: row[:2]):
            there, name = {column for *_, column in rows}, f"{quoted(schema)}.{quoted(table)}"
            uses += [use for use in _uses(models[table], name) if use.column in there]
            for pair in generics[table]:
                if there.issuperset(pair):
                    cursor.execute(sql.named(name, *pair))
                    seen.used |= {(kinds[kind], key) for kind, key in cursor.fetchall() if kind in kinds}
        if uses:
            cursor.execute(sql.used(uses))
            seen.used |= {(table, key) for table, key in cursor.fetchall()}


def _uses(model: Any, table: str) -> Iterator[sql.Use]:
    """The columns of a table by which rows of `model` refer to copies of single rows."""
    for one in shared_references(model):
        target = one.remote_field.model._meta.concrete_model
        if not is_whole(target):
            meta = target._meta
            yield sql.Use(table, one.column, meta.db_table, meta.pk.column, one.target_field.column)


def _generic_columns(model: Any) -> Iterator[tuple[str, str]]:
    for one in generic_references(model):
        kind, key = (model._meta.get_field(name) for name in (one.ct_field, one.fk_field))
        if {kind, key} <= {*model._meta.local_concrete_fields}:
            yield kind.column, key.column


def _kinds(cursor: Any) -> dict[Any, str]:
    """The tables of shared models by the keys of their content types."""
    tables = {(one._meta.app_label, one._meta.model_name): one._meta.db_table for one in shared_models()}
    cursor.execute("SELECT to_regclass('public.django_content_type') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return {}
    cursor.execute("SELECT id, app_label, model FROM public.django_content_type")
    return {key: tables[label] for key, *rest in cursor.fetchall() if (label := tuple(rest)) in tables}


def _wait_for_writers(connection: Any, server: str) -> None:
    """Until no transaction is open that may refer to what was seen unused before, and nobody is in the middle of
    bringing a tenant. Nobody waits for us."""
    until = time.monotonic() + conf.FENCE_SECONDS
    writers: set[str] | None = None
    is_alone = False
    with connection.cursor() as cursor:
        while True:
            cursor.execute(sql.TRY_ALONE)
            is_alone = is_alone or cursor.fetchone()[0]
            cursor.execute(sql.WRITERS)
            found = {one for (one,) in cursor.fetchall()}
            writers = found if writers is None else writers & found
            if is_alone and not writers:
                return
            if time.monotonic() >= until:
                raise TenantkitError(
                    f"Copies of shared rows in the shard {server} that nobody refers to were left there: for "
                    f"{conf.FENCE_SECONDS} seconds "
                    + ("a transaction was open that had written." if is_alone else "a tenant was being moved there.")
                    + " Do it again, or `push_copies --all`, when that is over."
                )
            time.sleep(PAUSE)


def _remove(connection: Any, before: Seen) -> set[Copy]:
    """Remove what is unused as it was, and that nobody has brought since, nor is about to: see `lock()`."""
    keys = {model._meta.db_table: model._meta.pk.column for model in shared_models()}
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        locked: set[Copy] = set()
        for table, some in _by_table(before.unused()):
            cursor.execute(sql.lock(table, keys[table]), [some])
            locked |= {(table, key) for (key,) in cursor.fetchall()}
        now = _look(connection)
        same = {copy for copy in locked if now.versions.get(copy) == before.versions[copy]}
        gone = now.unused(staying=now.versions.keys() - same)
        for table, some in _by_table(gone):
            cursor.execute(sql.remove(table, keys[table]), [some])
    forget_known(lambda known: known[0] == connection.alias and known[1:] in gone)
    return gone


def _by_table(copies: Iterable[Copy]) -> Iterator[tuple[str, list[str]]]:
    for table, some in groupby(sorted(copies), key=lambda copy: copy[0]):
        yield table, [key for _, key in some]


def _unregister(connection: Any) -> None:
    """Have the main database push no changes of rows that are not there. Whoever brought one meanwhile, believing that
    it was on the list, has written it by then, and it is put there again; or puts it there itself when it has."""
    main: Any = connections[SHARED]
    models = _copied(connection)
    there = _versions(connection, models).keys()
    with main.as_system(), main.cursor() as cursor:
        cursor.execute(sql.REGISTERED, [connection.alias])
        gone = sorted({(name, key) for name, key in cursor.fetchall()} - there)
        if not gone:
            return
        cursor.execute(sql.UNREGISTER, [connection.alias, *map(list, zip(*gone, strict=True))])
    back = _versions(connection, models).keys() & {*gone}
    if back:
        copy_again(connection, back)
