"""The place that a tenant moves to: made empty, by the system, and again from the start where it was begun before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db import connections

from ...context import tenant_context
from ...isolation.copied import generic_references, is_whole
from ...isolation.copying import Wanted, bring, forget_known
from ...isolation.entries import SHARED
from ...models import MigrationState, TenantIsolation, get_tenant_model
from ...registry import lives_at_home
from ...sql.homes import drop_schema, quoted
from .. import databases, homes
from ..contents import Reference
from ..shards import main_connection, make_schema, make_shard, schemas_on
from ..sweeping import sweep
from ..templates import make_database
from .sides import Side, Spot
from .transfer import Transfer

#: How many shared rows are copied at a time.
BATCH = 5_000


def make_place(spot: Spot) -> str:
    """Make the schema or the database of the tenant that will live at `spot`; nothing for shared tables. Returns the
    digest of its migrations, which is noted. Nobody may live there."""
    if spot.is_shared:
        return ""
    with tenant_context(None):
        names = _make_schema(spot) if spot.isolation == TenantIsolation.SCHEMA else _make_database(spot)
        digest = homes.digest_of(names)
        MigrationState.objects.get_or_create(digest=digest, defaults={"names": names})
        return digest


def drop_place(spot: Spot) -> None:
    """Remove it, as the tenant does not move after all."""
    with tenant_context(None):
        if spot.isolation == TenantIsolation.SCHEMA:
            with schemas_on(spot.server) as connection, connection.cursor() as cursor:
                cursor.execute(drop_schema(spot.schema))
            if spot.server:
                sweep(spot.server)
        elif spot.isolation == TenantIsolation.DATABASE:
            databases.drop_database(spot.uid, spot.server)


def _make_schema(spot: Spot) -> list[str]:
    with main_connection().as_system():
        if spot.server:
            make_shard(spot.server)
        with schemas_on(spot.server) as connection:
            with connection.cursor() as cursor:
                cursor.execute(drop_schema(spot.schema))
            return make_schema(connection, spot.schema)


def _make_database(spot: Spot) -> list[str]:
    make_database(spot.uid, spot.server)
    return databases.applied_in(spot.uid, spot.server)


def bring_shared(source: Side, target: Side, tenant: Any) -> None:
    """Copy the shared rows that the tenant's refer to into its new database, and itself. Outside of transactions."""
    alias = target.spot.alias
    forget_known(lambda known: known[0] == alias)
    wanted: Wanted = defaultdict(set)
    wanted[get_tenant_model()._meta.concrete_model].add(str(tenant.pk))
    for content, copied in Transfer(source, target, str(tenant.pk)).tables:
        for reference in content.references:
            if not reference.is_at_home and not is_whole(reference.target):
                wanted[reference.target] |= _keys(source, copied.source, reference)
        for generic in generic_references(content.model):
            kind, number = (content.model._meta.get_field(name).column for name in (generic.ct_field, generic.fk_field))
            if {kind, number} <= set(content.columns):
                _add_generic(source, copied.source, (kind, number), wanted)
    for model, keys in wanted.items():
        for some in _batches(sorted(keys)):
            bring(connections[alias], {model: set(some)})


def _batches(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]


def _keys(source: Side, rows: str, reference: Reference) -> set[str]:
    """The primary keys of the shared rows that some rows refer to."""
    column = f"s.{quoted(reference.column)}"
    found = {key for (key,) in source.ask(f"SELECT DISTINCT {column}::text FROM {rows} AND {column} IS NOT NULL")}
    key = reference.target._meta.pk.column
    if not found or reference.target_column == key:
        return found
    table, name = quoted(reference.target._meta.db_table), quoted(reference.target_column)
    query = f"SELECT {quoted(key)}::text FROM public.{table} WHERE {name}::text = ANY (%s)"
    with connections[SHARED].cursor() as cursor:
        cursor.execute(query, [list(found)])
        return {key for (key,) in cursor.fetchall()}


def _add_generic(source: Side, rows: str, columns: tuple[str, str], wanted: Wanted) -> None:
    kind, number = (f"s.{quoted(column)}" for column in columns)
    query = f"SELECT DISTINCT {kind}, {number}::text FROM {rows} AND {kind} IS NOT NULL AND {number} IS NOT NULL"
    found = source.ask(query)
    kinds = _shared_kinds(source) if found else {}
    for key, text in found:
        if (model := kinds.get(key)) is not None and not is_whole(model):
            wanted[model].add(text)


def _shared_kinds(source: Side) -> dict[Any, Any]:
    """The models that tenants share by the keys of their content types."""
    by_label = {
        (model._meta.app_label, str(model._meta.model_name)): model._meta.concrete_model
        for model in databases.shared_models()
        if not lives_at_home(model)
    }
    rows = source.ask("SELECT id, app_label, model FROM public.django_content_type")
    return {key: by_label[label] for key, *rest in rows if (label := tuple(rest)) in by_label}
