"""What is found out before anything is written."""

from __future__ import annotations

from typing import Any

from django.db import connections

from ...conf import conf
from ...exceptions import MoveRefused
from ...isolation.entries import SHARED, database_name
from ...models import TenantIsolation, TenantStatus
from ...registry import lives_at_home
from ...sql import moving as sql
from ...sql.homes import quoted
from .. import databases
from ..contents import contents
from ..homes import home_apps, tables_without_tenant
from ..shards import number_of_schemas
from .sides import Side, Spot, tables

#: Statuses in which a tenant can move.
MOVABLE = (TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE)


def check_wish(tenant: Any, wanted: Spot) -> None:
    """Raise `MoveRefused` for what cannot be wished for. Asks no database."""
    here = Spot.of(tenant)
    if wanted.isolation not in conf.ISOLATIONS:
        raise MoveRefused(
            f"The isolation {wanted.isolation!r} is not among those of this deployment, {', '.join(conf.ISOLATIONS)} "
            "(TENANTKIT_ISOLATIONS)."
        )
    if wanted.server and wanted.server not in conf.SERVERS:
        raise MoveRefused(f"TENANTKIT_SERVERS has no entry {wanted.server!r}. Leave --database out for the main one's.")
    if wanted.server and wanted.is_shared:
        raise MoveRefused(f"Row tenants share the tables of the main database, and not of {wanted.server!r}.")
    if wanted == here:
        raise MoveRefused(f"The tenant {tenant.slug!r} is there already: {here}.")
    if tenant.status not in MOVABLE:
        raise MoveRefused(f"The tenant {tenant.slug!r} is {tenant.status}; {', '.join(MOVABLE)} ones can move.")
    if wanted.is_shared and (found := tables_without_tenant()):
        raise MoveRefused(
            f"The tables {', '.join(found)} have no tenant's column (TENANTKIT_TENANT_APPS), so row tenants cannot "
            f"share them, and {tenant.slug!r} cannot become one."
        )


def check_room(here: Spot, wanted: Spot) -> None:
    """Raise `MoveRefused` where a tenant with a database has one on the other server too, under the same name: it may
    be the one that it lives in, if two servers of TENANTKIT_SERVERS are one; and where no schema more may be made."""
    both = here.isolation == wanted.isolation == TenantIsolation.DATABASE
    if both and databases.is_there(wanted.uid, wanted.server):
        name = database_name(str(connections[SHARED].settings_dict["NAME"]), wanted.uid)
        raise MoveRefused(
            f"There is a database {name} on {wanted.server or 'the main server'}, or what was left of it. Where two "
            "names in TENANTKIT_SERVERS lead to one server, it is the one that the tenant lives in, and nothing has to "
            "be moved. Otherwise see what is in it, and drop it."
        )
    if wanted.isolation == TenantIsolation.SCHEMA and number_of_schemas(wanted.server) >= conf.SCHEMA_LIMIT:
        raise MoveRefused(
            f"There are as many schemas of tenants on {wanted.server or 'the main server'} as TENANTKIT_SCHEMA_LIMIT "
            "allows."
        )


def check_source(source: Side) -> None:
    """Raise `MoveRefused` for tables with rows that would stay behind, as no model knows them."""
    if source.spot.is_shared:
        return
    alone = source.spot.isolation == TenantIsolation.DATABASE
    known = {*tables(), "django_migrations", *(shared_tables() if alone else ())}
    given = {"schema": "" if alone else source.spot.schema, "known": sorted(known)}
    found = [name for (name,) in source.ask(sql.OTHER_TABLES, given) if source.ask(sql.has_rows(name))[0][0]]
    if found:
        raise MoveRefused(
            f"No model knows {', '.join(found)}, and there are rows, which would stay behind. Make models of them, or "
            "empty them."
        )


def check_sides(source: Side, target: Side) -> None:
    """Raise `MoveRefused` where tables, columns or migrations are not the same in both homes."""
    differing = []
    for table in tables():
        before, after = ({(one.name, one.type) for one in side.columns.get(table, ())} for side in (source, target))
        if before != after or not before:
            names = sorted(name for name, _ in before ^ after)
            differing.append(f"{table} ({', '.join(names) or 'is in neither'})")
    applied = set(_applied(source)) ^ set(_applied(target))
    if differing or applied:
        raise MoveRefused(
            f"The homes are not of the same state: {', '.join([*differing, *sorted(applied)])}. Run `migrate` and "
            "`migrate_tenants` first."
        )


def shared_tables() -> list[str]:
    """The tables that are copies in a tenant's database."""
    return [model._meta.db_table for model in databases.shared_models() if not lives_at_home(model)]


def _applied(side: Side) -> list[str]:
    """The migrations of apps with tables of tenants that a home has on record."""
    schema = side.spot.schema if side.spot.isolation == TenantIsolation.SCHEMA else "public"
    at_home = home_apps()
    rows = side.ask(f'SELECT app, name FROM "{schema}".django_migrations')
    return [f"{app}.{name}" for app, name in rows if app in at_home]


def check_dangling(source: Side, key: str) -> None:
    """Raise `MoveRefused` for rows that refer to shared rows which are gone: in a schema such references are no
    constraints, and elsewhere they are."""
    if source.spot.isolation != TenantIsolation.SCHEMA:
        return
    found = []
    for content in contents():
        for reference in content.references:
            if not reference.is_at_home:
                own, other = f"s.{quoted(reference.column)}", f"t.{quoted(reference.target_column)}"
                rows = source.ask(
                    f"SELECT count(*) FROM {source.path(content.table)} AS s "
                    f"LEFT JOIN public.{quoted(reference.target._meta.db_table)} AS t ON {other} = {own} "
                    f"WHERE {own} IS NOT NULL AND {other} IS NULL"
                )[0][0]
                if rows:
                    found.append(f"{rows} of {content.label}.{reference.field.name}")
    if found:
        raise MoveRefused(
            f"Rows refer to shared rows that are not there any more: {', '.join(found)}. Elsewhere these references "
            "are constraints. Correct them, or restore the shared rows."
        )
