"""Fences around the rows of a tenant at one of its homes: the database itself refuses what stale processes write there.

    fence(tenant)                 no row of the tenant is written where it lives now
    fence(tenant, closed=True)    nor read: it lives elsewhere by now
    unfence(tenant)               all as before

Each waits for transactions that are open on a table and lets nobody else wait. Functions of the owner do the work, for
operators: outside of transactions. See `sql/fence.py`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

from django.db import connections

from ..conf import conf
from ..context import tenant_context, unscoped
from ..exceptions import TenantUnavailable
from ..isolation import Home
from ..isolation.entries import SHARED
from ..sql import fence as sql
from ..sql.homes import quoted
from ..sql.roles import roles_of
from .contents import contents

#: Seconds between two tries.
PAUSE = 0.02


def fence(tenant: Any, *, closed: bool = False) -> None:
    """Fence `tenant` where it lives: from then on nothing of it is written there, and no
    transaction is open that wrote something. With `closed` nothing is read there either, and operators do not see
    it. Raises `TenantUnavailable` where a table is in use for longer than TENANTKIT_FENCE_SECONDS; the tables that
    are fenced by then stay so, and the next call goes on."""
    set_fence(tenant, sql.CLOSED if closed else sql.FROZEN, tenant.home)


def unfence(tenant: Any) -> None:
    """Take the fence away where the tenant lives, if there is one."""
    set_fence(tenant, sql.OPEN, tenant.home)


def is_fenced(tenant: Any) -> bool:
    """Whether every table is fenced where the tenant lives."""
    connection, schema = connection_of(tenant.home), schema_of(tenant.home)
    tables = [content.table for content in contents()]
    with tenant_context(None), unscoped(reason=f"fence of {tenant.slug}"), connection.cursor() as cursor:
        cursor.execute(sql.IS_FENCED, {"schema": quoted(schema), "tables": tables, "key": str(tenant.pk)})
        return bool(cursor.fetchone()[0])


def set_fence(tenant: Any, wanted: str, home: Home | None) -> None:
    """What the functions above do, at any home: None is that of row tenants in the main database. `wanted` is
    `open`, `frozen` or `closed`."""
    connection = connection_of(home)
    roles, schema, key = roles_of(connection.settings_dict), schema_of(home), str(tenant.pk)
    columns = {content.table: content.tenant.column if content.tenant else "" for content in contents()}
    with tenant_context(None), unscoped(reason=f"fence of {tenant.slug}: {wanted}"), connection.cursor() as cursor:
        cursor.execute(sql.TABLES_IN, [quoted(schema), list(columns)])
        calls = {_name(schema, table): (key, columns[table], wanted, *roles[1:3]) for (table,) in cursor.fetchall()}
        persist(cursor, sql.SET, calls, tenant)


def persist(cursor: Any, statement: str, calls: Mapping[str, tuple[Any, ...]], tenant: Any) -> None:
    """Call a function for each table, by its quoted name and with more arguments, until it has returned true for all
    of them. It returns false where a lock is not to be had at once. Raises as `fence()` does."""
    left = list(calls)
    until = time.monotonic() + conf.FENCE_SECONDS
    while True:
        left = [name for name in left if not _set(cursor, statement, name, calls[name])]
        if not left:
            return
        if time.monotonic() >= until:
            raise _refusal(cursor, tenant, left[0])
        time.sleep(PAUSE * (0.5 + random.random()))


def connection_of(home: Home | None) -> Any:
    """The connection to the database that `home` is in."""
    return connections[home.database if home is not None and home.database else SHARED]


def schema_of(home: Home | None) -> str:
    """The schema that the tables of `home` are in."""
    return home.schema if home is not None and home.schema else conf.ROW_SCHEMA or "public"


def _name(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"


def _set(cursor: Any, statement: str, name: str, given: tuple[Any, ...]) -> bool:
    cursor.execute(statement, [name, *given])
    return bool(cursor.fetchone()[0])


def _refusal(cursor: Any, tenant: Any, name: str) -> TenantUnavailable:
    cursor.execute(sql.HOLDERS, [name])
    pids = ", ".join(str(pid) for (pid,) in cursor.fetchall())
    return TenantUnavailable(
        f"{name} was in use for {conf.FENCE_SECONDS} seconds without a break, so the tenant {tenant.slug!r} could not "
        f"be fenced there; nobody was kept waiting. Try again, or raise TENANTKIT_FENCE_SECONDS."
        + (f" Backends that hold locks there: {pids}. What is stuck ends with pg_terminate_backend()." if pids else "")
    )
