"""Fences that nothing explains: whoever set them died, or forgot."""

from __future__ import annotations

from collections.abc import Iterator

from ...sql import audit_homes as sql
from ...sql.fence import FENCES, PREFIX
from .evidence import Evidence
from .finding import WARNING, Check, Finding


class FenceLeft(Check):
    """A tenant is kept from writing a table, or from reading it, though it is neither suspended, in maintenance nor
    being erased, no job on it is unfinished, and it has not left."""

    id = "fence.left"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        fences = evidence.reader.rows(FENCES)
        explained = _explained(evidence) if fences else set()
        for fence in fences:
            if fence.key not in explained:
                yield self.found(
                    f"{PREFIX}{fence.key} on {fence.name}",
                    f"{fence.name} is fenced: the tenant with the key {fence.key} cannot write there, and nothing says "
                    "why.",
                    advice="With django_tenantkit.lifecycle.fence: `unfence(tenant)`.",
                )


def _explained(evidence: Evidence) -> set[str]:
    if evidence.database is not None:  # jobs and places are in the main database
        evidence = evidence.database.main.evidence
    tenants = evidence.homes.tenants
    if tenants is None:
        return set()
    table, key = tenants
    paths = evidence.paths
    conditions = {
        name: text.format(table=paths[f'"django_tenantkit_{name[:-1]}"'], key=key)
        if f'"django_tenantkit_{name[:-1]}"' in paths
        else "false"
        for name, text in (("jobs", sql.OPEN_JOBS), ("places", sql.LEFT_PLACES))
    }
    statement = sql.FENCED_FOR_A_REASON.format(tenant=table, key=key, **conditions)
    return {row.key for row in evidence.reader.rows(statement)}
