"""The keyed digest of a context: HMAC-SHA256 (RFC 2104), which PostgreSQL checks without an extension; and which tables
ask for it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from .homes import HOME_ROWS
from .policies import ROWS, SIGNED

_BLOCK = 64  # bytes of a block of SHA-256

#: The keys of the secrets that count in a database.
KEYS = "SELECT inner_key FROM tenantkit.signing_keys"

#: The tables with a policy of ours for the rows of tenants, of those with a tenant's column and of those without, and
#: whether they ask for a signature.
TABLES = f"""
SELECT format('%%I.%%I', nspname, relname), bool_or(polname = '{SIGNED}')
FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE polname IN ('{ROWS}', '{HOME_ROWS}', '{SIGNED}') AND (%(schema)s::text IS NULL OR nspname = %(schema)s)
GROUP BY 1 ORDER BY 1
"""

#: Of the tables without a tenant's column those that ask for one, or do not, unlike the settings.
UNLIKE = f"""
SELECT format('%%I.%%I', nspname, relname) AS name
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = '{HOME_ROWS}')
    AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = '{SIGNED}') <> %(signed)s
ORDER BY name
"""


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
