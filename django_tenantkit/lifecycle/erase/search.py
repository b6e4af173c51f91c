"""The search for what is left of a tenant: by registry, in tables, homes and stores; and for its names in every text
of every table.

Its uid is nobody else's, so a row that contains it is something that was left. Its slug and its domains are words that
other tenants may write too: where they are found is told, and for a person to judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connections

from ...isolation.entries import allows_databases, database_alias
from ...models import Job, Place, PlaceState, get_tenant_model
from ...sql import erasing as sql
from ...sql.homes import quoted
from ..contents import contents
from ..reach import Tables, main_alias, shards
from ..stores import stores
from .homes import homes_of, left_homes_of
from .keeping import is_kept, keeps_rows
from .rows import count_erased
from .shared import count_naming, uncertain_pointers


@dataclass
class Found:
    """What the search found. `remains`: what is left, in words. `mentions`: how many rows of a table contain a name
    that may be another's. `searched`: how much was looked through. `unsearched`: what could not be, and why."""

    remains: list[str] = field(default_factory=list)
    mentions: dict[str, int] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)


def search(tenant: Any, domains: list[str], *, in_texts: bool = True) -> Found:
    """Look for whatever is left of `tenant`, which has had these domains. Outside of transactions, in no tenant."""
    found = Found()
    found.remains += [f"{number} rows of {label}" for label, number in count_erased(tenant).items()]
    found.remains += [f"{number} rows of {label}" for label, number in count_naming(tenant).items()]
    found.remains += left_homes_of(tenant)
    if not keeps_rows():
        found.remains += homes_of(tenant)
    found.unsearched += uncertain_pointers()
    for store in stores():
        if store.takes_part("remains"):
            found.remains += store.remains(tenant)
        else:
            found.unsearched.append(f"store {store.name}: it has no remains()")
        found.unsearched += store.unsearched(tenant)
    if not in_texts:
        found.unsearched.append("texts of tables: it was not asked for")
    else:
        _search_texts(tenant, domains, found)
    return found


def _search_texts(tenant: Any, domains: list[str], found: Found) -> None:
    if connections[main_alias()].vendor != "postgresql":
        found.unsearched.append("texts of tables: that takes PostgreSQL")
        return
    names = {"slug": _word(tenant.slug)} | ({"domains": "|".join(map(_word, domains))} if domains else {})
    uid = f"{tenant.uid}|{tenant.uid.hex}"
    patterns, any_of = [uid, *names.values()], "|".join([uid, *map(_escaped, (tenant.slug, *domains))])
    searched: Counter[str] = Counter()
    mentions: Counter[str] = Counter()
    for alias in _databases(found):
        searched["databases"] += 1
        with Tables(alias, "public", is_shared=True).cursor() as cursor:
            cursor.execute(sql.ALL_TABLES)
            for schema, table, readable in cursor.fetchall():
                tables = Tables(alias, schema, is_shared=True)
                where = f"{schema}.{table}" if alias == main_alias() else f"{schema}.{table} in {alias}"
                if not readable:
                    found.unsearched.append(f"table {where}: the owner of the tables may not read it")
                    continue
                searched["tables"] += 1
                condition, given = _leaving_out(tables, table, tenant)
                statement = sql.texts(tables.full(table), len(patterns), condition)
                cursor.execute(statement, [*patterns, *given, any_of])
                left, *others = cursor.fetchone()
                if left:
                    found.remains.append(f"{left} rows of the table {where} that contain its uid")
                for name, number in zip(names, others, strict=True):
                    if number:
                        mentions[f"{name}: {where}"] += number
    found.searched, found.mentions = dict(searched), dict(mentions)


def _word(name: str) -> str:
    """A pattern for `name` as a word of its own."""
    return f"((^|[^a-z0-9-]){_escaped(name)}($|[^a-z0-9-]))"


def _escaped(name: str) -> str:
    """A pattern for `name`. What is no letter or digit is written so that it means itself."""
    return "".join(one if one.isalnum() and one.isascii() else f"\\U{ord(one):08x}" for one in name)


def _databases(found: Found) -> Iterator[str]:
    """The aliases of all databases in which tenants are."""
    yield main_alias()
    yield from shards()
    if not allows_databases():
        return
    for place in Place.objects.filter(isolation="database", state=PlaceState.TAKEN):
        alias = database_alias(place.uid, place.database)
        try:
            with Tables(alias, "public", is_shared=True).cursor():
                pass
        except OperationalError as error:
            found.unsearched.append(f"database {alias}: {' '.join(str(error).split())}")
            continue
        yield alias


def _leaving_out(tables: Tables, table: str, tenant: Any) -> tuple[str, list[Any]]:
    """A condition that leaves out what is known to stay: the tenant's row, its place and its jobs, and kept rows."""
    if tables.schema == "tenantkit" and keeps_rows():  # a home that stays is on record there
        return "position(%s IN t::text) = 0", [tenant.uid.hex]
    tenants: Any = get_tenant_model()
    own = {model._meta.db_table: column for model, column in _own(tenants)}
    for content in contents():
        if is_kept(content.label):
            own[content.table] = None if content.tenant is None else content.tenant.column
    if table not in own:
        return "true", []
    if (column := own[table]) is None:
        return ("false" if tenant.uid.hex in tables.schema else "true"), []
    if table == Place._meta.db_table:
        return "t.uid <> %s AND t.left_by IS DISTINCT FROM %s", [tenant.uid, tenant.uid]
    return f"t.{quoted(column)} IS DISTINCT FROM %s", [tenant.pk]


def _own(tenants: Any) -> list[tuple[Any, str | None]]:
    return [
        *((model, model._meta.pk.column) for model in (tenants, *tenants._meta.all_parents)),
        (Place, "uid"),
        (Job, Job._meta.get_field("tenant").column),
    ]
