"""Keys of rows on their way in: kept where they are free, otherwise new ones, through every reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models.fields import NOT_PROVIDED

from ...exceptions import ArchiveRefused
from ...sql import archives as sql
from ...sql.session import literal
from . import naming
from .files import kind_of_files
from .spots import Spot
from .tables import Column, Ground, Table, generic_columns, key_kind, kind_of

#: What keys of any model are called together with the content type's, as generic references have them.
GENERIC = "*"

#: Of whole numbers no more than half are kept: an archive with a great key would use up everybody's sequence.
_MOST = {"smallint": 1 << 14, "integer": 1 << 30, "bigint": 1 << 62}


class Keys:
    """The keys that change, in a temporary table of each database that rows go to."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.kinds: set[str] = set()
        self._connections: list[Any] = [
            spot.connection for spot in {ground.home.alias: ground.home, ground.main.alias: ground.main}.values()
        ]

    def make(self) -> None:
        """Make the tables."""
        for connection in self._connections:
            with connection.cursor() as cursor:
                cursor.execute(sql.KEYS)

    def put(self, kind: str, keys: Mapping[str, str]) -> None:
        """Note what keys become."""
        if not keys:
            return
        self.kinds.add(kind)
        for connection in self._connections:
            with connection.cursor() as cursor:
                cursor.execute(sql.PUT_KEYS, [kind, list(keys), list(keys.values())])

    def find_taken(self, place: int, table: Table, *, remap: bool) -> tuple[int, int]:
        """Give new keys to the rows of a table whose keys are taken, or to all. Returns how many, and how many rows
        the tenant itself has under the same keys."""
        column = table.columns[table.key]
        if column.field.remote_field is not None:
            return 0, 0  # the key is that of the row that it refers to
        name, staged = table.name, sql.staging(place)
        with table.spot.connection.cursor() as cursor:
            self._advance(cursor, place, table, column)
            key = sql.KeyColumn(column.name, column.type)
            cursor.execute(sql.taken_by_tenant(name, staged, key, table.condition_on("t", self._key)))
            own = cursor.fetchone()[0] if not remap else 0
            if table.tenant is None and not remap:
                return 0, own
            condition = "true" if remap else self._is_taken(table, column)
            cursor.execute(sql.any_key(name, staged, key, condition))
            if not cursor.fetchone()[0]:
                return 0, own
            kind = key_kind(table.content.model)
            new = self._new_key(cursor, table, column)
            cursor.execute(sql.new_keys(kind, name, staged, key, condition, new))
            self.kinds.add(kind)
            return cursor.rowcount, own

    @property
    def _key(self) -> Any:
        return self.ground.tenant.pk

    def _is_taken(self, table: Table, column: Column) -> str:
        assert table.tenant is not None
        taken = sql.is_anothers(table.tenant, self._key)
        most = _MOST.get(column.type)
        return taken if most is None else f"({taken} OR s.key > {most})"

    def _new_key(self, cursor: Any, table: Table, column: Column) -> str:
        if isinstance(column.field, models.UUIDField):
            return "gen_random_uuid()"
        cursor.execute(sql.SEQUENCE, [table.name, column.name])
        if column.type in _MOST and (sequence := cursor.fetchone()[0]) is not None:
            return f"nextval({literal(sequence)})"
        raise ArchiveRefused(
            f"Keys of {table.label} are taken here, and nobody makes new ones: {column.name} is {column.type}, without "
            "a sequence."
        )

    def _advance(self, cursor: Any, place: int, table: Table, column: Column) -> None:
        """Move the sequence behind the archive's keys, before new ones are asked for."""
        if (most := _MOST.get(column.type)) is None:
            return
        cursor.execute(sql.SEQUENCE, [table.name, column.name])
        if (sequence := cursor.fetchone()[0]) is None:
            return
        cursor.execute(sql.greatest_key(sql.staging(place), sql.KeyColumn(column.name, column.type), most))
        if (greatest := cursor.fetchone()[0]) is not None and greatest > 0:
            cursor.execute(sql.ADVANCE, [sequence, greatest])

    def add_generic(self, kinds: Mapping[str, Any]) -> None:
        """Note what generic references become. `kinds` are models by the content type's key in the archive."""
        for key, model in kinds.items():
            if (kind := key_kind(model)) in self.kinds:
                self.kinds.add(GENERIC)
                for connection in self._connections:
                    with connection.cursor() as cursor:
                        cursor.execute(sql.PUT_GENERIC, {"generic": GENERIC, "type": key, "kind": kind})

    def columns(self, table: Table, given: Mapping[str, Any]) -> list[str]:
        """The columns that are written, without the tenant's: those of the archive, and those that have a default."""
        return [
            name
            for name, column in table.columns.items()
            if name in given["columns"] or column.field.db_default is NOT_PROVIDED
        ]

    def insertion(
        self, place: int, table: Table, given: Mapping[str, Any], overrides: Mapping[str, str]
    ) -> sql.Insertion:
        """How rows of a table come out of its lines."""
        references = {one.column: one for one in table.references}
        generics = {key: kind for kind, key in generic_columns(table.content)}
        insertion = sql.Insertion(table.name, sql.staging(place), table.key, list(given["columns"]))
        for column in table.columns.values():
            if column.name in overrides:
                insertion.add(column.name, overrides[column.name])
            elif column.name not in given["columns"]:
                self._add_default(insertion, table.spot, column)
            else:
                kind, must = self._kind(table, column, references.get(column.name))
                insertion.add_given(
                    sql.Given(
                        column.name,
                        column.type,
                        column.as_text,
                        kind,
                        must,
                        generics.get(column.name, "") if GENERIC in self.kinds else "",
                    )
                )
        if table.tenant is not None:
            insertion.add(table.tenant, literal(str(self._key)))
        return insertion

    def _kind(self, table: Table, column: Column, reference: Any) -> tuple[str, bool]:
        """Which keys a column holds, if any of those change; and whether each has to be known."""
        if isinstance(column.field, models.FileField):
            kind = kind_of_files(table.label, column.field)
            return (kind, True) if kind in self.kinds else ("", False)
        if reference is None:
            kind = key_kind(table.content.model) if column.name == table.key else ""
            return (kind if kind in self.kinds else ""), False
        if naming.is_named(reference.target):
            return kind_of(reference.target, reference.target_column), True
        is_key = reference.target_column == reference.target._meta.pk.column
        kind = key_kind(reference.target) if is_key else kind_of(reference.target, reference.target_column)
        return (kind if kind in self.kinds else ""), False

    def _add_default(self, insertion: sql.Insertion, spot: Spot, column: Column) -> None:
        """A column that the archive has not: what a migration that adds it gives to rows that are there."""
        field = column.field
        if field.db_default is not NOT_PROVIDED:
            return
        if isinstance(field, models.UUIDField) and callable(field.default):
            insertion.add(column.name, "gen_random_uuid()")
            return
        value = field.get_db_prep_save(field.get_default(), spot.connection)
        insertion.add(column.name, f"({spot.connection.ops.compose_sql('%s', [value])})::{column.type}")
