"""Keys that are taken where a tenant moves to: found, and on request replaced through every reference to them.

Only tables that row tenants share can have them. A key that is free is kept. New ones come from the sequence of the
table, or are random where keys are UUIDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models

from ...exceptions import MoveRefused
from ...registry import lives_at_home
from ...sql import moving as sql
from ...sql import remapping as keys_sql
from ...sql.homes import quoted
from ...sql.session import literal
from ..contents import Content, contents
from .sides import Side
from .transfer import Change, Transfer


class Keys:
    """The keys of a tenant's rows that somebody else has at the target. In transactions that are open on both sides:
    what it finds is in temporary tables, which end with them; or with `kept`, for the tenant of that uid, in tables
    that stay. `looked_at` narrows the search to the rows with some keys, by table; what was kept before counts in any
    case."""

    def __init__(
        self,
        source: Side,
        target: Side,
        key: str,
        *,
        kept: UUID | None = None,
        looked_at: dict[str, list[str]] | None = None,
    ) -> None:
        self.source, self.target, self.kept = source, target, kept
        self.transfer = Transfer(source, target, key)
        self.taken: dict[str, int] = {}
        self._maps: dict[Any, str] = {}
        if target.spot.is_shared:
            for content, copied in self.transfer.tables:
                if root_of(content.model) is content.model:
                    self._find(content, copied, None if looked_at is None else looked_at.get(content.table, []))

    def refuse(self) -> None:
        """Raise `MoveRefused` if there are any that something could refer to: rows of automatic many-to-many tables
        get new ones in any case."""
        seen = [model._meta.label for model in self._maps if not model._meta.auto_created]
        if seen:
            found = ", ".join(f"{self.taken[label]} of {label}" for label in seen)
            raise MoveRefused(
                f"Rows of other tenants have the primary keys of {found} where the tenant moves to. Say --remap, and "
                "these rows get new keys, with all that refers to them; addresses that contain the old ones end."
            )

    def refuse_values(self) -> None:
        """Raise `MoveRefused` where values are taken that are unique among all tenants."""
        found = [name for table, name, columns in self._unique() if self._is_taken(table, columns)]
        if found:
            raise MoveRefused(
                f"Rows of other tenants have the same values in {', '.join(found)}, which are unique among all tenants "
                "that share tables. Change the values, or make them unique within the tenant."
            )

    def changes(self) -> dict[str, Change]:
        """How rows change, by table: with new keys for those that are taken."""
        for model, name in self._maps.items():
            self._give_new(model, name)
        return {content.table: self._change(content) for content in contents()} if self._maps else {}

    def _find(self, content: Content, copied: sql.Copied, some: list[str] | None) -> None:
        column = self.target.column(content.table, content.key.column)
        name = self._name(content.table)
        self.target.raw.execute(keys_sql.make(name, column.type))
        if some is not None:
            copied = self.transfer.narrowed(content, copied, some)
        if some is None or some:
            own = self._at_target(keys_sql.temporary(f"{content.table} own"), copied, [column.name])
            self.target.raw.execute(keys_sql.find(name, own, copied, quoted(column.name)))
        if rows := self.target.ask(f"SELECT count(*) FROM {name}")[0][0]:
            self.taken[content.label] = rows
            self._maps[content.model] = name

    def _name(self, table: str) -> str:
        return keys_sql.temporary(table) if self.kept is None else keys_sql.kept(self.kept, table)

    def _at_source(self, table: str) -> str:
        """The same table of keys, where the source is."""
        return self._name(table) if self.source.raw is self.target.raw else keys_sql.temporary(table)

    def _at_target(self, name: str, copied: sql.Copied, columns: Sequence[str]) -> str:
        """What stands behind FROM at the target for some columns of the tenant's rows at the source."""
        names = ", ".join(map(quoted, columns))
        select = f"SELECT {', '.join(f's.{quoted(column)}' for column in columns)} FROM {copied.source}"
        if self.source.raw is self.target.raw:
            return f"({select})"
        make = f"CREATE TEMP TABLE {_bare(name)} ON COMMIT DROP AS SELECT {names} FROM {copied.target} WITH NO DATA"
        self.target.raw.execute(make)
        _pipe(self.source.raw, f"COPY ({select}) TO STDOUT", self.target.raw, f"COPY {name} FROM STDIN")
        return name

    def _unique(self) -> Iterable[tuple[str, str, list[str]]]:
        """Unique indexes without the tenant: table, name, columns. Those of references are as unique as the keys."""
        if not self.target.spot.is_shared:
            return
        by_table = {content.table: content for content in contents()}
        given = {"schema": quoted(self.target.spot.schema), "tables": list(by_table)}
        for table, name, columns in self.target.ask(sql.UNIQUE, given):
            content = by_table[table]
            follow = {content.key.column, *(one.column for one in content.references if one.is_at_home)}
            tenant = content.tenant.column if content.tenant else None
            if tenant not in columns and follow.isdisjoint(columns):
                yield table, name, columns

    def _is_taken(self, table: str, columns: list[str]) -> bool:
        copied = next(copied for content, copied in self.transfer.tables if content.table == table)
        own = self._at_target(f"pg_temp.tenantkit_values_{abs(hash((table, *columns)))}", copied, columns)
        same = " AND ".join(f"t.{quoted(column)} = own.{quoted(column)}" for column in columns)
        query = f"SELECT EXISTS (SELECT FROM {own} AS own JOIN {copied.target} AS t ON {same} WHERE NOT {copied.among})"
        return bool(self.target.ask(query)[0][0])

    def _give_new(self, model: Any, name: str) -> None:
        content, copied = next(found for found in self.transfer.tables if found[0].model is model)
        column = self.target.column(content.table, content.key.column)
        raw = self.target.raw
        if column.sequence is not None:
            greatest = self.source.ask(f"SELECT max(s.{quoted(column.name)}) FROM {copied.source}")[0][0]
            if greatest is not None:
                raw.execute(sql.advance(column.sequence, greatest))
            new = f"nextval({literal(column.sequence)})::{column.type}"
        elif column.type == "uuid":
            new = "gen_random_uuid()"
        else:
            raise MoveRefused(
                f"{content.label} has keys of the type {column.type} that are taken, and nothing makes new ones. "
                "Change them before."
            )
        raw.execute(keys_sql.give(name, new))
        there = self._at_source(content.table)
        if self.source.raw is not raw:
            self.source.raw.execute(keys_sql.make(there, column.type))
            _pipe(raw, f"COPY {name} TO STDOUT", self.source.raw, f"COPY {there} FROM STDIN")
        self.source.raw.execute(f"ANALYZE {there}")

    def _change(self, content: Content) -> Change:
        columns: dict[str, str] = {}
        joins: list[str] = []
        follow = {content.key.column: content.model}
        follow.update(
            {
                one.column: one.target
                for one in content.references
                if one.is_at_home and one.target_column == one.target._meta.pk.column
            }
        )
        for name, target in follow.items():
            if (root := root_of(target)) in self._maps:
                alias, column = f"k{len(joins)}", f"s.{quoted(name)}"
                joins.append(f" LEFT JOIN {self._at_source(root._meta.db_table)} AS {alias} ON {alias}.old = {column}")
                columns[name] = f"coalesce({alias}.new, {column})"
        for generic in content.generics:
            self._change_generic(content, generic, columns, joins)
        return Change(columns, "".join(joins), self._maps.get(root_of(content.model), ""))

    def _change_generic(self, content: Content, generic: Any, columns: dict[str, str], joins: list[str]) -> None:
        meta = content.model._meta
        kind, number = (meta.get_field(name).column for name in (generic.ct_field, generic.fk_field))
        if kind not in content.columns or number not in content.columns:  # a parent's
            return
        column = f"s.{quoted(number)}"
        found = []
        for root in self._maps:
            if kinds := self._kinds(root, meta.get_field(generic.ct_field).remote_field.model):
                alias = f"k{len(joins)}"
                listed = ", ".join(map(str, kinds))
                condition = f"s.{quoted(kind)} IN ({listed}) AND {alias}.old::text = {column}::text"
                joins.append(f" LEFT JOIN {self._at_source(root._meta.db_table)} AS {alias} ON {condition}")
                found.append(f"{alias}.new::text")
        if found:
            kind_of = next(one.type for one in self.source.columns[content.table] if one.name == number)
            columns[number] = f"coalesce({', '.join(found)}, {column}::text)::{kind_of}"

    def _kinds(self, root: Any, types: Any) -> list[int]:
        """The keys of the content types of `root` and of what shares its keys: children and proxies."""
        labels = {
            (model._meta.app_label, str(model._meta.model_name))
            for model in apps.get_models()
            if lives_at_home(model) and root_of(model) is root
        }
        rows = self.source.ask(f"SELECT id, app_label, model FROM public.{quoted(types._meta.db_table)}")
        return [key for key, *label in rows if tuple(label) in labels]


def forget_keys(main: Any, uid: Any) -> None:
    """Which rows got new keys is not known any more."""
    for (name,) in main.execute(keys_sql.FIND_KEPT, [keys_sql.prefix(uid)]).fetchall():
        main.execute(f"DROP TABLE {name}")


def root_of(model: Any) -> Any:
    """The model that gives rows their keys: the uppermost parent, where the key is a reference to one."""
    model = model._meta.concrete_model
    while isinstance(model._meta.pk, models.ForeignKey) and lives_at_home(model._meta.pk.remote_field.model):
        model = model._meta.pk.remote_field.model._meta.concrete_model
    return model


def _bare(name: str) -> str:
    return name.removeprefix("pg_temp.")


def _pipe(source: Any, out: str, target: Any, into: str) -> None:
    with source.cursor() as reader, target.cursor() as writer, reader.copy(out) as rows, writer.copy(into) as taken:
        for block in rows:
            taken.write(block)
