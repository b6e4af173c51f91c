"""Files that rows of a tenant name in a `FileField`: which those are, and their way into an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from django.core.exceptions import SuspiciousOperation
from django.db import models

from ...context import unscoped
from ...sql import archives as sql
from ..contents import contents, records
from .tables import Column, Ground, Table

#: What archives call the store of files.
STORE = "django_tenantkit.lifecycle.own_stores.files.Files"

#: How many files that are not there are named.
_NAMED = 20

#: The longest name, in bytes: what file systems take.
LONGEST = 1024


def columns_of(table: Table) -> list[Column]:
    """The columns of a table that name files."""
    return [column for column in table.columns.values() if isinstance(column.field, models.FileField)]


def kind_of_files(label: str, field: Any) -> str:
    """What files of a field are called: `app.Model.field`."""
    return f"{label}.{field.name}"


def key_of(kind: str, name: str) -> str:
    """What a file is called in an archive."""
    return f"{kind}/{name}"


def is_path(name: str) -> bool:
    """Whether a name is a relative path that leads nowhere else."""
    wrong = "\\" in name or any(piece in ("", ".", "..") for piece in name.split("/")) or not name.isprintable()
    return not wrong and len(name.encode(errors="replace")) <= LONGEST


def named_in(ground: Ground) -> Iterator[tuple[str, Any, str]]:
    """The files that rows of a tenant name, each once for each field: kind, field and name. What a field names by
    default is everybody's."""
    for table in ground.tables:
        for column in columns_of(table):
            with table.spot.connection.cursor() as cursor:
                cursor.execute(sql.distinct(table.name, column.name, table.condition(ground.tenant.pk)))
                names = [name for (name,) in cursor.fetchall()]
            for name in names:
                if name and name != column.field.get_default():
                    yield kind_of_files(table.label, column.field), column.field, name


def write_files(tenant: Any, write: Callable[[str, Iterable[bytes]], None]) -> list[str]:
    """Hand the files of a tenant to `write`, and return what was left out: names that the storage has no file of."""
    missing = []
    with unscoped(reason=f"files of {tenant.slug}", rows_only=True):
        for kind, field, name in named_in(Ground(tenant)):
            if not is_path(name) or (file := opened(field.storage, name)) is None:
                missing.append(key_of(kind, name))
                continue
            with file:
                write(key_of(kind, name), file.chunks())
    return told(missing)


def told(missing: list[str]) -> list[str]:
    """What is said of files that are not there."""
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return [f"The storage has no file {', '.join(missing[:_NAMED])}{more}, which rows name."] if missing else []


def in_folder(storage: Any, uid: UUID) -> Iterator[str]:
    """The names of files in the folder of a tenant, as far as the storage can be listed."""
    return walk(storage, f"{uid.hex}/")


def walk(storage: Any, path: str) -> Iterator[str]:
    """The names of files in a folder and those in it."""
    try:
        directories, files = storage.listdir(path)
    except (FileNotFoundError, NotImplementedError):
        return
    for name in files:
        yield f"{path}{name}"
    for name in directories:
        yield from walk(storage, f"{path}{name}/")


def storages() -> list[Any]:
    """The storages of all fields of files in tables of tenants, each once."""
    fields = [field for one in contents() for field in one.fields]
    fields += [field for model, _ in records() for field in model._meta.local_concrete_fields]
    found = [field.storage for field in fields if isinstance(field, models.FileField)]
    return [storage for place, storage in enumerate(found) if storage not in found[:place]]


def sweep(uid: UUID) -> None:
    """Delete all files in the folder of a tenant that there is not."""
    for storage in storages():
        for name in list(in_folder(storage, uid)):
            storage.delete(name)


def opened(storage: Any, name: str) -> Any:
    """The file of that name, open, or None."""
    try:
        return storage.open(name, "rb")
    except (FileNotFoundError, IsADirectoryError, SuspiciousOperation):
        return None
