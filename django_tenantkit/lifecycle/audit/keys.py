"""References, keys and indexes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .evidence import Evidence, Found
from .expected import Reference, quoted
from .finding import WARNING, Check, Finding, ident


class KeyMissing(Check):
    """A tenant table has no unique constraint on tenant and primary key, so nothing can refer to both."""

    id = "key.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            if table.expected.key_name is None:
                continue
            wanted = {table.expected.tenant, table.expected.key}
            keys = [set(key.columns) for key in evidence.constraints[table.oid] if key.kind in "pu"]
            if wanted not in keys:
                columns = f"{quoted(table.expected.tenant)}, {quoted(table.expected.key)}"
                yield self.found(
                    table.name,
                    f"{table.name} has no unique constraint on ({columns}): references to it cannot name the tenant.",
                    f"ALTER TABLE {table.name} ADD CONSTRAINT {ident(table.expected.key_name)} UNIQUE ({columns});",
                )


class ReferencePlain(Check):
    """A foreign key between tenant tables does not compare the tenants. PostgreSQL checks and cascades
    references past row-level security."""

    id = "reference.plain"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            unbound = [{(r.column, r.target_column)} for r in table.expected.references if not r.bound]
            for key in evidence.constraints[table.oid]:
                target = evidence.found.get(key.target) if key.kind == "f" else None
                if target is None or not target.expected.tenant or _pairs(key) in unbound:
                    continue
                if (table.expected.tenant, target.expected.tenant) not in _pairs(key):
                    yield self.found(
                        f"{key.name} on {table.name}",
                        f"The foreign key {key.name} of {table.name} refers to {target.name} by "
                        f"({', '.join(key.columns)}) alone: it accepts another tenant's row, and cascades to it.",
                        f"ALTER TABLE {table.name} DROP CONSTRAINT {ident(key.name)};",
                    )


class ReferenceMissing(Check):
    """A reference of a model has no foreign key with the tenant."""

    id = "reference.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table, reference, target, keys in _references(evidence):
            if not keys:
                yield self.found(
                    f"{reference.column} on {table.name}",
                    f"{reference.label} has no foreign key on {_described(table, reference)}.",
                    f"ALTER TABLE {table.name} ADD {_foreign_key(table, reference, target)};",
                )


class ReferenceUnvalidated(Check):
    """A foreign key with the tenant is NOT VALID or NOT ENFORCED: rows from before it may cross."""

    id = "reference.unvalidated"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table, reference, _, keys in _references(evidence):
            if not keys or any(key.valid and key.enforced for key in keys):
                continue
            name = keys[0].name
            if keys[0].enforced:
                state, cure = "NOT VALID", f"ALTER TABLE {table.name} VALIDATE CONSTRAINT {ident(name)};"
            else:
                state, cure = "NOT ENFORCED", f"ALTER TABLE {table.name} ALTER CONSTRAINT {ident(name)} ENFORCED;"
            yield self.found(
                f"{name} on {table.name}",
                f"The foreign key {name} of {reference.label} is {state}.",
                cure,
                "As the owner, who sees all rows.",
            )


class UniqueWithoutTenant(Check):
    """Something is unique over all tenants. Primary keys may be, and what contains a reference to a
    tenant's row: whoever has that row is in the same tenant."""

    id = "unique.without-tenant"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            for index in evidence.indexes[table.oid]:
                if index.exclusion:
                    alone = (table.expected.tenant, "=") not in zip(index.columns, index.operators, strict=False)
                else:
                    alone = index.unique and not index.primary and not _is_of_one_tenant(table, index)
                if alone:
                    yield self.found(
                        index.name,
                        f"{index.name} makes {table.name} unique over all tenants: a value that another tenant uses "
                        "is refused, and so betrayed.",
                        _drop(table, index),
                        "Write TenantUniqueConstraint in the model.",
                    )


class IndexWithoutTenant(Check):
    """An index does not begin with the tenant, though every query names it."""

    id = "index.without-tenant"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tenant_tables:
            for index in evidence.indexes[table.oid]:
                guards = index.unique or index.exclusion
                if not guards and index.method == "btree" and index.columns[:1] != [table.expected.tenant]:
                    yield self.found(
                        index.name,
                        f"The index {index.name} of {table.name} does not begin with {table.expected.tenant}: each "
                        "use reads the entries of all tenants.",
                        _drop(table, index),
                        "Write Index(fields=[tenant, ...]) in the model.",
                    )


def _references(evidence: Evidence) -> Iterator[tuple[Found, Reference, Found | None, list[Any]]]:
    """Each reference of the models with its target, None for the tenants, and the foreign keys on it."""
    for table in evidence.tenant_tables:
        for reference in table.expected.references:
            oid = evidence.oids.get(reference.target)
            target = evidence.found.get(oid or 0)
            wanted = {(reference.column, reference.target_column)}
            if not reference.to_tenant and target is None:
                continue  # its table is missing, which is a finding of its own
            if target is not None and reference.bound and not reference.to_tenant:
                wanted.add((table.expected.tenant, target.expected.tenant))
            keys = [k for k in evidence.constraints[table.oid] if k.target == oid and _pairs(k) == wanted]
            yield table, reference, target, keys


def _pairs(key: Any) -> set[tuple[str, str]]:
    """The columns of a foreign key, each with the one it refers to."""
    return set(zip(key.columns, key.target_columns, strict=False))


def _described(table: Found, reference: Reference) -> str:
    bound = reference.bound and not reference.to_tenant
    columns = f"({table.expected.tenant}, {reference.column})" if bound else reference.column
    return f"{columns} of {table.name}"


def _foreign_key(table: Found, reference: Reference, target: Found | None) -> str:
    """The clause that makes the foreign key of a reference."""
    own, others = [quoted(reference.column)], [quoted(reference.target_column)]
    if target is not None and reference.bound and not reference.to_tenant:
        own.insert(0, quoted(table.expected.tenant))
        others.insert(0, quoted(target.expected.tenant))
    name = f"CONSTRAINT {ident(reference.name)} " if reference.name else ""
    return (
        f"{name}FOREIGN KEY ({', '.join(own)}) REFERENCES {reference.target} ({', '.join(others)}) "
        "DEFERRABLE INITIALLY DEFERRED"
    )


def _is_of_one_tenant(table: Found, index: Any) -> bool:
    """Whether equal values in a unique index can only be rows of one tenant. A reference may be empty in
    rows of several; that is the same value only under NULLS NOT DISTINCT."""
    guarded = {table.expected.tenant}
    if not index.nulls_alike:
        guarded |= {reference.column for reference in table.expected.references}
    return not guarded.isdisjoint(index.columns)


def _drop(table: Found, index: Any) -> str:
    if index.constraint:
        return f"ALTER TABLE {table.name} DROP CONSTRAINT {ident(index.constraint)};"
    return f"DROP INDEX {index.name};"
