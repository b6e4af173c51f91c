"""Rows of shared tables that are about a tenant: those that name it, and those that refer to its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.deletion import Collector

from ...exceptions import EraseRefused
from ...isolation.copied import generic_references
from ...models import Job, get_tenant_model
from ...registry import lives_at_home, only_rows
from ...sql import erasing as sql
from ...sql.homes import quoted
from ..contents import Content
from ..reach import Tables, main_alias
from .keeping import erased_tables, is_kept
from .rows import places_of

BATCH = 1000

#: A pair of fields of a shared model that refers to rows of any model: the content type's, and the key's.
Pair = tuple[Any, Any, Any]


def naming() -> Iterator[tuple[Any, Any]]:
    """Shared models whose rows name the tenant that they are about, with the field: domains, memberships, and the
    project's own; not jobs, which are the evidence, and not what is kept."""
    tenant = get_tenant_model()
    for model in apps.get_models(include_auto_created=True):
        if model is Job or lives_at_home(model) or not _has_table(model) or is_kept(model._meta.label):
            continue
        for field in model._meta.local_concrete_fields:
            target = field.remote_field.model if isinstance(field, models.ForeignKey) else None
            if target is not None and target._meta.concrete_model is tenant and not issubclass(model, tenant):
                yield model, field


def count_naming(tenant: Any) -> dict[str, int]:
    """The number of those rows, by model."""
    found: dict[str, int] = {}
    for model, field in naming():
        if number := model._base_manager.filter(**{field.name: tenant}).count():
            found[model._meta.label] = found.get(model._meta.label, 0) + number
    return found


def delete_naming(tenant: Any) -> None:
    """Delete those rows, with the shared rows that go with them, and with what the admin's log says of them and of the
    tenant itself."""
    pairs = list(_pairs())
    _delete_by_pairs(pairs, type(tenant), [tenant.pk])
    for model, field in naming():
        while rows := list(model._base_manager.filter(**{field.name: tenant})[:BATCH]):
            _delete_by_pairs(pairs, model, [row.pk for row in rows])
            _delete(rows)


def empty_jobs(job: Job) -> None:
    """Leave of the tenant's other jobs who did what and when: their arguments and errors are about people. Jobs that
    copied it do not name it any more."""
    others = Job.objects.filter(tenant=job.tenant) | Job.objects.filter(tenant=None, slug=job.slug)
    others.exclude(pk=job.pk).update(arguments={}, domain="", error="", result={})
    uid = str(job.tenant.uid)
    for copying in Job.objects.filter(arguments__source=uid):  # of another tenant, which lives on
        Job.objects.filter(pk=copying.pk).update(arguments={**copying.arguments, "source": ""})


def delete_pointers(tenant: Any) -> None:
    """Delete the shared rows that refer to rows of the tenant, where it is certain whose those are: by a generic
    reference, as the admin's log does, or by a foreign key. Before the rows go: their keys are needed."""
    pairs, fields = list(_pairs()), list(_fields())
    targets = {field.remote_field.model._meta.concrete_model for _, field in fields}
    for tables in places_of(tenant):
        existing = tables.existing()
        for content in erased_tables():
            concerned = (pairs and is_certain(content)) or content.model in targets
            if content.table in existing and concerned and (content.tenant is not None or not tables.is_shared):
                for keys in _keys(tables, content, tenant):
                    _delete_by_pairs(pairs if is_certain(content) else [], content.model, keys)
                    _delete_by_fields([one for one in fields if _leads_to(one[1], content)], keys)


def is_certain(content: Content) -> bool:
    """Whether a key of the table is nobody else's: numbers are given out anew in each home."""
    field = content.key
    while field.remote_field is not None:
        field = field.target_field
    return isinstance(field, models.UUIDField) or only_rows()


def uncertain_pointers() -> Iterator[str]:
    """What cannot be told apart, as certificates say it."""
    labels = [content.label for content in erased_tables() if not is_certain(content)]
    for model, _, _ in _pairs() if labels else ():
        yield (
            f"{model._meta.label}: rows about {', '.join(labels)}, whose keys are given out anew in each home, do not "
            "say whose they are"
        )


def _has_table(model: Any) -> bool:
    return bool(model._meta.managed and not model._meta.proxy and not model._meta.swapped)


def _pairs() -> Iterator[Pair]:
    for model in apps.get_models():
        if lives_at_home(model) or not _has_table(model) or is_kept(model._meta.label):
            continue
        for field in generic_references(model):
            yield model, model._meta.get_field(field.ct_field), model._meta.get_field(field.fk_field)
        if model._meta.label == "admin.LogEntry":
            yield model, model._meta.get_field("content_type"), model._meta.get_field("object_id")


def _fields() -> Iterator[tuple[Any, Any]]:
    for model in apps.get_models():
        if not lives_at_home(model) and _has_table(model) and not is_kept(model._meta.label):
            for field in model._meta.local_concrete_fields:
                if isinstance(field, models.ForeignKey) and lives_at_home(field.remote_field.model):
                    yield model, field


def _leads_to(field: Any, content: Content) -> bool:
    return bool(field.remote_field.model._meta.concrete_model is content.model)


def _keys(tables: Tables, content: Content, tenant: Any) -> Iterator[list[Any]]:
    column = None if content.tenant is None else quoted(content.tenant.column)
    given = [] if column is None else [content.tenant.get_db_prep_value(tenant.pk, tables.connection)]
    last: Any = None
    while True:
        query = sql.page(tables.full(content.table), quoted(content.key.column), [], column, BATCH, first=last is None)
        with tables.cursor() as cursor:
            cursor.execute(query, given if last is None else [*given, last])
            found = [key for (key,) in cursor.fetchall()]
        if not found:
            return
        yield [content.key.to_python(key) for key in found]
        last = found[-1]


def _delete_by_pairs(pairs: list[Pair], about: Any, keys: list[Any]) -> None:
    for model, kind, key in pairs:
        types = kind.remote_field.model._base_manager
        for one in (about, *about.__subclasses__()):
            meta = one._meta
            for number in types.filter(app_label=meta.app_label, model=meta.model_name).values_list("pk", flat=True):
                wanted = {kind.attname: number, f"{key.attname}__in": [key.to_python(str(value)) for value in keys]}
                _delete(list(model._base_manager.filter(**wanted)))


def _delete_by_fields(fields: list[tuple[Any, Any]], keys: list[Any]) -> None:
    for model, field in fields:
        found = model._base_manager.filter(**{f"{field.attname}__in": keys})
        if field.null:
            found.update(**{field.attname: None})
        else:
            _delete(list(found))


def _delete(rows: Iterable[Any]) -> None:
    """Delete shared rows with those that go with them. Raises `EraseRefused` where tenants' rows would be among
    these: the tenant's own are gone, so they are others'."""
    if not (rows := list(rows)):
        return
    collector = Collector(using=main_alias(), origin=rows[0])
    collector.collect(rows)
    touched: dict[Any, Any] = dict(collector.data)
    touched |= {found.model: True for found in collector.fast_deletes if _is_others(found)}
    touched |= {field.model: True for field, _ in collector.field_updates if lives_at_home(field.model)}
    if others := sorted(model._meta.label for model in touched if lives_at_home(model)):
        raise EraseRefused(
            f"{rows[0]._meta.label} {rows[0].pk} is to be erased, and rows of other tenants refer to it: "
            f"{', '.join(others)}. Let them refer to something else."
        )
    collector.delete()


def _is_others(found: Any) -> bool:
    return lives_at_home(found.model) and found.exists()
