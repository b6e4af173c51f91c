"""Two schemas compared, to the last column of the last row that the catalogs have about them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ...sql import facts as sql
from ...sql.catalog import SEQUENCES
from .text import without_name
from .world import Cursor, World, reading

#: In place of the schema's name.
_PLACEHOLDER = "SCHEMA"


def differences(cursor: Cursor, one: str, other: str) -> list[str]:
    """What the catalogs have about one of two schemas and not about the other, a line for each row of a catalog,
    with the schemas' names taken out; empty if they are the same. Rows of tables and positions of sequences are
    not compared. Runs in the transaction that is open. Raises `SnapshotRefused` where there is no such schema."""
    first, second = Counter(facts(cursor, one)), Counter(facts(cursor, other))
    return [
        *(f"only in {one}: {line}" for line in sorted((first - second).elements())),
        *(f"only in {other}: {line}" for line in sorted((second - first).elements())),
    ]


def fingerprint(cursor: Cursor, schema: str) -> str:
    """A digest that two schemas share if `differences()` finds none."""
    return hashlib.sha256("\n".join(facts(cursor, schema)).encode()).hexdigest()


def facts(cursor: Cursor, schema: str) -> list[str]:
    """The rows that the catalogs have about a schema, sorted: without oids, and without its name."""
    with reading(cursor, schema):
        return sorted(_facts(World(cursor, schema)))


def _facts(world: World) -> Iterator[str]:
    rows = [*_rows(world)]
    references = {(row.catalog, row.column): row for row in world.ask(sql.REFERENCES, {"names": list(sql.CATALOGS)})}
    names = _names(world, rows, references)

    def told(name: str, column: str, value: Any) -> Any:
        reference = references.get((name, column))
        if reference is None or not (oids := _oids(value)):
            return _without(world, value)  # a function's oid can come as its name
        return [names.get((reference.target, oid), "") for oid in oids]

    for name, row, printed in rows:
        left_out = {"oid", *sql.CATALOGS[name].without}
        said = {column: told(name, column, value) for column, value in row.items() if column not in left_out}
        yield f"{name}: {_without(world, printed)} {json.dumps(said, sort_keys=True, ensure_ascii=False)}"
    for row in world.rows(SEQUENCES):
        table = world.members["pg_class", row.table].identity if row.table else None
        yield _without(world, f"pg_depend: {row.name} {row.how} {table} {row.column}")


def _rows(world: World) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each row with the name of its catalog and what PostgreSQL prints of it."""
    for name, catalog in sql.CATALOGS.items():
        query = sql.ROWS.format(prints=catalog.prints, catalog=name, rows=catalog.rows)
        for row in world.rows(query):
            yield name, json.loads(row.row), row.printed


def _names(world: World, rows: list[Any], references: Mapping[Any, Any]) -> dict[Any, str]:
    """What the objects are called that rows refer to, by catalog and oid."""
    wanted = {
        (reference.target, oid)
        for name, row, _ in rows
        for column, value in row.items()
        if (reference := references.get((name, column))) is not None
        for oid in _oids(value)
    }
    given = sorted(wanted)
    found = world.ask(sql.NAMES, {"catalogs": [key[0] for key in given], "oids": [key[1] for key in given]})
    return {(row.catalog, row.oid): _without(world, row.name) for row in found}


def _oids(value: Any) -> list[int]:
    """The oids in a value, which JSON has as texts."""
    values = value if isinstance(value, list) else str(value).split()
    return [int(oid) for oid in values if str(oid).isdigit()]


def _without(world: World, value: Any) -> Any:
    if isinstance(value, list):
        return [_without(world, item) for item in value]
    return without_name(value, world.schema, _PLACEHOLDER) if isinstance(value, str) else value
