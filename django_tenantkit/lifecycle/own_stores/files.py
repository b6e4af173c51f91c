"""Files as a store: those that rows of a tenant name in a `FileField`, in whatever storage the field has.

A file goes before its row does, so its name is never forgotten while it is there. One that another tenant's row names
too, a shared row, or a row that the law keeps, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import connections, models

from ...conf import conf
from ...context import tenant_context
from ...exceptions import TenantkitError
from ...models import Place, PlaceState
from ...registry import lives_at_home
from ...sql import erasing as sql
from ...sql.homes import quoted
from ..archive.files import in_folder, storages, walk, write_files
from ..contents import Content, contents, records
from ..reach import Tables, main_alias, own_tables, shared_tables
from ..stores import Store, Write

#: How many rows are read at a time.
BATCH = 1000


class Files(Store):
    """The files of FileFields. What else is in the default storage under the tenant's uid is looked for. Into a tenant
    they come together with the rows that name them: see `lifecycle/archive/filing.py`."""

    def export(self, tenant: Any, write: Write) -> list[str]:
        return write_files(tenant, write)

    def erase(self, tenant: Any) -> None:
        with tenant_context(None):
            others = list(_others(tenant))
            for field, names in _named_by(tenant):
                for name in names - _named_by_others(others, field.storage, names) - {field.get_default()}:
                    field.storage.delete(name)
                    if field.storage.exists(name):
                        raise TenantkitError(f"The storage of {field} did not delete {name!r}. Look why, and go on.")
            for storage in storages():  # what an interrupted job or an earlier version of a row left there
                left = set(in_folder(storage, tenant.uid))
                for name in left - _named_by_others(others, storage, left):
                    storage.delete(name)

    def remains(self, tenant: Any) -> Iterator[str]:
        names = (tenant.uid.hex, str(tenant.uid))
        for path in walk(default_storage, ""):
            if any(name in path for name in names):
                yield f"the file {path} in the default storage"

    def unsearched(self, tenant: Any) -> Iterator[str]:
        try:
            default_storage.listdir("")
        except NotImplementedError:
            yield "default storage: it cannot be listed; the files that rows named are gone"
        except FileNotFoundError:
            return


def file_fields(fields: Iterable[Any]) -> list[Any]:
    """The FileFields among the fields of a table."""
    return [field for field in fields if isinstance(field, models.FileField)]


def _named_by(tenant: Any) -> Iterator[tuple[Any, set[str]]]:
    """The names of files in the rows of the tenant that are not kept, some at a time, wherever those rows are."""
    for model, condition in _about(tenant):
        for field in file_fields(model._meta.local_concrete_fields):
            names = set(model._base_manager.filter(**condition).values_list(field.attname, flat=True))
            if names := {name for name in names if name}:
                yield field, names
    found = [(content, fields) for content in contents() if (fields := file_fields(content.fields))]
    for tables in (*shared_tables(), *own_tables(tenant.uid)) if found else ():
        existing = tables.existing()
        for content, fields in found:
            if content.table in existing and content.label not in conf.ERASE_KEEP:
                for rows in _pages(tables, content, fields, tenant):
                    for number, field in enumerate(fields, 1):
                        if names := {str(row[number]) for row in rows if row[number]}:
                            yield field, names


def _pages(tables: Tables, content: Content, fields: list[Any], tenant: Any) -> Iterator[list[Any]]:
    column = quoted(content.tenant.column) if content.tenant is not None else None
    if column is None and tables.is_shared:
        return
    arguments = [] if column is None else [_prepared(content.tenant, tenant.pk, tables.connection)]
    query, last = "", None
    while True:
        names = [quoted(field.column) for field in fields]
        key = quoted(content.key.column)
        query = sql.page(tables.full(content.table), key, names, column, BATCH, first=last is None)
        with tables.cursor() as cursor:
            cursor.execute(query, arguments if last is None else [*arguments, last])
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _prepared(field: Any, value: Any, connection: Any) -> Any:
    return field.get_db_prep_value(value, connection)


def _named_by_others(others: list[Other], storage: Any, names: set[str]) -> set[str]:
    """Of the names of files those that other rows name."""
    found: set[str] = set()
    for tables, table, one, condition, arguments in others:
        if one.storage == storage and (wanted := sorted(names - found)):
            marks, column = ", ".join(["%s"] * len(wanted)), quoted(one.column)
            query = f"SELECT {column} FROM {tables.full(table)} WHERE {column} IN ({marks}) AND {condition}"
            with tables.cursor() as cursor:
                cursor.execute(query, [*wanted, *arguments])
                found |= {name for (name,) in cursor.fetchall()}
    return found


#: Where other rows name files: tables, the name of one and its field, and a condition with its parameters.
Other = tuple[Tables, str, Any, str, list[Any]]


def _others(tenant: Any) -> Iterator[Other]:
    """Other tenants' rows with files, those of all, and those of this one that the law keeps."""
    at_home = [(content, fields) for content in contents() if (fields := file_fields(content.fields))]
    for uid, tables in _homes() if at_home else ():
        existing = tables.existing()
        for content, fields in at_home:
            if content.table not in existing:
                continue
            condition, arguments = "1 = 1", []
            if content.label not in conf.ERASE_KEEP:
                if uid == tenant.uid:
                    continue
                if content.tenant is not None:
                    condition = f"{quoted(content.tenant.column)} <> %s"
                    arguments = [_prepared(content.tenant, tenant.pk, tables.connection)]
            for field in fields:
                yield tables, content.table, field, condition, arguments
    main = Tables(main_alias(), "", is_shared=True)
    for model in apps.get_models(include_auto_created=True):
        meta: Any = model._meta
        if meta.managed and not meta.proxy and not meta.swapped and not lives_at_home(model):
            condition, arguments = _leaving_out(tenant, model)
            for field in file_fields(meta.local_concrete_fields):
                yield main, meta.db_table, field, condition, arguments


def _about(tenant: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The shared models that are about the tenant and are not kept, each with what chooses its rows."""
    kind: Any = type(tenant)
    yield from ((model, {"pk": tenant.pk}) for model in (kind, *kind._meta.all_parents))
    for model, field in records():
        if model._meta.label not in conf.ERASE_KEEP:
            yield model, {field.name: tenant}


def _leaving_out(tenant: Any, model: Any) -> tuple[str, list[Any]]:
    """A condition that leaves out the rows of a shared model that are about the tenant."""
    chosen = next((condition for about, condition in _about(tenant) if about is model), None)
    if chosen is None:
        return "1 = 1", []
    field = model._meta.pk if "pk" in chosen else model._meta.get_field(next(iter(chosen)))
    column = quoted(field.column)
    value = _prepared(field, tenant.pk, connections[main_alias()])
    return f"({column} IS NULL OR {column} <> %s)", [value]


def _homes() -> Iterator[tuple[UUID | None, Tables]]:
    """All homes, each with whose it is; None for those that tenants share."""
    for tables in shared_tables():
        yield None, tables
    for place in Place.objects.filter(state__in=[PlaceState.TAKEN, PlaceState.LEAVING]).iterator():
        for tables in own_tables(place.uid):
            yield place.uid, tables
