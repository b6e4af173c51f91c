"""Encryption of archives, by what TENANTKIT_ARCHIVE_CIPHER names: the core has no cipher."""

from __future__ import annotations

import io
from typing import IO

from django.utils.module_loading import import_string

from ...conf import conf
from ...exceptions import ArchiveRefused

#: What every encrypted archive begins with.
MAGIC = b"tenantkit-sealed"


class Cipher:
    """Encrypts archives. For one of your own inherit this; what it writes begins with `MAGIC`."""

    def sealing(self, stream: IO[bytes]) -> io.RawIOBase:
        """A stream that encrypts what is written to it, and ends it when it is closed; `stream` stays open."""
        raise NotImplementedError

    def opening(self, stream: IO[bytes]) -> io.RawIOBase:
        """A stream of what is in an encrypted one. Reading raises `ArchiveRefused` for what was changed or cut off."""
        raise NotImplementedError


def cipher() -> Cipher:
    """The one that the settings name. Raises `ArchiveRefused` where they name none."""
    if conf.ARCHIVE_CIPHER is None:
        raise ArchiveRefused(
            "This needs a cipher, and the settings name none. Install djtenantkit[archives] and write "
            "TENANTKIT_ARCHIVE_CIPHER = 'django_tenantkit.contrib.archives.PassphraseCipher'."
        )
    found: Cipher = import_string(conf.ARCHIVE_CIPHER)()
    return found


def opened(file: IO[bytes]) -> io.RawIOBase:
    """The archive in a file, decrypted if need be."""
    head = file.read(len(MAGIC))
    file.seek(0)
    return cipher().opening(file) if head == MAGIC else file  # type: ignore[return-value]
