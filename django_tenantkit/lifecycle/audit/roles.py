"""Roles that may more than they need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from .evidence import Evidence
from .finding import SET_UP, WARNING, Check, Finding, ident

#: What a role can be by itself.
ATTRIBUTES = ("superuser", "bypassrls", "createrole", "createdb", "replication")

#: PostgreSQL's own roles that lead past tenants, and what each lets its members do.
PREDEFINED = {
    "pg_read_all_data": "read every table and view",
    "pg_write_all_data": "write every table",
    "pg_execute_server_program": "run programs on the server",
    "pg_read_server_files": "read the server's files",
    "pg_write_server_files": "write the server's files",
    "pg_maintain": "lock and rewrite every table",
    "pg_create_subscription": "copy tables from other servers",
    "pg_database_owner": "do what the database's owner may",
}

#: Those that show or end what other sessions do.
WATCHING = {
    "pg_monitor": "read what others run, values included",
    "pg_read_all_stats": "read what others run, values included",
    "pg_read_all_settings": "read every setting",
    "pg_stat_scan_tables": "lock tables while they are measured",
    "pg_signal_backend": "end other sessions",
    "pg_signal_autovacuum_worker": "end workers of autovacuum",
    "pg_use_reserved_connections": "use connections that are kept free",
    "pg_checkpoint": "run checkpoints",
}

#: How many objects are named.
NAMED = 5


class RoleMissing(Check):
    """A role is not there."""

    id = "role.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for kind in ("owner", "application", "operator"):
            name = getattr(evidence.roles, kind)
            if not evidence.reach[name]:
                yield self.found(name, f"There is no role {name}, the {kind}'s.", SET_UP)


class RoleAttribute(Check):
    """The application, what it logs in as, or the operator is a superuser, bypasses row-level security, or
    may make roles, databases or replicas; or can become one who does."""

    id = "role.attribute"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for name, row in _reached(evidence):
            powers = [power.upper() for power in ATTRIBUTES if getattr(row, power)]
            if powers:
                yield self.found(
                    row.role,
                    f"{row.role} is {', '.join(powers)}"
                    + ("." if row.role == name else f", and {name} can become it."),
                    f"ALTER ROLE {ident(row.role)} {' '.join('NO' + power for power in powers)};"
                    if row.role == name
                    else f"REVOKE {ident(row.role)} FROM {ident(name)};",
                )


class RoleMember(Check):
    """The application, what it logs in as, or the operator can become one of the roles that see all rows."""

    id = "role.member"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        roles = evidence.roles
        for name in _watched(evidence):
            for role in evidence.reach[name]:
                allowed = role == name or (role == roles.operator and evidence.may_operate)
                if role in (roles.owner, roles.operator, roles.system) and not allowed:
                    yield self.found(
                        name,
                        f"{name} can become {role}, who sees the rows of all tenants.",
                        f"REVOKE {ident(role)} FROM {ident(name)};",
                        "Name another login in TENANTKIT_SYSTEM_DATABASE or TENANTKIT_OPERATOR_DATABASE first.",
                    )


class RolePredefined(Check):
    """The application, what it logs in as, or the operator is a member of one of PostgreSQL's own roles."""

    id = "role.predefined"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for name in _watched(evidence):
            for role in evidence.reach[name]:
                if role.startswith("pg_"):
                    may = PREDEFINED.get(role) or WATCHING.get(role)
                    yield self.found(
                        name,
                        f"{name} is a member of {role}" + (f", so it may {may}." if may else "."),
                        f"REVOKE {role} FROM {ident(name)};",
                        severity=WARNING if role in WATCHING else None,
                    )


class RoleOwner(Check):
    """The application or what it logs in as owns something: an owner may do everything with it."""

    id = "role.owner"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        owned = defaultdict(list)
        for row in evidence.owned:
            owned[row.role].append(row.object)
        for role, objects in owned.items():
            more = f" and {len(objects) - NAMED} more" if len(objects) > NAMED else ""
            yield self.found(
                role,
                f"{role} owns {', '.join(objects[:NAMED])}{more}.",
                f"REASSIGN OWNED BY {ident(role)} TO {ident(evidence.roles.owner)};",
            )


class RoleLogin(Check):
    """The owner can log in, so its rights are one password away."""

    id = "role.login"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for name in (evidence.roles.owner, evidence.roles.operator):
            row = evidence.reach[name].get(name)
            if row is not None and row.login:
                yield self.found(
                    name, f"{name} can log in, and sees the rows of all tenants.", f"ALTER ROLE {ident(name)} NOLOGIN;"
                )


def _watched(evidence: Evidence) -> list[str]:
    """The roles that must not have more rights than they need."""
    roles = evidence.roles
    return sorted({roles.application, roles.operator, evidence.login or roles.application})


def _reached(evidence: Evidence) -> Iterator[tuple[str, Any]]:
    """Each role that a watched one can act as, once, with who can; itself before others. The roles that see
    all rows are left out, as is PostgreSQL's: being a member of those is a finding of its own."""
    watched = _watched(evidence)
    apart = {evidence.roles.owner, evidence.roles.system}
    found: dict[str, tuple[str, Any]] = {}
    for name in watched:
        for role, row in evidence.reach[name].items():
            if role == name or (role not in found and role not in apart and not role.startswith("pg_")):
                found[role] = (name, row)
    yield from found.values()
