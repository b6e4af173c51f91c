"""One audit of one database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from django.apps import apps
from django.db import DatabaseError, connections

from ...conf import conf
from ...exceptions import TenantkitError
from ...sql.outside import connect_outside
from ...sql.roles import roles_of
from . import around, databases, fences, grants, guard, homes, keys, pooler, roles, rows, signing, triggers
from .databases_evidence import TenantDatabase
from .evidence import Evidence
from .expected import expected
from .finding import Check, Finding, Severity
from .reader import Connection, Reader

#: The homes of schema tenants, asked of the main database; and what is said of a server's roles, once.
HOMES: tuple[type[Check], ...] = (
    homes.HomeMissing,
    homes.HomeIncomplete,
    homes.HomeExtra,
    homes.HomeDiffers,
    homes.HomeBehind,
    homes.HomeOpen,
    homes.HomeShut,
    homes.HomeUnclaimed,
    homes.HomeUnplaced,
    homes.HomeStale,
    homes.HomeLeftOver,
)
ROLES: tuple[type[Check], ...] = (
    roles.RoleMissing,
    roles.RoleAttribute,
    roles.RoleMember,
    roles.RolePredefined,
    roles.RoleOwner,
    roles.RoleLogin,
)

#: What is read in one transaction: the catalog. Then what may take long, each in one of its own.
CATALOG: tuple[type[Check], ...] = (
    guard.TableMissing,
    guard.TableUnguarded,
    guard.TableOwner,
    guard.ColumnMissing,
    guard.ColumnNullable,
    guard.RlsOff,
    guard.RlsUnforced,
    guard.PolicyMissing,
    guard.PolicyChanged,
    guard.PolicyOpening,
    guard.PolicyExtra,
    keys.KeyMissing,
    keys.ReferencePlain,
    keys.ReferenceMissing,
    keys.ReferenceUnvalidated,
    keys.UniqueWithoutTenant,
    keys.IndexWithoutTenant,
    triggers.TriggerMissing,
    triggers.TriggerDisabled,
    triggers.TriggerForeign,
    triggers.TriggerEvent,
    triggers.RulePresent,
    triggers.FunctionChanged,
    around.ViewDefiner,
    around.ViewMaterialized,
    around.FunctionDefiner,
    around.FunctionLeakproof,
    around.PartitionOpen,
    around.TableUnknown,
    around.PublicationUnfiltered,
    around.LargeObjectPresent,
    *ROLES,
    grants.GrantExcessive,
    grants.GrantPublic,
    grants.GrantColumn,
    grants.GrantMissing,
    grants.GrantDefault,
    grants.GrantCreate,
    grants.SequenceSettable,
    grants.SequenceUnusable,
    grants.SigningKeysReadable,
    signing.SigningKeys,
    signing.SigningUnasked,
    grants.SettingStored,
    *HOMES,
    fences.FenceLeft,
    databases.DatabaseUnread,
    databases.DatabaseUnplaced,
    databases.DatabaseUnclaimed,
    databases.DatabaseLeftOver,
    databases.DatabaseForeign,
    databases.DatabaseIncomplete,
    databases.DatabaseExtra,
    databases.DatabaseDiffers,
    databases.DatabaseBehind,
    databases.CopyWritable,
    databases.CopyTables,
)
ROWS: tuple[type[Check], ...] = (
    rows.RowsCrossing,
    rows.RowsOrphaned,
    rows.RowsUnread,
    homes.HomeForeign,
    databases.DatabaseRows,
    databases.CopyStale,
)
POOLER: tuple[type[Check], ...] = (
    pooler.PoolerCrossed,
    pooler.PoolerSplit,
    pooler.PoolerLeftOver,
    pooler.PoolerFailed,
)
#: `progress(done, total, label)`.
Progress = Callable[[int, int, str], None]

CHECKS = CATALOG + ROWS + POOLER


@dataclass(frozen=True)
class Report:
    """What an audit found, errors first, and what it looked at, in words."""

    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...]

    def number(self, severity: Severity) -> int:
        """How many findings of a severity there are."""
        return sum(finding.severity == severity for finding in self.findings)

    def __add__(self, other: Report) -> Report:
        """What both found."""
        return Report(_by_severity([*self.findings, *other.findings]), self.looked_at + other.looked_at)


def chosen(only: Iterable[str] = (), skip: Iterable[str] = (), *, with_rows: bool = True) -> list[type[Check]]:
    """The checks with these ids, without those; `rls` stands for all ids that begin with `rls.`. Raises
    `TenantkitError` for an id that there is not."""
    only, skip = set(only), set(skip)
    known = {name for check in CHECKS for name in _names(check)}
    if unknown := sorted((only | skip) - known):
        ids = ", ".join(check.id for check in CHECKS)
        raise TenantkitError(f"There is no finding {', '.join(unknown)}. There are: {ids}.")
    return [
        check
        for check in CHECKS
        if (not only or not only.isdisjoint(_names(check)))
        and skip.isdisjoint(_names(check))
        and (with_rows or check not in ROWS)
    ]


def audit_database(
    alias: str,
    checks: Iterable[type[Check]] = CHECKS,
    progress: Progress = lambda done, total, label: None,
) -> Report:
    """Audit a database of DATABASES, as the system, against the models. Raises `TenantkitError` for one that
    is not PostgreSQL, where the system cannot log in, and inside a transaction."""
    with connected(alias) as connection:
        return audit(evidence_of(connection), checks, progress)


@contextmanager
def connected(alias: str) -> Iterator[Any]:
    """The connection to a database, as the system. Raises `TenantkitError` as `audit_database()` does."""
    connection: Any = connections[alias]
    if connection.vendor != "postgresql":
        raise TenantkitError(
            f"DATABASES[{alias!r}] is {connection.display_name}, which has no guard that could be audited. Use "
            "PostgreSQL."
        )
    with connection.as_system():
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            raise TenantkitError(
                f"The system cannot log in to DATABASES[{alias!r}] and act as the owner of its tables: "
                f"{str(error).strip()}. Make the roles with `manage.py setup_roles`, and name the system's login in "
                "TENANTKIT_SYSTEM_DATABASE."
            ) from error
        yield connection


def evidence_of(connection: Any, database: TenantDatabase | None = None) -> Evidence:
    """What there is to look at in a database that the system is connected to, a tenant's if `database` says so."""

    def connect() -> Connection:
        return connect_outside(connection)

    return Evidence(
        Reader(connection.connection),
        expected(apps, connection),
        roles_of(connection.settings_dict),
        login=connection.settings_dict["USER"] or _login(connect),
        may_operate=conf.WEB_MAY_OPERATE,
        connect=connect,
        database=database,
    )


