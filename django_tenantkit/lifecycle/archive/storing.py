"""What stores have of a tenant, as entries of an archive: files in storages, documents of a search index.

stores/search.stores.Index/0000001.bin     what was written, in parts
stores/search.stores.Index/names.jsonl     {"name": "a/b.json", "parts": 1}, in the order of the parts
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from ...context import tenant_context
from ...exceptions import ArchiveRefused
from ..stores import stores
from .container import CHUNK, FREE, Opened, Writer
from .files import LONGEST, STORE, is_path


def write_stores(writer: Writer, tenant: Any, *, files: bool) -> list[str]:
    """Write what each store hands out, files only if they are wanted; what was left out."""
    notes: list[str] = []
    for store in stores():
        if store.takes_part("export") and (files or store.name != STORE):
            one = _Writing(writer, store.name)
            with tenant_context(tenant):
                notes += store.export(tenant, one.write) or ()
            one.finish()
    return notes


class _Writing:
    """One store on its way into an archive."""

    def __init__(self, writer: Writer, name: str) -> None:
        self._writer, self._name, self._number = writer, name, 0
        self._names: list[bytes] = []

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """What the store calls."""
        check_name(name)
        first, waiting = self._number, bytearray()
        for chunk in chunks:
            waiting += chunk
            while len(waiting) >= CHUNK:
                self._put(bytes(waiting[:CHUNK]))
                del waiting[:CHUNK]
        if waiting:
            self._put(bytes(waiting))
        line = {"name": name, "parts": self._number - first}
        self._names.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _put(self, data: bytes) -> None:
        self._number += 1
        self._writer.add(f"stores/{self._name}/{self._number:07}.bin", data)

    def finish(self) -> None:
        """Write the names."""
        listed = b"".join(self._names)
        if len(listed) > FREE:
            raise ArchiveRefused(f"{self._name} has {len(self._names)} names, more than an archive holds.")
        self._writer.add(f"stores/{self._name}/names.jsonl", listed, len(self._names))


class Stored:
    """What an archive has of stores: by store how many parts, and the names with how many of them are whose."""

    def __init__(self) -> None:
        self.parts: dict[str, int] = {}
        self.names: dict[str, list[tuple[str, int]]] = {}

    def add(self, one: Opened) -> None:
        """Read an entry for the first time."""
        if not one.name.endswith(".bin"):
            self.names[one.label] = [self._name(one, line) for line in one.read().splitlines()]
            return
        self.parts[one.label] = self.parts.get(one.label, 0) + 1
        if one.label in self.names or one.name != f"stores/{one.label}/{self.parts[one.label]:07}.bin":
            raise ArchiveRefused(f"{one.name} is out of its place in the archive.")
        for _ in one.chunks():
            pass

    def _name(self, one: Opened, line: bytes) -> tuple[str, int]:
        try:
            found = json.loads(line)
            name, parts = found["name"], found["parts"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ArchiveRefused(f"{one.name} has a line that names nothing.") from error
        if not isinstance(name, str) or type(parts) is not int or parts < 0:
            raise ArchiveRefused(f"{one.name} has a line that names nothing.")
        check_name(name)
        return name, parts

    def check(self) -> None:
        """Raise where parts have no name, or names no parts."""
        for label in {*self.parts, *self.names}:
            if sum(parts for _, parts in self.names.get(label, [])) != self.parts.get(label, 0):
                raise ArchiveRefused(f"The archive has not the parts that the names of {label} list.")
        for label, found in self.names.items():
            if len({name for name, _ in found}) < len(found):
                raise ArchiveRefused(f"The archive has something of {label} twice.")

    def unknown(self) -> list[str]:
        """The stores that there are none of here, though the archive has something for them."""
        known = {STORE, *(store.name for store in stores() if store.takes_part("load"))}
        return sorted(label for label in {*self.parts, *self.names} if label not in known)


def load_stores(tenant: Any, stored: Stored, entries: Iterator[Opened]) -> dict[str, int]:
    """Hand every store what the archive has for it; how many names that were."""
    loaded = {}
    known = {store.name: store for store in stores() if store.takes_part("load")}
    for one in entries:
        if one.kind != "stores" or one.label not in known:
            _skip(one.chunks())
            continue
        found = named_parts(one, entries, stored.names[one.label])
        with tenant_context(tenant):
            known[one.label].load(tenant, found)
        for _ in found:  # what the store did not read
            pass
        loaded[one.label] = len(stored.names[one.label])
    return loaded


def named_parts(
    first: Opened, entries: Iterator[Opened], names: list[tuple[str, int]]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """What one store has, by name; `first` is its first entry, and the others are read from `entries`."""
    following = chain([first], entries)  # a generator would close `entries` at its end
    for name, parts in names:
        chunks = _chunks(following, parts)
        yield name, chunks
        _skip(chunks)
    _skip(next(following).chunks())  # the names themselves


def _skip(chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        pass


def _chunks(following: Iterator[Opened], parts: int) -> Iterator[bytes]:
    for _ in range(parts):
        yield from next(following).chunks()


def check_name(name: str) -> None:
    """Raise `ArchiveRefused` for a name that is no relative path, or leads elsewhere."""
    if not is_path(name):
        raise ArchiveRefused(
            f"{name[:100]!r} is no name of something that is stored: a relative path of up to {LONGEST} bytes is."
        )
