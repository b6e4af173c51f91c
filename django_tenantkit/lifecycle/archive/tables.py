"""The tables of an archive: what is read from each, what its columns are, what they refer to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

from ...models import Job
from ...sql import archives as sql
from ...sql.homes import quoted
from ..contents import Content, Reference, content_of, contents, records
from .naming import LEFT_OUT, NAMED
from .spots import Spot, home_spot, main_spot, spot_of


@dataclass(frozen=True)
class Column:
    """A column: `type` as PostgreSQL writes it; `as_text` where JSON would lose something of it."""

    name: str
    type: str
    as_text: bool
    field: Any

    @property
    def expression(self) -> str:
        """What is read of it."""
        name = f"t.{quoted(self.name)}"
        return f"{name}::text" if self.as_text else name


@dataclass(frozen=True)
class Table:
    """A table in one place. `part` is where it is in the archive: "data", or "records" for shared tables with rows
    about the tenant. `tenant` is the name of the tenant's column, or None."""

    content: Content
    spot: Spot
    part: str
    tenant: str | None

    @property
    def label(self) -> str:
        """The name of its model."""
        return self.content.label

    @property
    def name(self) -> str:
        """Its full name, quoted."""
        return self.spot.table(self.content.model)

    @property
    def key(self) -> str:
        """The column of the primary key."""
        return str(self.content.key.column)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Its columns by name, without the tenant's, as the database has them."""
        fields = {field.column: field for field in self.content.fields}
        with self.spot.connection.cursor() as cursor:
            cursor.execute(sql.COLUMNS, [self.name])
            found = [Column(name, kind, not plain, fields[name]) for name, kind, plain in cursor if name in fields]
        return {column.name: column for column in found if column.name != self.tenant}

    @property
    def references(self) -> tuple[Reference, ...]:
        """Its references to rows, without the tenant's column."""
        return tuple(one for one in self.content.references if one.column != self.tenant)

    def condition(self, key: Any) -> str:
        """Which rows are the tenant's."""
        return "true" if self.tenant is None else sql.is_tenants(self.tenant, key)

    def condition_on(self, name: str, key: Any) -> str:
        """The same of rows by another name."""
        return "true" if self.tenant is None else f"{name}.{sql.is_tenants(self.tenant, key)}"

    def described(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "key": self.key,
            "columns": {column.name: column.type for column in self.columns.values()},
            "as_text": [column.name for column in self.columns.values() if column.as_text],
        }


def tables(home: Spot, main: Spot) -> list[Table]:
    """All tables with rows of a tenant, those of its home first; a table behind those that it refers to."""
    found = [
        Table(one, home, "data", None if one.tenant is None else str(one.tenant.column))
        for one in contents()
        if one.label not in NAMED and one.label not in LEFT_OUT
    ]
    about = [
        Table(content_of(model), main, "records", str(field.column)) for model, field in records() if model is not Job
    ]
    return found + about


def key_kind(model: Any) -> str:
    """The kind of a model's primary keys: those of a child in multi-table inheritance are its parent's."""
    key = model._meta.concrete_model._meta.pk
    while key.remote_field is not None and key.remote_field.parent_link:
        key = key.target_field
    return kind_of(key.model, key.column)


def kind_of(model: Any, column: str) -> str:
    """What stands for keys of a model by a column, where keys of several are kept."""
    return f"{model._meta.label}.{column}"


def generic_columns(content: Content) -> Iterable[tuple[str, str]]:
    """The pairs of columns by which a table refers to rows of any model: the content type's and the key's."""
    fields = {field.name: field for field in content.fields}
    return [
        (fields[one.ct_field].column, fields[one.fk_field].column)
        for one in content.generics
        if one.ct_field in fields and one.fk_field in fields
    ]


class Ground:
    """Where the rows of a tenant are. `alias` is that of the main database: another one for what was restored from
    a backup."""

    def __init__(self, tenant: Any, alias: str = "") -> None:
        self.tenant = tenant
        self.home: Spot = home_spot(tenant)
        self.main = main_spot()
        if alias:
            self.main = main_spot(alias)
            self.home = Spot(alias, self.home.schema)
        self.tables = tables(self.home, self.main)
        #: Of when rows are that are read from here; None for a backup, which does not say.
        self.at = None if alias else timezone.now()

    def spot(self, model: Any) -> Spot:
        """Where rows of a model are."""
        return spot_of(model, self.home, self.main)
