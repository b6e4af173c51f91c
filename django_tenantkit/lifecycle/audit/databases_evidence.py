"""What the checks of tenants' databases look at: the place, and what the main database has in comparison."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps

from ...conf import conf
from ...isolation.copied import common_models, common_table, is_whole
from ...sql import audit_homes as sql
from ...sql.homes import PLACE_OF, quoted
from ...sql.session import literal
from ..databases import shared_models
from .expected import quoted as as_named
from .reader import Reader

#: How many copies are compared at a time.
BATCH = 5_000

#: A relation by its schema and its name.
Named = tuple[str, str]


class MainDatabase:
    """What of the main database those of tenants are compared with, given the evidence of it."""

    def __init__(self, evidence: Any) -> None:
        self.evidence = evidence
        self.reader: Reader = evidence.reader
        self.shared = {model._meta.db_table: model for model in shared_models()}

    @cached_property
    def relations(self) -> dict[Named, Any]:
        """Its relations, those of row tenants and the shared ones."""
        return relations_of(self.reader)


class TenantDatabase:
    """One tenant's database: its place's uid and record of migrations, its tenant's key and slug (None where it is
    free, and for a shard), and the main one."""

    def __init__(self, row: Any, main: MainDatabase) -> None:
        self.uid = UUID(row.uid)
        self.server: str = row.server
        self.migrations: str = row.migrations or ""
        self.key: str | None = row.key
        self.slug: str | None = row.slug
        self.is_shard: bool = row.is_shard
        self.main = main

    @property
    def whose(self) -> str:
        """Whose it is, in words."""
        if self.is_shard:
            return f"the shard {self.server}"
        return f"the tenant {self.slug}" if self.slug is not None else f"the place {self.uid.hex}, which waits for one"

    def mark(self, reader: Reader) -> str | None:
        """For which place it says that it was made."""
        there = reader.rows("SELECT to_regclass('tenantkit.home') IS NOT NULL AS found")[0].found
        found = reader.rows(PLACE_OF) if there else []
        return found[0].uid if len(found) == 1 else None

    def listed(self, reader: Reader) -> set[str]:
        """The tables that it takes copies for."""
        return {row.name for row in reader.rows("SELECT name FROM tenantkit.copied")}

    def foreign(self, evidence: Any) -> list[str]:
        """The tables with rows of another tenant; with any, where it waits for one."""
        statements = [
            sql.FOREIGN.format(
                label=literal(table.name),
                table=table.name,
                tenant=as_named(table.expected.tenant),
                key="NULL" if self.key is None else literal(self.key),
            )
            for table in evidence.tenant_tables
        ]
        text = " UNION ALL ".join(statements)
        return sorted(row.name for row in evidence.reader.rows(text)) if text else []

    def stale(self, reader: Reader) -> Iterator[tuple[str, list[str]]]:
        """The tables with copies that are not what the main database has, and their keys. What is not copied as a whole
        is compared a few thousand rows at a time."""
        there = self.relations(reader)
        for schema, table, model, whole, condition in self._copied():
            ours, theirs = there.get((schema, table)), self.main.relations.get((schema, table))
            if ours is None or theirs is None or ours.columns != theirs.columns:
                continue  # which is a finding of its own
            name = f"{quoted(schema)}.{quoted(table)}"
            key = quoted(model._meta.pk.column)
            statement = sql.COPIES.format(label=literal(table), table=name, key=key, condition=condition)
            copies = _digests(reader, statement, None)
            originals: dict[str, str] = {}
            if whole:
                originals = _digests(self.main.reader, statement, None)
            else:
                keys = sorted(copies)
                for start in range(0, len(keys), BATCH):
                    originals |= _digests(self.main.reader, statement, keys[start : start + BATCH])
            if differing := {key for key, _ in copies.items() ^ originals.items()}:
                yield f"{schema}.{table}", sorted(differing)

    def _copied(self) -> Iterator[tuple[str, str, Any, bool, str]]:
        """What copies there are: schema, table and model, whether of all rows, and of which."""
        for table, model in sorted(self.main.shared.items()):
            yield "public", table, model, is_whole(model), "true"
        for model in common_models(apps.get_models(include_auto_created=True)):
            at = common_table(model)
            yield at.schema, at.name, model, True, f"{quoted(at.tenant_column)} IS NULL"

    @staticmethod
    def relations(reader: Reader) -> dict[Named, Any]:
        """Its relations."""
        return relations_of(reader)


def relations_of(reader: Reader) -> dict[Named, Any]:
    """The relations of a database, those of row tenants and the shared ones, by schema and name."""
    wanted = {"rows": conf.ROW_SCHEMA or "public", "whole": True}
    return {(row.schema, row.name): row for row in reader.rows(sql.RELATIONS, wanted)}


def _digests(reader: Reader, statement: str, keys: list[str] | None) -> dict[str, str]:
    with reader.transaction():
        reader.rows("SELECT set_config('timezone', 'UTC', true)")
        return {row.key: row.digest for row in reader.rows(statement, {"keys": keys})}
