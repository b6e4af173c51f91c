"""Copies of shared rows in tenants' databases: brought when a row refers to them, and again when they change.

The main database knows which rows are copied where, and its triggers note what becomes of them (`sql/copies.py`).
A row is brought in the transaction of the statement that needs it, by a function that only the owner could have made:
the application itself writes no copy.
"""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any

from django.apps import apps
from django.db import Error, connections, models
from django.db.models.expressions import Value

from ..conf import conf
from ..context import tenant_context
from ..exceptions import TenantkitError
from ..memory import Memory
from ..registry import lives_at_home
from ..sql import common
from ..sql import copies as sql
from .copied import (
    common_models,
    common_table,
    copied_models,
    generic_references,
    is_common,
    is_whole,
    shared_references,
)
from .entries import HOME_OF, SHARED, is_shard

logger = logging.getLogger("django_tenantkit")

#: How many copied rows a process remembers as being where they belong.
SIZE = 100_000

#: How many changes are read at a time.
BATCH = 500

_known: Memory[bool] = Memory()

#: Keys, as text, of rows by model.
Wanted = dict[Any, set[str]]


def holds_copies(connection: Any) -> bool:
    """Whether shared tables are copies there."""
    return HOME_OF in connection.settings_dict


def bring_for_insert(compiler: Any) -> None:
    """Bring what the objects of an INSERT refer to."""
    if compiler.executes and holds_copies(compiler.connection):
        model, wanted = compiler.query.get_meta().concrete_model, _Wanted(compiler.connection)
        for obj in compiler.query.objs:
            for field in shared_references(model):
                wanted.add(field, getattr(obj, field.attname))
            for field in generic_references(model):
                wanted.add_generic(field, obj)
        bring(compiler.connection, wanted.found)


def bring_for_update(compiler: Any) -> None:
    """Bring what the values of an UPDATE refer to."""
    if compiler.executes and holds_copies(compiler.connection):
        wanted = _Wanted(compiler.connection)
        for field, _, value in compiler.query.values:
            if isinstance(field, models.ForeignKey) and not lives_at_home(field.remote_field.model):
                wanted.add(field, value)
        bring(compiler.connection, wanted.found)


