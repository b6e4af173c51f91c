"""Rows that have crossed the line already. A foreign key that PostgreSQL calls valid proves nothing by itself:
whoever validated it may have seen no rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...sql.audit import BY_KEY, BY_TYPE, CROSSING, ORPHANED, TYPES
from .evidence import Evidence, Found
from .expected import Generic, quoted
from .finding import Check, Finding


class RowsUnread(Check):
    """Rows could not be looked at, so nothing is known of them."""

    id = "rows.unread"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            if not _sees_all(evidence, table):
                yield self.found(
                    table.name,
                    f"The rows of {table.name} were not looked at: policies hide some from {evidence.server.user}.",
                    advice="Run it as the system: see TENANTKIT_SYSTEM_DATABASE.",
                )
        for about, error in evidence.unread.items():
            yield self.found(about, f"The rows of {about} could not be compared: {error}", "manage.py migrate")


class RowsCrossing(Check):
    """Rows refer to rows of another tenant: by a foreign key, a parent link, a many-to-many field or a
    generic foreign key."""

    id = "rows.crossing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            for label, target, condition in _links(evidence, table):
                if not (_sees_all(evidence, table) and _sees_all(evidence, target)):
                    continue  # which is a finding of its own
                rows = evidence.ask_rows(label, CROSSING, _names(table, target, condition))
                if rows:
                    yield self.found(
                        label,
                        f"{rows[0].number} rows of {table.name} refer to rows of {target.name} that belong to another "
                        f"tenant, by {label}: {_some(row.row for row in rows)}.",
                        advice="Let each refer to a row of its own tenant, or delete it: a row's tenant never changes.",
                        rows=tuple(_row(row) for row in rows),
                    )


class RowsOrphaned(Check):
    """Rows belong to a tenant that does not exist."""

    id = "rows.orphaned"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            for reference in table.expected.references:
                tenants = evidence.found.get(evidence.oids.get(reference.target, 0))
                hidden = tenants is not None and not _sees_all(evidence, tenants)
                if not reference.to_tenant or hidden or not _sees_all(evidence, table):
                    continue
                empty = "true" if table.expected.nullable else "false"
                names = {
                    "table": table.name,
                    "tenant": quoted(table.expected.tenant),
                    "target": evidence.paths.get(reference.target, reference.target),
                    "target_column": quoted(reference.target_column),
                    "may_be_empty": empty,
                }
                rows = evidence.ask_rows(table.expected.label, ORPHANED, names)
                if rows:
                    yield self.found(
                        table.name,
                        f"{table.name} has rows of {rows[0].number} tenants that do not exist: "
                        f"{_some(row.tenant for row in rows)}.",
                        advice="Restore the tenant, or delete its rows.",
                        rows=tuple({"tenant": row.tenant, "rows": row.rows} for row in rows),
                    )


def _links(evidence: Evidence, table: Found) -> Iterator[tuple[str, Found, str]]:
    """What a table's rows refer to: the name of the link, the tenant table it leads to, and when a row of
    that is meant."""
    for reference in table.expected.references:
        target = evidence.found.get(evidence.oids.get(reference.target, 0))
        if target is not None and not reference.to_tenant:
            columns = {"column": quoted(reference.column), "target_column": quoted(reference.target_column)}
            yield reference.label, target, BY_KEY.format(**columns)
    for generic in table.expected.generic:
        if _sees_all(evidence, table):
            yield from _generic_links(evidence, table, generic)


def _generic_links(evidence: Evidence, table: Found, generic: Generic) -> Iterator[tuple[str, Found, str]]:
    names = {
        "table": table.name,
        "types": evidence.paths.get(generic.types, generic.types),
        "type_column": quoted(generic.type_column),
    }
    for kind in evidence.ask_rows(generic.label, TYPES, names):
        expected = evidence.expected.types.get((kind.app, kind.model))
        target = expected and evidence.found.get(evidence.oids.get(expected.name, 0))
        if target:
            more = {"type": kind.id, "id_column": quoted(generic.id_column), "target_key": quoted(target.expected.key)}
            yield f"{generic.label} to {target.expected.label}", target, BY_TYPE.format(**names, **more)


def _names(table: Found, target: Found, condition: str) -> dict[str, str]:
    return {
        "table": table.name,
        "tenant": quoted(table.expected.tenant),
        "key": quoted(table.expected.key),
        "target": target.name,
        "target_tenant": quoted(target.expected.tenant),
        "target_key": quoted(target.expected.key),
        "condition": condition,
    }


def _sees_all(evidence: Evidence, table: Found) -> bool:
    """Whether policies hide nothing of the table from whoever asks."""
    if not table.active:
        return True
    applying = [policy for policy in evidence.policies[table.oid] if policy.applies and policy.command in "*r"]
    user = evidence.server.user.replace("'", "''")
    open_ = {"true", f"(CURRENT_USER = '{user}'::name)"}
    shown = any(policy.permissive and policy.condition in open_ for policy in applying)
    return shown and not any(not policy.permissive and policy.condition not in open_ for policy in applying)


def _some(names: Any) -> str:
    return ", ".join(str(name) for name in names)


def _row(row: Any) -> dict[str, Any]:
    return {"row": row.row, "tenant": row.tenant, "refers_to": row.target, "of_tenant": row.target_tenant}
