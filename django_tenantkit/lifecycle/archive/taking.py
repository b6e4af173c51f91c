"""Writing an archive: the rows of a tenant in one state of the database, in constant memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, TypeAlias

import django
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from ...context import unscoped
from ...exceptions import ArchiveRefused
from ...registry import tenant_field
from ...sql import archives as sql
from ..jobs import Progress
from . import naming
from .container import CHECKSUMS, CHUNK, MANIFEST, SIGNATURE, Entry, Writer
from .seals import signed
from .spots import Spot, snapshot
from .states import applied
from .storing import write_stores
from .tables import Ground, Table, generic_columns, kind_of

VERSION = 1

#: A line, as it comes from the server.
Buffer: TypeAlias = bytes | bytearray | memoryview

#: Changes rows on their way out: by model, what is done with the lines of an entry.
Mask = dict[str, Callable[[bytes], bytes]]
#: The rows of shared models that have to be named: by model and the field that refers to them.
Wanted = dict[tuple[Any, Any], set[str]]


def take(
    source: Ground,
    stream: IO[bytes],
    *,
    compress: bool = False,
    expressions: Any = None,
    masks: Mask | None = None,
    files: bool = False,
    stored: bool = True,
    progress: Progress | None = None,
) -> tuple[list[Entry], list[str]]:
    """Write the archive of a tenant to a stream, and return its entries and what was left out. Outside of
    transactions. Raises `ArchiveRefused` where rows that it refers to cannot be named. With `files` come those that
    rows name; without `stored` comes nothing that stores have, neither files nor what the project keeps."""
    with unscoped(reason=f"archive of {source.tenant.slug}", rows_only=True), snapshot(source.home, source.main):
        writer = Writer(stream, compress=compress)
        needed = _needed(source)
        wanted = _with_generic(source, needed)
        naming.check_names(model for model, _ in wanted)
        writer.add(MANIFEST, _json(_manifest(source, wanted)))
        for pair, keys in wanted.items():
            _write_named(writer, source, pair, keys, needed.get(pair, set()))
        for place, table in enumerate(source.tables, 1):
            for data, rows, number in _parts(table, source.tenant.pk, (expressions or {}).get(table.label, {})):
                mask = (masks or {}).get(table.label)
                writer.add(f"{table.part}/{table.label}/{number:05}.jsonl", data if mask is None else mask(data), rows)
            if progress is not None:
                progress(place, len(source.tables), table.label)
        notes = write_stores(writer, source.tenant, files=files) if stored else []
        listed = _json({"entries": [entry.described() for entry in writer.entries]})
        writer.add(CHECKSUMS, listed)
        writer.add(SIGNATURE, signed(listed))
        writer.close()
        return writer.entries, notes


def count(source: Ground) -> dict[str, int]:
    """How many rows of each model belong to the tenant."""
    found = {}
    with unscoped(reason=f"rows of {source.tenant.slug}", rows_only=True):
        for table in source.tables:
            with table.spot.connection.cursor() as cursor:
                cursor.execute(sql.count(table.name, table.condition(source.tenant.pk)))
                found[table.label] = cursor.fetchone()[0]
    return found


def _manifest(source: Ground, wanted: Wanted) -> dict[str, Any]:
    tenant = source.tenant
    return {
        "format": "django_tenantkit archive",
        "version": VERSION,
        "created_at": timezone.now().isoformat(),
        "django": django.get_version(),
        "tenant": {
            "uid": str(tenant.uid),
            "slug": tenant.slug,
            "name": tenant.name,
            "plan": tenant.plan,
            "settings": tenant.settings,
            "isolation": tenant.isolation,
        },
        "migrations": applied(source.home, source.main),
        "shared": {kind_of(model, field.column): naming.names_of(model) for model, field in wanted},
        "records": {table.label: table.described() for table in source.tables if table.part == "records"},
        "models": {table.label: table.described() for table in source.tables if table.part == "data"},
    }


def _parts(table: Table, key: Any, expressions: dict[str, str]) -> Iterator[tuple[bytes, int, int]]:
    """The rows as lines of JSON, made by the server, many at a time."""
    columns = [(column.name, expressions.get(column.name, column.expression)) for column in table.columns.values()]
    connection = table.spot.connection
    statement = sql.take(table.name, columns, table.condition(key))
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        yield from _chunked(copy)


def _chunked(lines: Iterable[Buffer]) -> Iterator[tuple[bytes, int, int]]:
    """Lines together, as many as fit, with how many those are and which part it is."""
    part, rows, number = bytearray(), 0, 1
    for line in lines:
        part += line
        rows += 1
        if len(part) >= CHUNK:
            yield bytes(part), rows, number
            part, rows, number = bytearray(), 0, number + 1
    if rows:
        yield bytes(part), rows, number


def _needed(source: Ground) -> Wanted:
    """What foreign keys of the tenant's rows refer to, and is not among those rows."""
    found: Wanted = defaultdict(set)
    for table in source.tables:
        own = table.condition(source.tenant.pk)
        for reference in table.references:
            pair = (reference.target, reference.field.target_field)
            if naming.is_named(reference.target):
                found[pair] |= _column(table.spot, sql.distinct(table.name, reference.column, own))
            elif naming.shares_rows(reference.target):
                target = source.spot(reference.target).table(reference.target)
                nobodys = sql.Nobodys(target, reference.target_column, tenant_field(reference.target).column)
                found[pair] |= _column(table.spot, sql.distinct_of_nobody(table.name, reference.column, own, nobodys))
    return found


