"""The rows of a tenant's own tables: counted, and deleted by the system's login, in batches.

Tables that refer to others come before these. Where tables refer to each other in a circle, or to themselves, their
rows are deleted in one transaction, at whose end the references are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from typing import Any

from django.db import transaction

from ...conf import conf
from ...sql import erasing as sql
from ...sql.homes import quoted
from ..contents import Content, contents
from ..reach import Tables, own_tables, shared_tables
from .keeping import erased_tables, is_kept

#: How many rows are deleted in one transaction.
BATCH = 10_000


def places_of(tenant: Any) -> Iterator[Tables]:
    """Wherever the tenant has rows, or may have left some."""
    yield from shared_tables()
    yield from own_tables(tenant.uid)


def count_rows(tenant: Any, wanted: Callable[[str], bool] = lambda label: True) -> dict[str, int]:
    """The number of its rows by model, without models that have none. `wanted` chooses models by their names."""
    found: dict[str, int] = {}
    for tables in places_of(tenant):
        with tables.cursor() as cursor:
            existing = tables.existing()
            for content in contents():
                if wanted(content.label) and content.table in existing and _has_own(tables, content):
                    query = sql.count(tables.full(content.table), _column(content))
                    cursor.execute(query, _tenant(tables, content, tenant))
                    if number := cursor.fetchone()[0]:
                        found[content.label] = found.get(content.label, 0) + number
    return found


def count_erased(tenant: Any) -> dict[str, int]:
    """The number of rows that are to be erased, by model."""
    return count_rows(tenant, lambda label: not is_kept(label))


def kept(tenant: Any) -> dict[str, dict[str, Any]]:
    """What TENANTKIT_ERASE_KEEP keeps, by model: the reason, and the number of rows in the tenant's tables."""
    numbers = count_rows(tenant, is_kept)
    return {
        label: {"reason": reason, "rows": numbers.get(label, 0)} for label, reason in sorted(conf.ERASE_KEEP.items())
    }


def delete_rows(tables: Tables, tenant: Any) -> None:
    """Delete its rows in these tables, but for those that are kept. Outside of transactions."""
    with tables.cursor() as cursor:
        existing = tables.existing()
        wanted = [content for content in erased_tables() if content.table in existing and _has_own(tables, content)]
        for group in in_order(wanted):
            if not _is_circle(group):
                while _delete(cursor, tables, group[0], tenant, BATCH):
                    pass
                continue
            with transaction.atomic(using=tables.alias):
                if tables.schema:
                    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                for content in group:
                    _delete(cursor, tables, content, tenant, None)


def in_order(tables: list[Content]) -> list[list[Content]]:
    """Tables in the order in which rows can be deleted; those of a circle together."""
    by_model = {content.model: content for content in tables}
    targets = {content.model: {one.target for one in content.references} & by_model.keys() for content in tables}
    reached = {model: _reached(model, targets) for model in targets}
    group_of = {model: frozenset({model, *(m for m in reached[model] if model in reached[m])}) for model in targets}
    before: dict[frozenset[Any], set[frozenset[Any]]] = {group: set() for group in group_of.values()}
    for model, some in targets.items():
        for target in some:
            if group_of[target] != group_of[model]:
                before[group_of[target]].add(group_of[model])
    return [[by_model[model] for model in group] for group in TopologicalSorter(before).static_order()]


def _reached(model: Any, targets: dict[Any, set[Any]]) -> set[Any]:
    found: set[Any] = set()
    waiting = [model]
    while waiting:
        new = targets[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _is_circle(group: list[Content]) -> bool:
    return len(group) > 1 or any(reference.target is group[0].model for reference in group[0].references)


def _delete(cursor: Any, tables: Tables, content: Content, tenant: Any, batch: int | None) -> int:
    key = quoted(content.key.column)
    statement = sql.delete(tables.full(content.table), key, _column(content), batch)
    cursor.execute(statement, _tenant(tables, content, tenant))
    return int(cursor.rowcount)


def _has_own(tables: Tables, content: Content) -> bool:
    """Whether it can be said which rows of the table are a tenant's."""
    return content.tenant is not None or not tables.is_shared


def _column(content: Content) -> str | None:
    return None if content.tenant is None else quoted(content.tenant.column)


def _tenant(tables: Tables, content: Content, tenant: Any) -> list[Any]:
    if content.tenant is None:
        return []
    return [content.tenant.get_db_prep_value(tenant.pk, tables.connection)]
