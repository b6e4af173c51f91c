"""Archives that nobody would make: taken apart, changed, put together again, and signed as if all were well."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django_tenantkit.lifecycle.archive.seals import signed

#: The entries of an archive, in order.
Entries = list[tuple[str, bytes]]


def entries_of(file: Path) -> Entries:
    with tarfile.open(file) as found:
        return [(member.name, found.extractfile(member).read()) for member in found]


def write(file: Path, entries: Entries) -> Path:
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as made:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return file


def resigned(entries: Entries) -> Entries:
    """With checksums and a signature that fit."""
    found = [(name, data) for name, data in entries if name not in ("checksums.json", "signature.json")]
    listed = [
        {
            "name": name,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "rows": data.count(b"\n") if name.endswith(".jsonl") else 0,
        }
        for name, data in found
    ]
    checksums = json.dumps({"entries": listed}).encode()
    return [*found, ("checksums.json", checksums), ("signature.json", signed(checksums))]


def forged(file: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    """The archive as `change` leaves its entries, which it gets by name, signed."""
    entries = dict(entries_of(file))
    change(entries)
    return write(file.with_name("forged.tar"), resigned(list(entries.items())))


def change_manifest(entries: dict[str, bytes], change: Callable[[Any], Any]) -> None:
    manifest = json.loads(entries["manifest.json"])
    change(manifest)
    entries["manifest.json"] = json.dumps(manifest).encode()


def change_rows(entries: dict[str, bytes], label: str, change: Callable[[Any], Any], part: str = "data") -> None:
    """Change each row of a model."""
    name = f"{part}/{label}/00001.jsonl"
    rows = [json.loads(line) for line in entries[name].splitlines()]
    for row in rows:
        change(row)
    entries[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
