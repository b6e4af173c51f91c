"""Homes made of finished DDL: what migrations make of an empty schema, read once and sent in one message.

The schema that is read, the reference, is a home like others, for the uid nil; it has no place, so no tenant takes it.
It is made by the project's migrations, and anew when they, or what shapes their SQL, change.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import django
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.migrations.loader import MigrationLoader

from .. import __version__
from ..conf import conf
from ..context import logger
from ..exceptions import SnapshotRefused
from ..isolation.schema import schema_name
from ..models import MigrationState
from ..sql.homes import drop_schema
from ..sql.roles import roles_of
from ..sql.signature import secrets_of
from . import homes
from .signing import sign_home
from .snapshot import Snapshot, take

REFERENCE = UUID(int=0)


class Finished(NamedTuple):
    """What makes a home: the script, None where a schema cannot be made of one, and the state it is then in."""

    snapshot: Snapshot | None
    digest: str


_known: dict[str, Finished] = {}


def finished(connection: Any) -> Finished:
    """What makes a home now. By the system's login, outside of transactions. From memory, or from the database, or
    from the reference, which is made anew where it is of another time."""
    key = key_of(connection)
    if key not in _known:
        if len(_known) > 10:
            _known.clear()
        _known[key] = _kept(key) or _read_reference(connection, key)
    return _known[key]


def forget(**kwargs: Any) -> None:
    """Ask the database again: it was migrated or flushed."""
    _known.clear()


def _kept(key: str) -> Finished | None:
    state = MigrationState.objects.filter(made_for=key).first()
    if state is None:
        return None
    return Finished(None if state.script is None else Snapshot.from_json(state.script), state.digest)


def _read_reference(connection: Any, key: str) -> Finished:
    schema = schema_name(REFERENCE)
    with connection.cursor() as cursor:
        cursor.execute(drop_schema(schema))
    homes.migrate_home(connection, schema)
    sign_home(connection, schema)
    names = homes.applied_in(connection, schema)
    digest = homes.digest_of(names)
    snapshot = _take(connection, schema)
    script = None if snapshot is None else snapshot.as_json()
    MigrationState.objects.filter(made_for=key).exclude(digest=digest).update(made_for="", script=None)
    MigrationState.objects.update_or_create(digest=digest, defaults={"names": names, "made_for": key, "script": script})
    return Finished(snapshot, digest)


def _take(connection: Any, schema: str) -> Snapshot | None:
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            snapshot = take(cursor, schema)
    except SnapshotRefused as refusal:
        logger.warning("Homes are made by migrations, one after the other: %s", refusal)
        return None
    if snapshot.needs_tenant:
        logger.warning("Homes are made by migrations, one after the other: these make rows of a tenant.")
        return None
    return snapshot


def key_of(connection: Any) -> str:
    """What stands for everything that shapes a home: the code of the migrations, versions, names, settings."""
    modules = {label: str(module) for label, module in getattr(settings, "MIGRATION_MODULES", {}).items()}
    parts = (
        _code(tuple(settings.INSTALLED_APPS), tuple(sorted(modules.items()))),
        connection.settings_dict["NAME"],
        connection.pg_version,
        django.VERSION,
        __version__,
        roles_of(connection.settings_dict),
        conf.ROW_SCHEMA,
        sorted(conf.TENANT_APPS),
        bool(secrets_of(conf.SIGNED_CONTEXT)),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=8)
def _code(installed: Hashable, modules: Hashable) -> str:
    """A digest of the project's migrations and of models without migrations: a process's code does not change."""
    loader = MigrationLoader(None)
    found = hashlib.sha256()
    for key in sorted(loader.graph.nodes):
        found.update(repr(key).encode())
        found.update(Path(inspect.getfile(type(loader.graph.nodes[key]))).read_bytes())
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label in loader.unmigrated_apps:
            fields = [field.deconstruct()[1:] for field in model._meta.local_fields]
            found.update(repr((model._meta.db_table, fields, model._meta.constraints, model._meta.indexes)).encode())
    return found.hexdigest()
