"""Signed contexts: whether a database asks for the signature that the settings name, and believes no other."""

from __future__ import annotations

from collections.abc import Iterator

from ...conf import conf
from ...sql import signature as sql
from .evidence import SIGNING_KEYS, Evidence
from .finding import MIGRATE, Check, Finding


class SigningKeys(Check):
    """The keys of a database are not those of the secrets that the settings name: requests see nothing, or what is
    signed with a secret that was withdrawn is believed."""

    id = "signing.keys"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        secrets = sql.secrets_of(conf.SIGNED_CONTEXT)
        if not secrets or SIGNING_KEYS not in evidence.oids:
            return
        there = {bytes(row.inner_key) for row in evidence.reader.rows(sql.KEYS)}
        wanted = [sql.pads(secret)[0] for secret in secrets]
        if lacking := [number for number, key in enumerate(wanted, 1) if key not in there]:
            yield self.found(
                SIGNING_KEYS,
                f"{SIGNING_KEYS} lacks secret {', '.join(map(str, lacking))} of TENANTKIT_SIGNED_CONTEXT: processes "
                "that sign with it see nothing.",
                MIGRATE,
            )
        if others := there - {*wanted}:
            yield self.found(
                SIGNING_KEYS,
                f"{SIGNING_KEYS} has {len(others)} keys of secrets that TENANTKIT_SIGNED_CONTEXT does not name: what "
                "is signed with them is believed.",
                MIGRATE,
            )


class SigningUnasked(Check):
    """A table without a tenant's column asks for no signature where the settings name a secret, or for one that
    nobody gives."""

    id = "signing.unasked"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        signed = bool(conf.SIGNED_CONTEXT)
        tables = [row.name for row in evidence.reader.rows(sql.UNLIKE, {"signed": signed})]
        if tables:
            more = f" and {len(tables) - 1} more tables" if len(tables) > 1 else ""
            asked = "are asked for no signature" if signed else "are asked for a signature, and nobody signs"
            yield self.found(tables[0], f"Those who use {tables[0]}{more} {asked} (TENANTKIT_SIGNED_CONTEXT).", MIGRATE)
