"""The audit of tenants' databases, one after the other. Each is audited as the main one is, and compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.db import Error, connections

from ...exceptions import TenantkitError
from ...isolation.entries import MAIN, allows_databases, database_alias
from ...models import TenantIsolation, get_tenant_model
from .databases import DatabaseUnread
from .databases_evidence import MainDatabase, TenantDatabase
from .finding import MIGRATE, SET_UP, Check, Finding
from .run import HOMES, POOLER, ROLES, Progress, Report, connected, evidence_of
from .run import audit as audit_one


def audit_databases(
    checks: Iterable[type[Check]], progress: Progress = lambda done, total, label: None, slugs: Iterable[str] = ()
) -> Report:
    """Audit the databases of tenants and those that wait for one, and shards, with the schemas in them; or those of
    the tenants with these slugs, as the system. One that cannot be looked at is a finding and does not keep the others.
    Raises `TenantkitError` where the main database cannot be looked at."""
    checks, slugs = list(checks), set(slugs)
    if not allows_databases():
        return Report((), ())
    with connected(MAIN) as connection:
        main = evidence_of(connection)
        compared = MainDatabase(main)
        servers = _servers_of(slugs)
        homes = [
            TenantDatabase(row, compared)
            for row in main.homes.databases
            if row.state in ("ready", "taken") or (row.state is None and row.slug is not None)
        ]
        homes = [
            home for home in homes if not slugs or home.slug in slugs or (home.is_shard and home.server in servers)
        ]
        findings: list[Finding] = []
        for number, home in enumerate(homes):
            progress(number, len(homes), home.whose)
            findings += _audited(home, checks)
        progress(len(homes), len(homes), "")
    return Report(tuple(findings), (f"{len(homes)} databases of tenants",))


def _servers_of(slugs: Iterable[str]) -> set[str]:
    """The servers on which tenants with these slugs have schemas."""
    found = get_tenant_model()._base_manager.filter(slug__in=slugs, isolation=TenantIsolation.SCHEMA)
    return set(found.exclude(database="").values_list("database", flat=True))


def _audited(home: TenantDatabase, checks: list[type[Check]]) -> Iterator[Finding]:
    """What is found in one database, with its tenant. What is said of a server's roles is said of the main one."""
    skipped = (*(() if home.is_shard else HOMES), *POOLER, *(() if home.server else ROLES))
    alias = database_alias(home.uid, home.server)
    try:
        with connected(alias) as connection:
            found = audit_one(
                evidence_of(connection, home), [check for check in checks if check not in skipped]
            ).findings
    except (Error, TenantkitError) as error:
        text = " ".join(str(error).split())
        found = (DatabaseUnread().found(alias, f"It could not be looked at: {text}", advice=_RESTORE),)
    finally:
        connections[alias].close()
    for finding in found:
        yield _of(home, alias, finding)


_RESTORE = "Bring its server back, or restore the database from a backup."


def _of(home: TenantDatabase, alias: str, finding: Finding) -> Finding:
    """A finding with whose database it is in, and a cure for that one."""
    whom = "--all-tenants" if home.slug is None else f"--tenant {home.slug}"
    whose = f"shard {home.server}" if home.is_shard else home.slug or home.uid.hex
    cures = dict.fromkeys((MIGRATE, SET_UP), f"manage.py migrate_tenants {whom} --guard")
    fact = f"In the database of {home.whose}: {finding.fact}"
    return replace(finding, fact=fact, cure=cures.get(finding.cure, finding.cure), tenant=whose)
