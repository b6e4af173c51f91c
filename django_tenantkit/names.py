"""Which names a tenant and a domain may have."""

from __future__ import annotations

import re
from unicodedata import normalize
from uuid import UUID

from django.core.exceptions import ValidationError

from .conf import conf

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def base_domains() -> list[str]:
    """TENANTKIT_BASE_DOMAIN as a list of normalised names, the longest first: nested ones match first."""
    given = conf.BASE_DOMAIN
    names = [given] if isinstance(given, str) else list(given)
    return sorted((normalise_host(name) for name in names), key=len, reverse=True)


def slug_host(slug: str) -> str:
    """The host under which a tenant is always reached: its slug at the first base domain."""
    given = conf.BASE_DOMAIN
    return f"{slug}.{normalise_host(given if isinstance(given, str) else given[0])}"


def normalise_host(host: str) -> str:
    """A host name as names are compared: without port and trailing dot, lower case, IDNA in ASCII.
    Raises `ValueError` for what cannot be a host name."""
    name = host.strip()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    name = name.partition(":")[0].rstrip(".").lower()
    if not name.isascii():
        name = normalize("NFKC", name)
        try:
            encoded = name.encode("idna")
        except UnicodeError as error:
            raise ValueError(f"{host!r} is not a host name") from error
        if encoded.decode("idna") != name:
            # Python encodes as of 2003, browsers as of 2008: fass.de is not what they make of faß.de.
            raise ValueError(f"{host!r} has several encodings; write the one that begins with xn--")
        name = encoded.decode("ascii")
    return name


def is_uuid(text: str) -> bool:
    """Whether `text` could be read as a UUID, so it is no slug."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def validate_slug(slug: str) -> None:
    """Raise `ValidationError` unless `slug` can name a tenant: a DNS label that begins with a letter, is
    not shaped like a UUID, does not begin with `xn--` and is not reserved."""
    if not _LABEL.fullmatch(slug) or not slug[0].isalpha():
        raise ValidationError(
            f"{slug!r} cannot be a slug: use 1 to 63 of a-z, 0-9 and '-', beginning with a letter and not ending "
            "with '-'.",
            code="invalid_slug",
        )
    if slug.startswith("xn--"):
        raise ValidationError(f"{slug!r} cannot be a slug: 'xn--' is for encoded names.", code="invalid_slug")
    if is_uuid(slug):
        raise ValidationError(f"{slug!r} cannot be a slug: it is shaped like a UUID.", code="invalid_slug")
    if slug in conf.RESERVED_NAMES:
        raise ValidationError(f"{slug!r} is reserved (TENANTKIT_RESERVED_NAMES).", code="reserved_slug")


def clean_domain(domain: str) -> str:
    """`domain` normalised. Raises `ValidationError` for what is no domain name, and for names at or
    under the base domain: those belong to slugs."""
    try:
        name = normalise_host(domain)
    except ValueError as error:
        raise ValidationError(f"{error}.", code="invalid_domain") from error
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValidationError(f"{domain!r} is not a domain name.", code="invalid_domain")
    for base in base_domains():
        if name == base or name.endswith(f".{base}"):
            raise ValidationError(
                f"{name} is at or under the base domain {base}, whose names are given by slugs. Use a domain of "
                "the tenant's own.",
                code="domain_under_base",
            )
    return name
