"""Reading an archive for the first time: everything that can be known without the database, before anything is
written. Nothing in it is trusted, and nothing is unpickled."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from ...exceptions import ArchiveRefused
from . import sealing
from .container import CHECKSUMS, MANIFEST, SIGNATURE, Entry, Opened, read_entries
from .seals import check_signature
from .storing import Stored
from .taking import VERSION

#: Shared rows that an archive may name: each is looked up on its own.
MAX_NAMED = 1_000_000


@dataclass
class Checked:
    """An archive that is whole. `entries` are in order; `named` has the shared rows by kind; `is_ours` says whether
    its signature is one that counts here."""

    path: Path
    manifest: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    named: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stored: Stored = field(default_factory=Stored)
    is_ours: bool = False

    @property
    def digest(self) -> str:
        """What stands for all of it."""
        return next(entry.sha256 for entry in self.entries if entry.name == CHECKSUMS)

    def rows(self) -> dict[str, int]:
        """The rows by model, without those that are only named."""
        found: dict[str, int] = {}
        for entry in self.entries:
            part, _, rest = entry.name.partition("/")
            if part in ("records", "data"):
                label = rest.partition("/")[0]
                found[label] = found.get(label, 0) + entry.rows
        return found


def check(path: Path, *, trust_unsigned: bool = False) -> Checked:
    """Read all of an archive. Raises `ArchiveRefused` where it is damaged, not whole, of another format, or signed by
    nobody who is trusted here, unless that is allowed."""
    entries: list[Any] = []
    named: dict[str, list[dict[str, Any]]] = {}
    texts: dict[str, bytes] = {}
    stored = Stored()
    with opened(path) as found:
        for one in found:
            if one.kind in ("manifest", "checksums", "signature"):
                texts[one.name] = one.read()
            elif one.kind == "shared":
                named.setdefault(one.label, []).extend(_named(one, sum(len(rows) for rows in named.values())))
            elif one.kind == "stores":
                stored.add(one)
            else:
                _skim(one)
            entries.append(one.entry)
    checked = Checked(path, _object(MANIFEST, texts[MANIFEST]), entries, named, stored)
    if CHECKSUMS not in texts:
        raise ArchiveRefused("The archive has no checksums.")
    _compare(_object(CHECKSUMS, texts[CHECKSUMS]), checked)
    _check_version(checked.manifest)
    checked.is_ours = check_signature(texts[CHECKSUMS], _object(SIGNATURE, texts[SIGNATURE]))
    if not checked.is_ours and not trust_unsigned:
        raise ArchiveRefused(
            "The archive was not signed by this deployment. If you know where it is from, say `--trust-unsigned`, or "
            "name its key (TENANTKIT_ARCHIVE_SIGNER)."
        )
    _check_shape(checked)
    stored.check()
    return checked


def again(checked: Checked, entries: Iterator[Opened]) -> Iterator[Opened]:
    """The entries once more, each to be read before the next. Raises `ArchiveRefused` for one that is not what it was
    when it was checked."""
    for one, expected in zip(entries, checked.entries, strict=True):
        yield one
        if one.entry != expected:
            raise ArchiveRefused(f"{one.name} changed while it was read. Copy it to where nobody writes.")


@contextmanager
def opened(path: Path) -> Iterator[Iterator[Opened]]:
    """The entries of a file, decrypted where it is encrypted."""
    try:
        with open(path, "rb", buffering=0) as file:
            size = path.stat().st_size
            yield read_entries(io.BufferedReader(sealing.opened(file)), size)
    except OSError as error:
        raise ArchiveRefused(f"The archive {path} cannot be read: {error.strerror or error}.") from error


def _skim(one: Opened) -> None:
    last = b"\n"
    for data in one.chunks():
        last = data[-1:]
    if last != b"\n":
        raise ArchiveRefused(f"{one.name} ends in the middle of a line.")


def _named(one: Opened, before: int) -> list[dict[str, Any]]:
    rows = [_object(one.name, line) for line in one.read().splitlines()]
    if before + len(rows) > MAX_NAMED:
        raise ArchiveRefused(f"The archive names more than {MAX_NAMED} shared rows.")
    for row in rows:
        if not isinstance(row.get("key"), str) or not isinstance(row.get("name"), list):
            raise ArchiveRefused(f"{one.name} has a line that names nothing.")
    return rows


def _object(name: str, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ArchiveRefused(f"{name} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ArchiveRefused(f"{name} is no JSON object.")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value")


def _compare(checksums: dict[str, Any], checked: Checked) -> None:
    found = [entry.described() for entry in checked.entries if entry.name not in (CHECKSUMS, SIGNATURE)]
    listed = checksums.get("entries")
    if not isinstance(listed, list) or len(listed) != len(found):
        raise ArchiveRefused("The archive has not the entries that its checksums list: it was changed or cut off.")
    for one, expected in zip(found, listed, strict=True):
        if one != expected:
            raise ArchiveRefused(f"{one['name']} is not what the archive's checksums say: it was changed.")


def _check_version(manifest: dict[str, Any]) -> None:
    if manifest.get("format") != "django_tenantkit archive":
        raise ArchiveRefused("This is no archive of a tenant.")
    if manifest.get("version") != VERSION:
        raise ArchiveRefused(
            f"The archive has the format {manifest.get('version')!r}, and this version reads {VERSION}. Update it."
        )


def _check_shape(checked: Checked) -> None:
    """Raise where the manifest lacks what is read of it, or names no model that the entries have."""
    manifest = checked.manifest
    tenant = manifest.get("tenant")
    if not isinstance(tenant, dict) or not all(
        isinstance(tenant.get(key), str) for key in ("uid", "slug", "name", "plan")
    ):
        raise ArchiveRefused("The manifest does not say whose archive this is.")
    try:
        UUID(tenant["uid"])
    except ValueError as error:
        raise ArchiveRefused("The manifest has a uid of the tenant that is none.") from error
    if not isinstance(tenant.get("settings"), dict):
        raise ArchiveRefused("The manifest has no settings of the tenant.")
    _check_lists("migrations", manifest.get("migrations"))
    _check_lists("shared", manifest.get("shared"))
    for part in ("records", "models"):
        if not isinstance(manifest.get(part), dict):
            raise ArchiveRefused(f"The manifest has no {part}.")
        for label, described in manifest[part].items():
            _check_described(label, described)
    for entry in checked.entries:
        kind, _, rest = entry.name.partition("/")
        known = {"data": "models", "records": "records", "shared": "shared"}.get(kind)
        if known and rest.partition("/")[0] not in manifest[known]:
            raise ArchiveRefused(f"{entry.name} is of a model that the manifest does not name.")


def _check_lists(name: str, found: Any) -> None:
    if not isinstance(found, dict) or not all(
        isinstance(value, list) and all(isinstance(one, str) for one in value) for value in found.values()
    ):
        raise ArchiveRefused(f"The manifest has no {name}.")


def _check_described(label: str, described: Any) -> None:
    columns = described.get("columns") if isinstance(described, dict) else None
    if not isinstance(columns, dict) or not all(isinstance(kind, str) for kind in columns.values()):
        raise ArchiveRefused(f"The manifest does not describe {label}.")
    texts = described.get("as_text")
    if described.get("key") not in columns or not isinstance(texts, list) or not set(texts) <= set(columns):
        raise ArchiveRefused(f"The manifest does not describe {label}.")
