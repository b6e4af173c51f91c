"""What a host says: a slug, a custom domain, or nothing. And the hosts that Django may serve.

Imports no models: `TenantHosts()` stands in settings files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, SupportsIndex

from django.core.exceptions import ValidationError

from .conf import Settings, made_of
from .context import get_current_tenant
from .lookup import Name, find
from .names import base_domains, normalise_host, validate_slug

#: The name of nobody: well-formed, and it cannot belong to a tenant.
NOBODY = "nobody"

#: The pattern, and what is left of it where Django compares origins.
_WHOLE = "https://*tenants"
_NETLOC = "tenants"

_HOST_AND_PORT = re.compile(r"[a-z0-9.-]+(:[0-9]+)?", re.IGNORECASE)


@made_of(Settings.BASE_DOMAIN, Settings.RESERVED_NAMES)
def reader(base: str | list[str], reserved: list[str]) -> Callable[[str], Name | None]:
    """What reads hosts as `read_host()` does, under these settings. It remembers some."""
    bases = base_domains()

    @lru_cache(maxsize=4096)
    def read(host: str) -> Name | None:
        try:
            name = normalise_host(host)
        except ValueError:
            return Name(NOBODY, host)
        for base in bases:
            if name == base:
                return None
            if name.endswith(f".{base}"):
                label = name[: -len(base) - 1]
                if label in reserved:
                    return None
                return Name("slug" if is_slug(label) else NOBODY, label)
        return Name("domain", name)

    return read


def read_host(host: str) -> Name | None:
    """What `host`, with or without port, names: a slug under a base domain, a custom domain, nobody; or
    None for a base domain itself and for reserved names under it."""
    return reader()(host)


def is_slug(text: str) -> bool:
    """Whether `text` has the form of a slug, reserved or not."""
    try:
        validate_slug(text)
    except ValidationError as error:
        return error.code == "reserved_slug"
    return True


class _Live(str):
    """A pattern that Django compares hosts with, and that looks its answer up. Django cuts the patterns of
    CSRF_TRUSTED_ORIGINS up once for the life of a process: a piece of this one is as live as the whole.
    Should Django or Python cut it up in another way one day, the piece is a plain word that matches nothing."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and not isinstance(other, _Live):
            if super().__eq__(_WHOLE):
                return _is_known(other)
            if super().__eq__(_NETLOC):
                return _is_trusted(other)
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return super().__hash__()

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        piece = super().__getitem__(key)
        return _Live(piece) if isinstance(key, slice) else piece

    def lower(self) -> str:
        return _Live(super().lower())

    def lstrip(self, chars: str | None = None, /) -> str:
        return _Live(super().lstrip(chars))

    def replace(self, old: str, new: str, /, count: SupportsIndex = -1) -> str:
        return _Live(super().replace(old, new, count))


class TenantHosts(list[str]):
    """The hosts of this site, for two settings of Django. Answers come from the cache of look-ups.

    `ALLOWED_HOSTS = TenantHosts()`: the base domains, every name under them, and the verified custom
    domains. `CSRF_TRUSTED_ORIGINS = TenantHosts()`: over https, the addresses of the current tenant, and
    the base domains with their reserved names; never another tenant's. Further patterns are added to it:
    `TenantHosts(["10.0.0.5"])`.
    """

    def __init__(self, further: Any = ()) -> None:
        super().__init__([_Live(_WHOLE), *further])


def _is_known(host: str) -> bool:
    if host == "*":
        return False
    name = read_host(host)
    return name is None or name.kind != "domain" or find(name) is not None


def _is_trusted(netloc: str) -> bool:
    if not _HOST_AND_PORT.fullmatch(netloc):
        return False
    name = read_host(netloc)
    if name is None:
        return True
    current, tenant = get_current_tenant(), find(name)
    return current is not None and tenant is not None and tenant.pk == current.pk
