"""What the checks of homes look at. All homes are asked for together; their rows one home after another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from django.apps import apps

from ...conf import conf
from ...isolation.copied import common_models, common_table
from ...isolation.entries import allows_databases
from ...isolation.schema import schema_name
from ...sql import audit_homes as sql
from ...sql.homes import quoted
from ...sql.session import literal
from ..finished import REFERENCE
from .expected import quoted as as_named

#: In what a table of a home is compared with the one that row tenants share.
PARTS = ("kind", "columns", "guard", "constraints", "indexes", "triggers", "privileges")

_PLACES = '"django_tenantkit_place"'


class Home(NamedTuple):
    """A schema, the state of its place, the key and slug of its tenant, who may use it, and whether it is there."""

    schema: str
    state: str | None
    key: str | None
    slug: str | None
    open: bool | None
    usable: bool | None
    found: bool

    @property
    def whose(self) -> str:
        """Whose home it is, in words."""
        return f"the tenant {self.slug}" if self.slug is not None else f"a place that is {self.state or 'unknown'}"


def _put_together(schema: str, known: Any, there: Any) -> Home:
    state, key, slug = (None, None, None) if known is None else (known.state, known.key, known.slug)
    is_open, usable = (None, None) if there is None else (there.open, there.usable)
    return Home(schema, state, key, slug, is_open, usable, there is not None)


class Homes:
    """The homes of one audit, given its `Evidence`. None where no place could be, or the models have no tenants."""

    def __init__(self, evidence: Any) -> None:
        self.evidence = evidence
        self.row_schema = conf.ROW_SCHEMA or ""

    @cached_property
    def all(self) -> list[Home]:
        """What places, tenants and schemas say of homes, put together."""
        main = self._main
        if not self.row_schema or main.homes.tenants is None or _PLACES not in main.oids:
            return []
        table, key = main.homes.tenants
        statement = sql.HOMES.format(place=main.paths[_PLACES], tenant=table, key=key)
        known = {row.schema: row for row in main.reader.rows(statement, {"server": self.server})}
        application = {"application": self.evidence.roles.application}
        there = {row.schema: row for row in self.evidence.reader.rows(sql.SCHEMAS, application)}
        there.pop(schema_name(REFERENCE), None)
        return [_put_together(name, known.get(name), there.get(name)) for name in sorted({*known, *there})]

    @property
    def server(self) -> str:
        """Where these homes are."""
        return "" if self.evidence.database is None else str(self.evidence.database.server)

    @property
    def _main(self) -> Any:
        """The evidence of the main database, which knows places and tenants."""
        return self.evidence if self.evidence.database is None else self.evidence.database.main.evidence

    @cached_property
    def databases(self) -> list[Any]:
        """What places and tenants say of databases, put together."""
        is_main = self.evidence.database is None
        if not (is_main and allows_databases()) or self.tenants is None or _PLACES not in self.evidence.oids:
            return []
        table, key = self.tenants
        statement = sql.DATABASES.format(place=self.evidence.paths[_PLACES], tenant=table, key=key)
        return list(self.evidence.reader.rows(statement))

    @property
    def complete(self) -> list[Home]:
        """Those that are there and should have all tables."""
        return [home for home in self.all if home.found and (home.slug or home.state in ("ready", "taken"))]

    @cached_property
    def tenants(self) -> tuple[str, str] | None:
        """The table of tenants and the column of its key."""
        for table in self.evidence.expected.tables:
            for reference in table.references:
                if reference.to_tenant and reference.target in self.evidence.paths:
                    return self.evidence.paths[reference.target], as_named(reference.target_column)
        return None

    @cached_property
    def _relations(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        if self.all:
            for row in self.evidence.reader.rows(sql.RELATIONS, {"rows": self.row_schema, "whole": False}):
                found[row.schema][row.name] = row
        return found

    @property
    def shared(self) -> dict[str, Any]:
        """The relations of row tenants by name."""
        return self._relations[self.row_schema]

    def relations(self, home: Home) -> dict[str, Any]:
        """Those of a home by name."""
        return self._relations[home.schema]

    def behind(self) -> list[str]:
        """The relations of `public` that are named like one of the homes'."""
        if not self.all:
            return []
        names = {"names": sorted(self.shared)}
        return [row.name for row in self.evidence.reader.rows(sql.IN_PUBLIC, names)]

    def foreign(self, home: Home) -> list[str]:
        """The tables of a home with rows of others than its tenant."""
        return self._names(
            sql.FOREIGN.format(
                label=literal(name),
                table=f"{quoted(home.schema)}.{table.expected.name}",
                tenant=as_named(table.expected.tenant),
                key="NULL" if home.key is None else literal(home.key),
            )
            for name, table in self._tenant_tables
            if name in self.relations(home)
        )

    def stale(self, home: Home) -> list[str]:
        """The tables of a home whose rows of nobody are not those of where they are written. Tables with other columns
        are not compared, which is a finding of its own."""
        here, there = self.relations(home), self.shared
        return self._names(
            sql.OTHER_COMMON.format(
                label=literal(table.name),
                source=f"{quoted(table.schema)}.{quoted(table.name)}",
                table=f"{quoted(home.schema)}.{quoted(table.name)}",
                tenant=quoted(table.tenant_column),
            )
            for table in map(common_table, common_models(apps.get_models(include_auto_created=True)))
            if table.name in here and table.name in there and here[table.name].columns == there[table.name].columns
        )

    def left_behind(self) -> list[str]:
        """The tables that row tenants share with rows of others."""
        if self.tenants is None or self.evidence.database is not None or not (self.all or self.databases):
            return []  # beside the main database see `databases.DatabaseRows`
        tenants, key = self.tenants
        jobs = self.evidence.paths.get('"django_tenantkit_job"')
        is_moving = "false" if jobs is None else sql.OPEN_JOBS.format(table=jobs, key=key)
        return self._names(
            sql.LEFT_BEHIND.format(
                label=literal(name),
                table=table.name,
                tenant=as_named(table.expected.tenant),
                key=key,
                tenants=tenants,
                place=self.evidence.paths[_PLACES],
                jobs=is_moving,
            )
            for name, table in self._tenant_tables
        )

    @cached_property
    def _tenant_tables(self) -> list[tuple[str, Any]]:
        return [(table.expected.name.strip('"'), table) for table in self.evidence.tenant_tables]

    def _names(self, statements: Iterable[str]) -> list[str]:
        text = " UNION ALL ".join(statements)
        return sorted(row.name for row in self.evidence.reader.rows(text)) if text else []
