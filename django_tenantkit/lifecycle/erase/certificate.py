"""The certificate: what was erased, when, by whom, and what was looked for afterwards, with a hash over all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from ...conf import conf
from ...models import Job

FORMAT = "tenantkit.erasure/1"


def certificate_of(job: Job, left: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a job whose search found nothing. `left` has what is kept, and the search's result."""
    certificate = {
        "format": FORMAT,
        "tenant": {"uid": str(job.tenant.uid), "slug": job.slug},
        "job": str(job.uid),
        "by": job.by,
        "asked_at": job.created_at.isoformat(),
        "erased_at": timezone.now().isoformat(),
        "isolation": job.result["isolation"],
        "rows": job.result["rows"],
        "shared_rows": job.result["shared_rows"],
        "homes": job.result["homes"],
        "users_made_nobody": job.result.get("users", 0),
        "stores": job.result["stores"],
        **left,
        "slug_reserved_days": conf.SLUG_QUARANTINE,
    }
    return {**certificate, "sha256": digest_of(certificate)}


def canonical(certificate: Mapping[str, Any]) -> bytes:
    """The bytes that the hash is over: JSON without `sha256`, keys in order, no space, letters as UTF-8."""
    rest = {key: value for key, value in certificate.items() if key != "sha256"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(certificate: Mapping[str, Any]) -> str:
    """The SHA-256 of a certificate, in hexadecimal."""
    return hashlib.sha256(canonical(certificate)).hexdigest()


def is_whole(certificate: Mapping[str, Any]) -> bool:
    """Whether a certificate is as it was written. It is no signature: whoever can change the file can make another
    hash. Keep the hash where the file is not, or compare it with the one in the ledger."""
    return certificate.get("sha256") == digest_of(certificate)
