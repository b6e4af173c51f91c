"""The file: a tar of few and plain entries, optionally compressed. Written and read as a stream.

What is read is nobody's friend: no more than these entries in this order is understood, so nothing of what else a tar
can hold (links, devices, long names, extended headers) has to be thought of. POSIX.1-1988 ustar.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from ...conf import conf
from ...exceptions import ArchiveRefused

MANIFEST, CHECKSUMS, SIGNATURE = "manifest.json", "checksums.json", "signature.json"

#: How much of a model goes into one entry, in bytes: what an export holds in memory.
CHUNK = 4 << 20
#: The greatest entry: PostgreSQL's own limit for one JSON value, in a chunk of its own.
MAX_ENTRY = (256 << 20) + CHUNK
MAX_ENTRIES = 1_000_000
#: How many times its size a compressed file may become, beyond the first 64 MiB. JSON of rows becomes 5 to 40.
MAX_RATIO = 250
FREE = 64 << 20

_BLOCK = 512
_READ = 1 << 20
#: The kinds of entries, in the order in which they come.
_ORDER = ("manifest", "shared", "data", "records", "stores", "checksums", "signature")
_NAME = re.compile(
    r"(manifest|checksums|signature)\.json"
    r"|(shared|data|records)/(\w+\.\w+(?:\.\w+)?)/([0-9]{5,7})\.jsonl"
    r"|stores/(\w+(?:\.\w+)+)/(?:[0-9]{7}\.bin|names\.jsonl)",
    re.ASCII,
)


@dataclass(frozen=True)
class Entry:
    """What is known of an entry once it was written or read; `rows` are its lines."""

    name: str
    size: int
    sha256: str
    rows: int

    def described(self) -> dict[str, Any]:
        """As `checksums.json` has it."""
        return {"name": self.name, "size": self.size, "sha256": self.sha256, "rows": self.rows}


class Writer:
    """Writes entries to a stream and keeps count of them."""

    def __init__(self, stream: IO[bytes], *, compress: bool) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) if compress else None
        self._stream: Any = self._gzip or stream
        self.entries: list[Entry] = []

    def add(self, name: str, data: bytes, rows: int = 0) -> None:
        """Write an entry. Raises `ArchiveRefused` for more than are read."""
        if len(self.entries) >= MAX_ENTRIES:
            raise ArchiveRefused(f"The archive would have more than {MAX_ENTRIES} entries: leave the files out of it.")
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self._stream.write(info.tobuf(tarfile.USTAR_FORMAT))
        self._stream.write(data)
        self._stream.write(bytes(-len(data) % _BLOCK))
        self.entries.append(Entry(name, len(data), hashlib.sha256(data).hexdigest(), rows))

    def close(self) -> None:
        """End the tar; the stream stays open."""
        self._stream.write(bytes(_BLOCK * 2))
        if self._gzip is not None:
            self._gzip.close()


class Opened:
    """An entry that is being read."""

    def __init__(self, name: str, kind: str, label: str, size: int, source: _Counted) -> None:
        self.name, self.kind, self.label, self.size = name, kind, label, size
        self._source = source
        self.entry: Entry | None = None

    def chunks(self) -> Iterator[bytes]:
        """Its bytes. Afterwards `entry` says what it was."""
        digest, rows, left = hashlib.sha256(), 0, self.size
        while left:
            data = self._source.exactly(min(left, _READ))
            digest.update(data)
            rows += data.count(b"\n")
            left -= len(data)
            yield data
        if any(self._source.exactly(-self.size % _BLOCK)):
            raise ArchiveRefused(f"{self.name} is followed by something that is no entry.")
        self.entry = Entry(self.name, self.size, digest.hexdigest(), rows if self.name.endswith(".jsonl") else 0)

    def read(self) -> bytes:
        """All of it, for entries that are small."""
        if self.size > FREE:
            raise ArchiveRefused(f"{self.name} has {self.size} bytes, more than {FREE}.")
        return b"".join(self.chunks())


class _Counted:
    """A stream that is read as far as limits allow, and whose end is noticed."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._left = most

    def exactly(self, size: int) -> bytes:
        data = self.at_most(size)
        if len(data) < size:
            raise ArchiveRefused("The archive ends in the middle: it was cut off.")
        return data

    def at_most(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ArchiveRefused(
                "The archive becomes larger than TENANTKIT_ARCHIVE_LIMIT allows, or grows as no rows do when they are "
                "decompressed."
            )
        try:
            data: bytes = self._stream.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ArchiveRefused(f"The archive cannot be decompressed: {error}.") from error
        return data


def read_entries(stream: io.BufferedReader, size: int) -> Iterator[Opened]:
    """The entries of an archive, each to be read before the next. `size` is that of the file. Raises `ArchiveRefused`
    for what is no archive, or no whole one."""
    most, source = conf.ARCHIVE_LIMIT, cast(Any, stream)
    if stream.peek(2)[:2] == b"\x1f\x8b":
        source = gzip.GzipFile(fileobj=stream, mode="rb")
        most = min(most, FREE + size * MAX_RATIO)
    counted, place = _Counted(source, most), 0
    seen: set[str] = set()
    while (header := counted.exactly(_BLOCK)) != bytes(_BLOCK):
        opened = _open(header, counted)
        turn = _ORDER.index(opened.kind)
        if opened.name in seen or turn < place or (opened.kind != "manifest" and not seen):
            raise ArchiveRefused(f"{opened.name} is out of its place in the archive, or there twice.")
        if len(seen) >= MAX_ENTRIES:
            raise ArchiveRefused(f"The archive has more than {MAX_ENTRIES} entries.")
        seen.add(opened.name)
        place = turn
        yield opened
    while rest := counted.at_most(_READ):
        if any(rest):
            raise ArchiveRefused("Something follows the end of the archive.")
    if SIGNATURE not in seen:
        raise ArchiveRefused("The archive ends in the middle: it has no signature.")


def _open(header: bytes, source: _Counted) -> Opened:
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise ArchiveRefused(f"This is no archive of a tenant, or it is damaged: {error}.") from error
    found = _NAME.fullmatch(info.name)
    if found is None or info.type != tarfile.REGTYPE or not 0 <= info.size <= MAX_ENTRY:
        raise ArchiveRefused(f"The archive has an entry that none has: {info.name[:100]!r}, {info.size} bytes.")
    kind, label = found[1] or found[2] or "stores", found[3] or found[5] or ""
    return Opened(info.name, kind, label, info.size, source)
