"""What the probe of connections showed."""

from __future__ import annotations

from collections.abc import Iterator

from .evidence import Evidence
from .finding import Check, Finding


class PoolerCrossed(Check):
    """A statement saw another client's tenant."""

    id = "pooler.crossed"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.pooler and evidence.pooler.crossed:
            yield self.found(
                "connections",
                f"Clients see each other's tenants: {_first(evidence.pooler.crossed)}.",
                advice="Take out what hands a server connection on inside a transaction; PgBouncer with "
                "pool_mode = transaction does not.",
            )


class PoolerSplit(Check):
    """A statement does not see the context that was sent in front of it, in the same message."""

    id = "pooler.split"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.pooler and evidence.pooler.split:
            yield self.found(
                "connections",
                f"Statements lose their context on the way: {_first(evidence.pooler.split)}.",
                advice="Take out what splits messages of several statements.",
            )


class PoolerLeftOver(Check):
    """Connections come with a context that another program left on them."""

    id = "pooler.left-over"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.pooler and evidence.pooler.left_over:
            yield self.found(
                "connections",
                f"Connections are not clean: {_first(evidence.pooler.left_over)}.",
                advice="Find the program that sets tenantkit.tenant or the role for a whole session: SET LOCAL inside "
                "a transaction leaves nothing behind.",
            )


class PoolerFailed(Check):
    """The connections that requests use could not be probed."""

    id = "pooler.failed"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.pooler and evidence.pooler.failed is not None:
            yield self.found(
                "connections",
                f"The connections that requests use could not be probed: {evidence.pooler.failed}.",
                advice="See that the login in DATABASES can connect and is the application's role, or a member of it.",
            )


def _first(seen: list[str]) -> str:
    more = f" ({len(seen) - 1} more times)" if len(seen) > 1 else ""
    return f"{seen[0]}{more}"