def _with_generic(source: Ground, needed: Wanted) -> Wanted:
    """That, and the shared rows that generic foreign keys refer to, as far as those are there."""
    found: Wanted = defaultdict(set, {pair: set(keys) for pair, keys in needed.items()})
    kinds = _kinds(source, needed)
    for table in source.tables:
        own = table.condition(source.tenant.pk)
        for kind, key in generic_columns(table.content):
            for pk, model in kinds.items():
                keys = _column(table.spot, sql.distinct(table.name, key, f"{own} AND {sql.is_kind(kind, pk)}"))
                found[model, model._meta.pk] |= {text for text in keys if _is_key(model, text)}
    return {pair: keys for pair, keys in sorted(found.items(), key=lambda item: item[0][0]._meta.label) if keys}


def _kinds(source: Ground, needed: Wanted) -> dict[Any, Any]:
    """The shared models among the content types that rows refer to, by the content type's key."""
    keys = needed.get((ContentType, ContentType._meta.pk), set())
    with naming.reaching(ContentType, source.tenant):
        rows = list(ContentType._base_manager.using(source.spot(ContentType).alias).filter(pk__in=keys))
    found = {row.pk: row.model_class() for row in rows}
    return {pk: model._meta.concrete_model for pk, model in found.items() if model and naming.is_named(model)}


def _is_key(model: Any, text: str) -> bool:
    try:
        model._meta.pk.to_python(text)
    except Exception:
        return False
    return True


def _column(spot: Spot, query: str) -> set[str]:
    with spot.connection.cursor() as cursor:
        cursor.execute(query)
        return {value for (value,) in cursor.fetchall()}


def _write_named(writer: Writer, source: Ground, pair: Any, keys: set[str], needed: set[str]) -> None:
    model, field = pair
    rows = list(naming.describe(model, field, keys, source.tenant, source.spot(model).alias))
    if lost := sorted(needed - {row["key"] for row in rows}):
        raise ArchiveRefused(
            f"Rows of the tenant refer to rows of {model._meta.label} that are not there: {', '.join(lost[:5])}. "
            "Repair them first."
        )
    for data, number_of_rows, number in _chunked(naming.encode(row) for row in rows):
        writer.add(f"shared/{kind_of(model, field.column)}/{number:05}.jsonl", data, number_of_rows)


def _json(data: Any) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode()
