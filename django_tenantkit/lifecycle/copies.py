"""Copies of shared rows, brought up to date by hand: `push_copies` runs this."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from django.db import Error, connections

from ..conf import conf
from ..context import tenant_context
from ..exceptions import TenantkitError
from ..isolation.copying import BATCH, copy_again, forget_known, push_changes
from ..isolation.entries import SHARED, allows_databases, shard_alias
from ..models import get_tenant_model
from ..sql import copies as sql
from .shards import shards_of
from .sweeping import sweep

#: Told after each: how many are done, of how many, and what it was.
Progress = Callable[[int, int, str], None]


@dataclass
class Pushed:
    """How many databases are as they should be now, what failed by the tenant's slug (for a shard `shard eu`, the
    alias of one without a tenant), how many changes are left, and how many copies were removed that nobody refers
    to."""

    databases: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left: int = 0
    removed: int = 0


def waiting(tenants: Iterable[Any] | None = None) -> dict[str, int]:
    """How many changes of copied rows wait to be pushed, by the alias of the database: of all, or of those of some
    tenants."""
    return dict(_ask(sql.WAITING, tenants))


def push_copies(
    tenants: Iterable[Any] | None = None, *, again: bool = False, progress: Progress | None = None
) -> Pushed:
    """Push the changes that wait; and with `again` copy every copied row once more, for what was changed in a
    tenant's database by hand or restored from a backup, and remove those in shards to which nobody refers. A database
    that cannot be reached does not keep the others."""
    tenants = None if tenants is None else list(tenants)
    done = Pushed()
    if not allows_databases():
        return done
    homes, failed = set(waiting(tenants)), dict[str, str]()
    push_changes(failed)
    if again:
        rows = {home: list(some) for home, some in groupby(_ask(sql.COPIED, tenants), key=lambda row: row[0])}
        for number, (home, some) in enumerate(rows.items(), 1):
            _again(home, some, failed)
            if progress is not None:
                progress(number, len(rows), home)
        homes |= rows.keys() | _sweep(tenants, done, failed)
    slugs = {tenant.home.database: tenant.slug for tenant in _of_databases()}
    slugs |= {shard_alias(server): f"shard {server}" for server in conf.SERVERS}
    done.failed = {slugs.get(home, home): error for home, error in failed.items() if home in homes}
    done.databases = len(homes) - len(done.failed)
    done.left = sum(waiting(tenants).values())
    return done


def _again(home: str, rows: list[Any], failed: dict[str, str]) -> None:
    forget_known(lambda known: known[0] == home)
    try:
        with tenant_context(None):
            remaining = iter(rows)
            while some := list(islice(remaining, BATCH)):
                copy_again(connections[home], ((name, key) for _, name, key in some))
    except (Error, TenantkitError) as error:
        failed[home] = str(error)


def _sweep(tenants: list[Any] | None, done: Pushed, failed: dict[str, str]) -> set[str]:
    """Remove what nobody refers to in all shards, or in those of some tenants; returns their aliases."""
    homes = None if tenants is None else {tenant.home.database for tenant in tenants if tenant.home is not None}
    servers = {shard_alias(shard.database): shard.database for shard in shards_of(conf.SERVERS)}
    swept = servers.keys() if homes is None else servers.keys() & homes
    for home in swept:
        try:
            done.removed += sweep(servers[home])
        except (Error, TenantkitError) as error:
            failed[home] = str(error)
    return {*swept}


def _ask(statement: str, tenants: Iterable[Any] | None) -> list[Any]:
    homes = None if tenants is None else [tenant.home.database for tenant in tenants if tenant.home is not None]
    main: Any = connections[SHARED]
    with main.as_system(), main.cursor() as cursor:
        cursor.execute(statement, {"homes": homes})
        found: list[Any] = cursor.fetchall()
        return found


def _of_databases() -> list[Any]:
    main: Any = connections[SHARED]
    with main.as_system():
        found = get_tenant_model()._base_manager.filter(isolation="database", erased_at=None)
        return list(found)
