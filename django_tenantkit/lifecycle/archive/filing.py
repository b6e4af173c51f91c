"""Files on their way into a tenant: what they are called there, when they are written, and what becomes of them when
the rows are refused.

A name is a function of the tenant, the name that it had, and for a tenant that is there of the content too. So whoever
does an interrupted job again finds what was written, and nothing that is there is overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import Any, Protocol, cast
from uuid import UUID

from django.core.files import File

from ...exceptions import ArchiveRefused
from ...sql import archives as sql
from .container import CHUNK
from .files import columns_of, is_path, key_of, kind_of_files
from .keys import Keys
from .tables import Ground, Table

_BATCH = 1000
#: The length of an ending that is kept when a name is shortened.
_SUFFIX = 20


class Source(Protocol):
    """Where files come from. A key is `app.Model.field/NAME`."""

    def digest(self, key: str) -> str | None:
        """What stands for the content; empty if that is not known before it is read, None where there is no file."""

    def refuse_others(self, keys: Collection[str], kept: Collection[str]) -> None:
        """Raise `ArchiveRefused` where there are files of other keys."""

    def contents(self, keys: Collection[str], notes: list[str]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The files of these keys, each to be read before the next. What is not there is noted."""


@dataclass(frozen=True)
class Naming:
    """What files of the tenant `old` are called in the tenant `new`. `is_new`: it has none yet. `is_believed`: the
    archive was signed by somebody who is trusted here."""

    old: UUID
    new: UUID
    is_new: bool
    is_believed: bool

    @property
    def is_own(self) -> bool:
        """Whether the rows are certainly the tenant's own as they were."""
        return self.is_believed and not self.is_new and self.old == self.new

    def target(self, kind: str, name: str, longest: int, digest: str = "") -> str:
        """The name in the tenant's folder: that of its uid."""
        digest = "" if self.is_new else digest
        pieces = name.split("/")
        place = next((place for place, piece in enumerate(pieces) if _uid(piece) is not None), None)
        if not digest and place is not None and _uid(pieces[place]) == self.old:
            dashed = "-" in pieces[place]
            pieces[place] = str(self.new) if dashed else self.new.hex
            if len(found := "/".join(pieces)) <= longest:
                return found
        told = hashlib.sha256("\n".join((str(self.old), kind, name, digest)).encode()).hexdigest()[:12]
        folder, path = f"{self.new.hex}/{told}", PurePosixPath(name)
        room = longest - len(folder) - 1
        if room < 1:
            raise ArchiveRefused(f"{kind} holds {longest} characters, too few for a name in the folder {folder}.")
        short = name if place is None and len(name) <= room else path.name
        if len(short) > room:
            suffix = path.suffix if len(path.suffix) < min(room, _SUFFIX) else ""
            short = path.name.removesuffix(suffix)[: room - len(suffix)] + suffix
        return f"{folder}/{short}"


def _uid(piece: str) -> UUID | None:
    try:
        return UUID(piece) if len(piece) in (32, 36) else None
    except ValueError:
        return None


class Files:
    """The files that the rows of one archive name."""

    def __init__(self, ground: Ground, keys: Keys, naming: Naming, source: Source | None) -> None:
        self.ground, self.keys, self.naming, self.source = ground, keys, naming, source
        #: The names to be written, by key, each with its storage.
        self.targets: dict[str, tuple[Any, str]] = {}
        #: The keys of files that are there already, as they were.
        self.kept: set[str] = set()
        self._columns: dict[str, tuple[Table, str]] = {}

    def match(self, place: int, table: Table, given: Any) -> None:
        """Note what the names in the lines of a table become."""
        if self.naming.is_own and self.source is None:
            return
        for column in columns_of(table):
            if column.name in given["columns"]:
                kind = kind_of_files(table.label, column.field)
                self._columns[kind] = table, column.name
                with table.spot.connection.cursor() as cursor:
                    cursor.execute(sql.staged_values(place, column.name))
                    names = [name for (name,) in cursor.fetchall()]
                for start in range(0, len(names), _BATCH):
                    some = names[start : start + _BATCH]
                    known = set() if self.naming.is_own else self._named_today(kind, some)
                    self.keys.put(kind, {name: self._name(kind, column.field, name, known) for name in some})

    def _name(self, kind: str, field: Any, name: str, known: set[str]) -> str:
        if not name or name == field.get_default():
            return name
        key = key_of(kind, name)
        digest = None if self.source is None else self.source.digest(key)
        if digest is None and (self.naming.is_own or name in known):
            return name
        if not is_path(name):
            if self.naming.is_believed and digest is None:
                return name  # an address, for example
            raise ArchiveRefused(f"Rows of {kind.rpartition('.')[0]} name a file that is none: {name[:100]!r}.")
        if digest and self.naming.is_own and digest_in(field.storage, name) == digest:
            self.kept.add(key)
            return name
        target = self.naming.target(kind, name, field.max_length or 100, digest or "")
        if digest is not None:
            self.targets[key] = field.storage, target
        return target

    def write(self, notes: list[str], labels: Collection[str] | None = None) -> int:
        """Write what is not there yet, of these models or all, and return how many files that were."""
        if self.source is None:
            return 0
        self.source.refuse_others(self.targets, self.kept)
        written = 0
        wanted = [key for key in self.targets if labels is None or key.partition("/")[0].rpartition(".")[0] in labels]
        for key, chunks in self.source.contents(dict.fromkeys(wanted), notes) if wanted else ():
            storage, target = self.targets[key]
            if storage.exists(target):
                if (digest := self.source.digest(key)) and digest_in(storage, target) == digest:
                    continue
                storage.delete(target)
            _write(storage, target, chunks)
            written += 1
        return written

    def take_back(self) -> None:
        """Delete what was written for rows that are not there, in a later transaction."""
        for key, (storage, target) in self.targets.items():
            kind = key.partition("/")[0]
            if storage.exists(target) and (self.naming.is_new or not self._named_today(kind, [target])):
                storage.delete(target)

    def _named_today(self, kind: str, names: list[str]) -> set[str]:
        """Of these names those that rows have that the tenant has already."""
        table, column = self._columns[kind]
        with table.spot.connection.cursor() as cursor:
            cursor.execute(sql.among(table.name, column, table.condition(self.ground.tenant.pk)), [names])
            return {name for (name,) in cursor.fetchall()}


def _write(storage: Any, target: str, chunks: Iterable[bytes]) -> None:
    with SpooledTemporaryFile(max_size=CHUNK) as spool:
        for chunk in chunks:
            spool.write(chunk)
        spool.seek(0)
        saved = storage.save(target, File(cast(Any, spool), name=target))
    if saved != target:
        storage.delete(saved)
        raise ArchiveRefused(f"The storage {type(storage).__name__} keeps {target!r} under another name, {saved!r}.")


def digest_in(storage: Any, name: str) -> str | None:
    """What stands for the content of a file in a storage, None where there is none."""
    try:
        with storage.open(name, "rb") as file:
            return digest_of(hashlib.sha256(chunk).hexdigest() for chunk in file.chunks(CHUNK))
    except OSError:
        return None


def digest_of(parts: Iterable[str]) -> str:
    """What stands for a content whose parts have these checksums."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()
