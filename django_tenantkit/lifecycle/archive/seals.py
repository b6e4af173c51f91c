"""Who made an archive. Each is signed: with a key that follows from SECRET_KEY, or with what TENANTKIT_ARCHIVE_SIGNER
names."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from ...conf import conf
from ...exceptions import ArchiveRefused

_PURPOSE = b"django_tenantkit.lifecycle.archive"


class Signer:
    """Signs archives and says of signatures whether they are good. For one of your own inherit this."""

    #: What it is called in `signature.json`.
    algorithm = ""

    def sign(self, message: bytes) -> dict[str, str]:
        """The signature, as it is written into the archive beside `algorithm`."""
        raise NotImplementedError

    def is_signed(self, message: bytes, signature: dict[str, str]) -> bool:
        """Whether somebody whom this deployment trusts signed the message."""
        raise NotImplementedError


class SecretKeySigner(Signer):
    """HMAC-SHA256 with a key made of SECRET_KEY (RFC 2104): needs nothing, and only who has that key can say that an
    archive is genuine. SECRET_KEY_FALLBACKS count too."""

    algorithm = "hmac-sha256"

    def sign(self, message: bytes) -> dict[str, str]:
        return {"signature": _digest(settings.SECRET_KEY, message)}

    def is_signed(self, message: bytes, signature: dict[str, str]) -> bool:
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return any(constant_time_compare(_digest(key, message), signature.get("signature", "")) for key in keys)


def _digest(secret: str | bytes, message: bytes) -> str:
    key = hashlib.sha256(_PURPOSE + (secret.encode() if isinstance(secret, str) else secret)).digest()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def signed(message: bytes) -> bytes:
    """What `signature.json` says of `checksums.json`."""
    signer = _signers()[0]
    return json.dumps({"algorithm": signer.algorithm, **signer.sign(message)}, indent=1).encode()


def check_signature(message: bytes, signature: Any) -> bool:
    """Whether the archive was signed by somebody who is trusted here. Raises `ArchiveRefused` for what is no
    signature."""
    if not isinstance(signature, dict) or not all(isinstance(value, str) for value in signature.values()):
        raise ArchiveRefused("The archive has a signature that is none.")
    fitting = [signer for signer in _signers() if signer.algorithm == signature.get("algorithm")]
    return any(signer.is_signed(message, signature) for signer in fitting)


def _signers() -> list[Signer]:
    """The one that signs, and those whose signatures count."""
    chosen: Signer = import_string(conf.ARCHIVE_SIGNER)()
    return [chosen, SecretKeySigner()]