class _Wanted:
    """Collects the rows that a statement refers to."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.found: Wanted = defaultdict(set)

    def add(self, field: Any, value: Any) -> None:
        model, target = field.remote_field.model._meta.concrete_model, field.target_field
        keys = {str(key) for key in _values(value, target) if key is not None}
        if keys and not target.primary_key:
            query = f"SELECT {_quoted(model._meta.pk.column)}::text FROM {_quoted(model._meta.db_table)} "
            with connections[SHARED].cursor() as cursor:
                cursor.execute(query + f"WHERE {_quoted(target.column)}::text = ANY (%s)", [list(keys)])
                keys = {key for (key,) in cursor.fetchall()}
        if keys and not is_whole(model):
            self.found[model] |= keys

    def add_generic(self, field: Any, obj: Any) -> None:
        kind = getattr(obj, obj._meta.get_field(field.ct_field).attname)
        key = getattr(obj, field.fk_field)
        if kind is None or key is None or hasattr(key, "resolve_expression"):
            return
        model = field.get_content_type(id=kind, using=self.connection.alias).model_class()
        if model is not None and not lives_at_home(model):
            self.found[model._meta.concrete_model].add(str(key))


def _values(value: Any, target: Any) -> Iterator[Any]:
    if isinstance(value, models.Model):
        yield getattr(value, target.attname)
    elif hasattr(value, "resolve_expression"):
        yield from (one.value for one in value.flatten() if isinstance(one, Value))
    else:
        yield value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def bring(connection: Any, wanted: Wanted) -> None:
    """See to it that these rows of the main database are copied to that of `connection`, with all they refer to."""
    known, began = _known.during(connection), monotonic()
    seconds = conf.LOOKUP_SECONDS if is_shard(connection.alias) else math.inf
    new: Wanted = {}
    for model, keys in wanted.items():
        table = model._meta.db_table
        lacking = {key for key in keys if not _is_known(known, (connection.alias, table, key), seconds)}
        if lacking:
            new[model] = lacking
    if not new:
        return
    generation = known.generation
    _copy(connection, new)
    for model, keys in new.items():
        for key in keys:
            known.put((connection.alias, model._meta.db_table, key), True, SIZE, generation, since=began)


def _is_known(known: Memory[bool], key: Any, seconds: float) -> bool:
    """Whether a row was brought: in this transaction, where nobody takes it away before it ends, or not longer than
    `seconds` ago. Copies that nobody refers to leave shards, see `lifecycle/sweeping.py`."""
    return bool((known is not _known and known.get(key, math.inf)) or _known.get(key, seconds))


def _copy(connection: Any, wanted: Wanted) -> None:
    """Copy rows. They are registered before they are read, so that a change from then on is pushed; and read again
    after they were written, as one that was pushed meanwhile may have been overwritten with what was read before."""
    main = connections[SHARED]
    registered: Wanted = {}
    found: dict[Any, dict[str, tuple[str, str]]] = {}
    while True:
        new = {model: keys - registered.get(model, set()) for model, keys in wanted.items()}
        if not any(new.values()):
            break
        for model, keys in new.items():
            if keys:
                _register(main, connection.alias, model, keys)
                registered[model] = registered.get(model, set()) | keys
                found.setdefault(model, {}).update(_read(main, model, keys))
        wanted = _referenced(found)
    while found:
        _send(connection, found)
        if is_shard(connection.alias):  # where it was taken off the list meanwhile, it is there now
            for model, rows in found.items():
                _register(main, connection.alias, model, rows)
        again = {model: _read(main, model, set(rows)) for model, rows in found.items()}
        found = {model: rows for model, rows in again.items() if rows != found[model]}


def _referenced(found: dict[Any, dict[str, tuple[str, str]]]) -> Wanted:
    wanted: Wanted = defaultdict(set)
    for model, rows in found.items():
        fields = [field for field in shared_references(model) if not is_whole(field.remote_field.model)]
        for text, _ in rows.values() if fields else ():
            row = json.loads(text)
            for field in fields:
                if (key := row[field.column]) is not None and field.target_field.primary_key:
                    wanted[field.remote_field.model._meta.concrete_model].add(str(key))
    return wanted


def _register(main: Any, home: str, model: Any, keys: Iterable[str]) -> None:
    with main.cursor() as cursor:
        cursor.execute("SELECT tenantkit.register_copies(%s, %s, %s)", [model._meta.db_table, sorted(keys), home])


def _read(main: Any, model: Any, keys: set[str]) -> dict[str, tuple[str, str]]:
    """Rows as JSON and their versions, by key."""
    with main.cursor() as cursor:
        if sql.ALL in keys:
            cursor.execute(sql.all_rows(model._meta.db_table, model._meta.pk.column))
        else:
            cursor.execute(sql.rows(model._meta.db_table, model._meta.pk.column), [sorted(keys)])
        return {key: (row, version) for row, key, version in cursor.fetchall()}


def _send(connection: Any, found: dict[Any, dict[str, tuple[str, str]]]) -> None:
    entries = [
        f'{{"table": {json.dumps(model._meta.db_table)}, "rows": [{",".join(row for row, _ in rows.values())}]}}'
        for model, rows in found.items()
        if rows
    ]
    if entries:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tenantkit.receive(%s)", [f"[{','.join(entries)}]"])


def copy_whole(connection: Any) -> None:
    """Copy the tables that are copied as a whole, content types, and rows that belong to no tenant."""
    source = apps.get_models(include_auto_created=True)
    for model in copied_models(source):
        if is_whole(model):
            _register(connections[SHARED], connection.alias, model, [sql.ALL])
            _replace(connection, model)
    models_ = common_models(source)
    for model in models_:
        _register(connections[SHARED], connection.alias, model, [sql.ALL])
    _replace_common(connection, models_)


def _replace_common(connection: Any, models_: Iterable[Any]) -> None:
    """Bring the rows of nobody of these models, and the shared ones that they refer to. All together, as they may refer
    to each other."""
    found: dict[Any, list[str]] = {}
    for model in models_:
        with connections[SHARED].cursor() as cursor:
            cursor.execute(common.rows(common_table(model)))
            found[model] = [text for (text,) in cursor.fetchall()]
    if not found:
        return
    wanted = _referenced({model: {text: (text, "") for text in texts} for model, texts in found.items()})
    bring(connection, wanted)
    entries = (
        f'{{"table": {json.dumps(model._meta.db_table)}, "rows": [{",".join(texts)}]}}'
        for model, texts in found.items()
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenantkit.receive_common(%s)", [f"[{','.join(entries)}]"])


def _replace(connection: Any, model: Any) -> None:
    rows = _read(connections[SHARED], model, {sql.ALL})
    with connection.cursor() as cursor:
        names = [model._meta.db_table, model._meta.pk.column]
        cursor.execute("SELECT tenantkit.dismiss_others(%s, %s, %s)", [*names, sorted(rows)])
    _send(connection, {model: rows})


def _dismiss(connection: Any, model: Any, gone: list[str]) -> None:
    if gone:
        table = model._meta.db_table
        forget_known(lambda known: known[1] == table and known[2] in gone)
        with connection.cursor() as cursor:
            cursor.execute("SELECT tenantkit.dismiss(%s, %s, %s)", [table, model._meta.pk.column, gone])


def forget_known(concerned: Callable[[Any], bool]) -> None:
    """Ask again for copies that this process believes to be where they belong: `(alias, table, key)`."""
    _known.forget(lambda known, _: concerned(known))


def is_pushed(connection: Any, model: Any, *, creates: bool) -> bool:
    """Whether a write to a shared model concerns copies. Not while the system migrates: what it changes is pushed
    with the next change. A new row is copied when something refers to it."""
    return connection.login != "system" and model._meta.db_table in _watched() and (not creates or is_whole(model))


def after_shared_write(connection: Any) -> None:
    """Push what was just written to the databases that have copies: now, or when it is committed. Until then a
    connection to one of them gets it before its next statement, see `postgresql/together.py`."""
    if not connection.in_atomic_block:
        push_changes()
        return
    waiting = connection.group.outermost(connection).run_on_commit
    if all(callback != push_changes for _, callback, _ in waiting):
        connection.on_commit(push_changes, robust=True)


_watched_tables: tuple[Any, frozenset[str]] = (None, frozenset())


def _watched() -> frozenset[str]:
    """The shared tables of which rows are copied. Django returns the same list of models until there are others."""
    global _watched_tables
    source = apps.get_models(include_auto_created=True)
    if _watched_tables[0] is not source:
        _watched_tables = source, frozenset(model._meta.db_table for model in copied_models(source))
    return _watched_tables[1]


def push_changes(failed: dict[str, str] | None = None) -> int:
    """Bring copies up to date with what has changed in the main database, and return how many changes are left: those
    of databases that could not be reached, which are tried again with the next change, or when this is called.
    `failed` gets the reasons, by the alias of the database."""
    left: set[int] = set()
    with tenant_context(None):
        main: Any = connections[SHARED]
        while changes := _pending(main, left):
            by_home: dict[str, list[Any]] = defaultdict(list)
            for change in changes:
                by_home[change[3]].append(change)
            for home, some in by_home.items():
                try:
                    _push(main, connections[home], some)
                except (Error, TenantkitError) as error:
                    logger.warning("Copies in %s are not up to date: %s", home, error)
                    left.update(change[0] for change in some)
                    if failed is not None:
                        failed[home] = str(error)
    return len(left)


def push_uncommitted(connection: Any) -> None:
    """Bring copies of one database up to date with what the transaction in hand has written to the main one."""
    with tenant_context(None):
        main: Any = connections[SHARED]
        if changes := [change for change in _pending(main, set()) if change[3] == connection.alias]:
            _push(main, connection, changes)


def copy_again(connection: Any, keys: Iterable[tuple[str, str]]) -> None:
    """Copy rows, given by their table and their key, as they are in the main database now, also where they are not
    there any more."""
    by_table = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    wanted: Wanted = defaultdict(set)
    for table, key in keys:
        if (model := by_table.get(table)) is not None:
            wanted[model].add(key)
    _replace_common(connection, [model for model in wanted if is_common(model)])
    for model, some in wanted.items():
        if is_common(model):
            continue
        if is_whole(model):
            _replace(connection, model)
        else:
            rows = _read(connections[SHARED], model, some)
            _copy(connection, {model: set(rows)})
            _dismiss(connection, model, sorted(some - set(rows)))


def _pending(main: Any, left: set[int]) -> list[Any]:
    with main.cursor() as cursor:
        cursor.execute("SELECT * FROM tenantkit.pending_changes(%s)", [BATCH + len(left)])
        return [change for change in cursor.fetchall() if change[0] not in left]


def _push(main: Any, connection: Any, changes: list[Any]) -> None:
    copy_again(connection, ((table, key) for _, table, key, _ in changes))
    with main.cursor() as cursor:
        cursor.execute("SELECT tenantkit.settle_changes(%s)", [[change[0] for change in changes]])
