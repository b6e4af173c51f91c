"""The rows of a finished schema, which its migrations put there, and the positions of its sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...exceptions import SnapshotRefused
from ...sql import catalog
from ...sql.session import literal
from .building import Plan, Stage
from .text import TENANT, Part, value

#: How many rows one INSERT has.
_BATCH = 1000


class Rows:
    """The rows of all tables. `tenant_columns` says by table in which column its tenant is; rows there belong to
    `tenant`, the reference's, and will belong to the new one."""

    def __init__(self, plan: Plan, tenant_columns: Mapping[str, str], tenant: Any) -> None:
        self.plan = plan
        self.world = plan.world
        self.tenant = None if tenant is None else str(tenant)
        self.tenant_columns = {_quoted_or_not(table): column for table, column in tenant_columns.items()}
        #: The INSERTs, by what stands for them in the plan.
        self.inserts: dict[str, list[Part]] = {}

    def add(self, relations: Iterable[Any], columns: Mapping[int, list[Any]]) -> None:
        """Add an INSERT for each table that has rows. Raises `SnapshotRefused` where policies could hide some."""
        tables = [row for row in relations if row.kind == "r"]
        if hidden := self.world.rows(catalog.HIDDEN):
            raise SnapshotRefused(
                f"Policies may hide rows of {hidden[0][0]} from whoever reads it here. Read the schema as the owner "
                "with a policy that shows it all rows, or as a superuser."
            )
        for place in self._filled(tables):
            row = tables[place]
            given = [column for column in columns.get(row.oid, ()) if not column.generated]
            for batch, parts in enumerate(self._inserts(row, given)):
                marker = f"{row.oid}.{batch}"
                self.inserts[marker] = parts
                node = self.plan.make(("rows", row.oid), Stage.ROWS, f"{row.name}.{batch:06}", marker)
                node.after = {("pg_class", row.oid), *((("partition", row.oid),) if row.is_partition else ())}

    def _filled(self, tables: list[Any]) -> list[int]:
        branches = [catalog.HAS_ROWS.format(place=place, table=_percent(row.name)) for place, row in enumerate(tables)]
        return sorted(row.place for row in self._together(branches))

    def _together(self, branches: list[str]) -> list[Any]:
        return self.world.ask(" UNION ALL ".join(branches), {}) if branches else []

    def _inserts(self, row: Any, columns: list[Any]) -> Iterator[list[Part]]:
        if not columns:
            raise SnapshotRefused(f"The table {row.name} has rows without columns.")
        casts = ", ".join(f"{_percent(column.name)}::text" for column in columns)
        self.world.cursor.execute(catalog.ROWS.format(columns=casts, table=_percent(row.name)), {})
        found = self.world.cursor.fetchall()
        tenant = self._tenant_place(row, columns)
        names = ", ".join(column.name for column in columns)
        for start in range(0, len(found), _BATCH):
            parts: list[Part] = [f"INSERT INTO {row.name} ({names}) OVERRIDING SYSTEM VALUE VALUES "]
            for place, cells in enumerate(found[start : start + _BATCH]):
                parts.append(", (" if place else "(")
                parts += self._cells(row, cells, tenant)
                parts.append(")")
            yield parts

    def _tenant_place(self, row: Any, columns: list[Any]) -> int | None:
        """The place of the tenant's column."""
        column = self.tenant_columns.get(_quoted_or_not(row.name))
        names = [_quoted_or_not(column.name) for column in columns]
        return None if column is None else names.index(_quoted_or_not(column))

    def _cells(self, row: Any, cells: Iterable[str | None], tenant: int | None) -> Iterator[Part]:
        for place, cell in enumerate(cells):
            if place:
                yield ", "
            if cell is None:
                yield "NULL"
            elif place == tenant:
                if cell != self.tenant:
                    raise SnapshotRefused(f"The table {row.name} has rows of the tenant {cell}, not of {self.tenant}.")
                yield TENANT
            else:
                yield value(cell, self.world.schema)

    def positions(self) -> str:
        """The statement that moves sequences to where they are; empty where all are at their start."""
        found = self.world.rows(catalog.SEQUENCES)
        branches = [
            catalog.POSITION.format(place=place, sequence=_percent(row.name)) for place, row in enumerate(found)
        ]
        calls = [
            f"setval({literal(found[row.place].name)}, {row.value}, {str(row.called).lower()})"
            for row in sorted(self._together(branches))
            if row.called or row.value != found[row.place].start
        ]
        return f"SELECT {', '.join(calls)}" if calls else ""


def _percent(text: str) -> str:
    """A name inside of a statement with parameters."""
    return text.replace("%", "%%")


def _quoted_or_not(name: str) -> str:
    """A name as it is, whether it was given in quotes or without."""
    return name[1:-1].replace('""', '"') if name.startswith('"') and name.endswith('"') and len(name) > 1 else name
