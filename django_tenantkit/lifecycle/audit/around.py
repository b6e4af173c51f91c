"""Ways to the rows of tenants that lead past their tables' policies."""

from __future__ import annotations

from collections.abc import Iterator

from .evidence import Evidence
from .finding import ERROR, NOTICE, WARNING, Check, Finding, ident


class ViewDefiner(Check):
    """A view reads tenant tables as its owner and not as whoever asks."""

    id = "view.definer"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for view in evidence.views:
            if view.kind == "v" and not view.invoker:
                readers = evidence.readers(view.oid)
                yield self.found(
                    view.name,
                    f"The view {view.name} reads {', '.join(view.bases)} as its owner, past their policies; "
                    f"{_open_to(readers)}.",
                    f"ALTER VIEW {view.name} SET (security_invoker = true);",
                    severity=ERROR if readers else NOTICE,
                )


class ViewMaterialized(Check):
    """A materialized view holds rows of tenants, and can have no policy."""

    id = "view.materialized"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for view in evidence.views:
            if view.kind == "m":
                readers = evidence.readers(view.oid)
                yield self.found(
                    view.name,
                    f"The materialized view {view.name} holds rows of {', '.join(view.bases)}, and can have no policy; "
                    f"{_open_to(readers)}.",
                    f"REVOKE ALL ON {view.name} FROM {_revoked(readers)};" if readers else "",
                    "Or make it a table of a tenant model.",
                    severity=ERROR if readers else NOTICE,
                )


class FunctionDefiner(Check):
    """A function that requests may call acts as its owner (SECURITY DEFINER)."""

    id = "function.definer"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        ours = {f"tenantkit.{name}" for name in evidence.wanted_functions}
        for function in evidence.functions:
            callable_ = not function.trigger and evidence.is_web(function.callers)
            if function.definer and callable_ and function.path not in ours and function.owner not in evidence.web:
                yield self.found(
                    function.name,
                    f"{function.name} acts as {function.owner} for whoever calls it, and requests may call it.",
                    f"ALTER FUNCTION {function.name} SECURITY INVOKER;",
                    f"Or REVOKE EXECUTE ON FUNCTION {function.name} FROM PUBLIC, {_revoked(evidence.web)}.",
                )


class FunctionLeakproof(Check):
    """A function is marked LEAKPROOF: PostgreSQL hands it rows before the policies are asked."""

    id = "function.leakproof"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for function in evidence.functions:
            if function.leakproof and not function.definer and evidence.is_web(function.callers):
                yield self.found(
                    function.name,
                    f"{function.name} is LEAKPROOF, so it sees rows before policies are asked.",
                    f"ALTER FUNCTION {function.name} NOT LEAKPROOF;",
                )


class PartitionOpen(Check):
    """A partition or child table can be used by itself, and the policies of its parent do not bind there."""

    id = "partition.open"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for child in evidence.children:
            readers = evidence.readers(child.oid)
            if readers and not child.enabled:
                parent = evidence.found[child.table].name
                yield self.found(
                    child.name,
                    f"{child.name}, a part of {parent}, has no row-level security of its own; {_open_to(readers)}.",
                    f"REVOKE ALL ON {child.name} FROM {_revoked(readers)};",
                )


class TableUnknown(Check):
    """A table that no model knows has a tenant's column, or refers to the tenants."""

    id = "table.unknown"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.unknown:
            readers = evidence.readers(table.oid)
            state = "with" if table.enabled else "without"
            yield self.found(
                table.name,
                f"{table.name} seems to hold rows of tenants, belongs to no model and is {state} row-level security; "
                f"{_open_to(readers)}.",
                advice=f"Give it a model, or DROP TABLE {table.name}, or REVOKE ALL ON {table.name} FROM "
                f"{_revoked(readers or evidence.web)}.",
                severity=ERROR if readers and not table.enabled else None,
            )


class PublicationUnfiltered(Check):
    """A publication sends the rows of all tenants to its subscribers."""

    id = "publication.unfiltered"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for publication in evidence.publications:
            yield self.found(
                publication.name,
                f"The publication {publication.name} sends all rows of {', '.join(publication.tables)}: no policy "
                "binds a subscriber.",
                advice="See who subscribes, name a WHERE for each table, or drop it.",
            )


class LargeObjectPresent(Check):
    """There are large objects, which belong to no tenant and have no policies."""

    id = "large-object.present"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if number := evidence.large_objects:
            most = "at least " if number == 1000 else ""
            yield self.found(
                "pg_largeobject",
                f"There are {most}{number} large objects, which belong to no tenant: only their privileges keep "
                "tenants apart.",
                advice="Keep files in a storage or in a bytea column of a tenant model.",
            )


def _open_to(readers: list[str]) -> str:
    return f"it is open to {', '.join(readers)}" if readers else "requests may not read it"


def _revoked(roles: list[str]) -> str:
    return ", ".join(map(ident, roles))
