"""The keyed digest of a context: HMAC-SHA256 (RFC 2104), which PostgreSQL checks without an extension."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

_BLOCK = 64  # bytes of a block of SHA-256


def sign(secret: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The digest of settings and their values, in hexadecimal."""
    text = "\n".join(f"{name}={len(value)}:{value}" for name, value in pairs)
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def pads(secret: str) -> tuple[bytes, bytes]:
    """The inner and the outer key of HMAC, which is all that checking a digest needs."""
    key = secret.encode()
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


def secrets_of(setting: str | list[str] | None) -> list[str]:
    """The secrets that TENANTKIT_SIGNED_CONTEXT names; the first one signs."""
    return [setting] if isinstance(setting, str) else list(setting or ())
