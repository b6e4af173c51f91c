"""Where files on their way into a tenant come from: an archive, or the storages of the tenant that is copied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.apps import apps

from ...exceptions import ArchiveRefused
from .checking import Checked, again, opened
from .files import STORE, is_path, told
from .files import opened as opened_in
from .filing import digest_of
from .storing import named_parts


class FromArchive:
    """The files in an archive."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        sums = iter([one.sha256 for one in checked.entries if one.name.startswith(f"stores/{STORE}/")])
        listed = checked.stored.names.get(STORE, [])
        self._digests = {key: digest_of([next(sums) for _ in range(parts)]) for key, parts in listed}

    def digest(self, key: str) -> str | None:
        """What stands for the content of a file, or None."""
        return self._digests.get(key)

    def refuse_others(self, keys: Collection[str], kept: Collection[str]) -> None:
        """Raise `ArchiveRefused` where there are files that no row names."""
        if others := [key for key in self._digests if key not in keys and key not in kept]:
            raise ArchiveRefused(f"The archive has files that none of its rows name: {', '.join(others[:5])}.")

    def contents(self, keys: Collection[str], notes: list[str]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The files of these keys."""
        with opened(self._checked.path) as entries:
            following = again(self._checked, entries)
            for one in following:
                if one.kind == "stores" and one.label == STORE:
                    for key, chunks in named_parts(one, following, self._checked.stored.names[STORE]):
                        if key in keys:
                            yield key, chunks
                else:
                    for _ in one.chunks():
                        pass


class FromStorage:
    """The files of a tenant that is copied, where they are."""

    def digest(self, key: str) -> str | None:
        """Empty, as what is in a file is not known before it is read; None for what is no file's name."""
        return "" if is_path(key.partition("/")[2]) else None

    def refuse_others(self, keys: Collection[str], kept: Collection[str]) -> None:
        """Nothing: only what rows name is looked for."""

    def contents(self, keys: Iterable[str], notes: list[str]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The files of these keys."""
        missing = []
        for key in keys:
            kind, _, name = key.partition("/")
            label, _, field_name = kind.rpartition(".")
            field: Any = apps.get_model(label)._meta.get_field(field_name)
            if (file := opened_in(field.storage, name)) is None:
                missing.append(key)
                continue
            with file:
                yield key, file.chunks()
        notes += told(missing)