def _login(connect: Callable[[], Connection]) -> str | None:
    """Who DATABASES logs in as, where it leaves that to libpq."""
    with suppress(psycopg.Error), connect() as connection:
        return connection.info.user
    return None


def _names(check: type[Check]) -> set[str]:
    return {check.id, check.id.partition(".")[0]}


def audit(
    evidence: Evidence,
    checks: Iterable[type[Check]] = CHECKS,
    progress: Progress = lambda done, total, label: None,
) -> Report:
    """Look for what `checks` look for. Everything is read in READ ONLY transactions. Raises what PostgreSQL
    raises where the connection may not read."""
    wanted = list(checks)
    findings: list[Finding] = []

    def look(family: tuple[type[Check], ...]) -> None:
        for place, check in enumerate(wanted):
            if check in family:
                progress(place, len(wanted), check.id)
                findings.extend(check().find(evidence))

    with evidence.reader.transaction():
        look(CATALOG)
        server = evidence.server
        where = f"{server.database}, PostgreSQL {server.release}, as {server.user}"
        looked_at = [f"{len(evidence.tenant_tables)} tenant tables of {where}"]
    # What follows may take long, so no lock on a table is kept for longer than one statement.
    look(ROWS)
    look(POOLER)
    progress(len(wanted), len(wanted), "")
    looked_at.append("the rows" if not set(wanted).isdisjoint(ROWS) else "no rows")
    if not set(wanted).isdisjoint(POOLER) and evidence.pooler is not None:
        looked_at.append(f"connections: {evidence.pooler.summary}")
    return Report(_by_severity(findings), tuple(looked_at))


def _by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))
