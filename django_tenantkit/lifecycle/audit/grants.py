"""Privileges, and the settings that sessions begin with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .evidence import PUBLIC, STORED, Evidence
from .finding import ERROR, SET_UP, WARNING, Check, Finding, ident

#: What the application may do with a tenant table.
ALLOWED = {"SELECT", "INSERT", "UPDATE", "DELETE"}


class GrantExcessive(Check):
    """The application or the operator may do more with a tenant table than with its rows: TRUNCATE and
    REFERENCES go past row-level security, a TRIGGER acts as whoever writes."""

    id = "grant.excessive"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            for grant in evidence.grants[table.oid]:
                excess = sorted(set(grant.privileges) - ALLOWED)
                if excess and grant.column is None and grant.grantee not in (PUBLIC, table.owner):
                    yield self.found(
                        table.name,
                        f"{grant.grantee} may {', '.join(excess)} on {table.name}.",
                        f"REVOKE {', '.join(excess)} ON {table.name} FROM {ident(grant.grantee)};",
                    )


class GrantPublic(Check):
    """Everybody has privileges on a tenant table."""

    id = "grant.public"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            for grant in evidence.grants[table.oid]:
                if grant.grantee == PUBLIC and grant.column is None:
                    yield self.found(
                        table.name,
                        f"Everybody may {', '.join(grant.privileges)} on {table.name}.",
                        f"REVOKE ALL ON {table.name} FROM PUBLIC;",
                    )


class GrantColumn(Check):
    """Privileges on single columns, which stay when those on the table are revoked."""

    id = "grant.column"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for table in evidence.tables:
            for grant in evidence.grants[table.oid]:
                if grant.column is not None:
                    privileges = ", ".join(f"{privilege} ({grant.column})" for privilege in grant.privileges)
                    yield self.found(
                        table.name,
                        f"{grant.grantee} may {privileges} on {table.name}.",
                        f"REVOKE {privileges} ON {table.name} FROM {ident(grant.grantee)};",
                        severity=None if set(grant.privileges) <= ALLOWED else ERROR,
                    )


class GrantMissing(Check):
    """The application or the operator lacks what it needs: its statements fail."""

    id = "grant.missing"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for row in evidence.lacking:
            privileges = ", ".join(row.privileges)
            yield self.found(
                row.object,
                f"{row.role} may not {privileges} on {row.object}.",
                f"GRANT {privileges} ON {row.kind} {row.object} TO {ident(row.role)};",
            )


class GrantDefault(Check):
    """The owner's default privileges give requests more on a new table than on the others, or nothing."""

    id = "grant.default"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        alter = f"ALTER DEFAULT PRIVILEGES FOR ROLE {ident(evidence.roles.owner)}"
        given: set[str] = set()
        for row in evidence.defaults:
            if row.grantee == evidence.roles.application:
                given.update(row.privileges)
            where = f" IN SCHEMA {row.schema}" if row.schema else ""
            excess = sorted(set(row.privileges) - (set() if row.grantee == PUBLIC else ALLOWED))
            if excess and evidence.is_web([row.grantee]):
                yield self.found(
                    row.grantee,
                    f"{row.grantee} may {', '.join(excess)} on every table that is made from now on.",
                    f"{alter}{where} REVOKE {', '.join(excess)} ON TABLES FROM {ident(row.grantee)};",
                    severity=ERROR,
                )
        if evidence.reach[evidence.roles.application] and not given >= ALLOWED:
            yield self.found(
                evidence.roles.application,
                f"{evidence.roles.application} gets no privileges on tables that are made from now on.",
                SET_UP,
            )


class GrantCreate(Check):
    """Requests may make objects in a schema, or schemas: what they make is in front of somebody's path."""

    id = "grant.create"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for row in evidence.creators:
            if evidence.is_web([row.grantee]):
                who = "Everybody" if row.grantee == PUBLIC else row.grantee
                yield self.found(
                    row.object,
                    f"{who} may CREATE in the {row.kind.lower()} {row.object}.",
                    f"REVOKE CREATE ON {row.kind} {row.object} FROM {ident(row.grantee)};",
                )


class SequenceSettable(Check):
    """Requests may set a sequence, and so make the keys of all tenants collide."""

    id = "sequence.settable"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for sequence in evidence.sequences:
            for grant in evidence.grants[sequence.oid]:
                if "UPDATE" in grant.privileges:
                    yield self.found(
                        sequence.name,
                        f"{grant.grantee} may set the sequence {sequence.name}, which the keys of all tenants come "
                        "from.",
                        f"REVOKE UPDATE ON SEQUENCE {sequence.name} FROM {ident(grant.grantee)};",
                    )


class SequenceUnusable(Check):
    """The application or the operator may not take the next value of a sequence."""

    id = "sequence.unusable"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for sequence in evidence.sequences:
            for role in sequence.lacking:
                yield self.found(
                    sequence.name,
                    f"{role} may not use the sequence {sequence.name}.",
                    f"GRANT USAGE, SELECT ON SEQUENCE {sequence.name} TO {ident(role)};",
                )


class SigningKeysReadable(Check):
    """Requests may read the keys that contexts are signed with, and so sign any."""

    id = "signing.readable"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for grant in evidence.signing_grants:
            yield self.found(
                "tenantkit.signing_keys",
                f"{grant.grantee} may {', '.join(grant.privileges)} on tenantkit.signing_keys.",
                f"REVOKE ALL ON tenantkit.signing_keys FROM {ident(grant.grantee)};",
            )


class SettingStored(Check):
    """Sessions begin with a setting that decides whose rows they see."""

    id = "setting.stored"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        home = evidence.database
        for row in evidence.settings:
            if home is not None and not home.server and not row.database:
                continue  # everywhere, which is said of the main database
            if row.name in STORED or row.name.startswith("tenantkit."):
                yield self.found(
                    row.role or row.database or "postgresql.conf",
                    f"{_where(row)} begin with {row.name} = {row.value!r}.",
                    _reset(row),
                    severity=WARNING if row.name == "search_path" else None,
                )


def _where(row: Any) -> str:
    parts = [f"of {row.role}" if row.role else "", f"in {row.database}" if row.database else ""]
    return " ".join(["Sessions", *(part for part in parts if part)])


def _reset(row: Any) -> str:
    if row.role:
        database = f" IN DATABASE {ident(row.database)}" if row.database else ""
        return f"ALTER ROLE {ident(row.role)}{database} RESET {row.name};"
    if row.database:
        return f"ALTER DATABASE {ident(row.database)} RESET {row.name};"
    return f"ALTER SYSTEM RESET {row.name};"
