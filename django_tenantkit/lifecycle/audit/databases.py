"""The databases of tenants: whether each is there, like the main one, of the tenant that it should be of, and whether
its copies are what they are copies of. Of the checks of tables, policies and privileges most run in each as well, see
`tenants.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from ...isolation.entries import allows_databases, database_name, left_database_name
from ...sql.audit_homes import NAMED, WRITERS
from ..homes import digest_of
from .evidence import Evidence
from .finding import NOTICE, WARNING, Check, Finding, ident
from .homes_evidence import PARTS

#: The cure for copies that are not what they should be.
PUSH = "manage.py push_copies --all"


class DatabaseUnread(Check):
    """The database of a tenant could not be looked at: it is not there, cannot be reached, or refuses the system."""

    id = "database.unread"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        return iter(())  # what is found where nothing can be asked: see `tenants.py`


class DatabaseUnplaced(Check):
    """A tenant has a database by its row, and no place that was taken: migrations pass it over."""

    id = "database.unplaced"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for row in evidence.homes.databases:
            if row.slug is not None and row.state not in ("taken", "leaving"):
                state = f"is {row.state}" if row.state else "does not exist"
                yield self.found(
                    row.uid,
                    f"The tenant {row.slug} lives in a database, and its place {state}.",
                    advice="Restore the row of the place: migrations go by places.",
                )


class DatabaseUnclaimed(Check):
    """A place with a database was taken, and no tenant has it."""

    id = "database.unclaimed"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for row in evidence.homes.databases:
            if row.state == "taken" and row.slug is None and not row.is_shard:
                yield self.found(
                    row.uid,
                    f"The place {row.uid} with its database was taken, and there is no tenant that has it.",
                    advice="A place is never used again: see what is in the database, and drop it.",
                )


class DatabaseLeftOver(Check):
    """A database of the main server is named like a tenant's, and belongs to no place."""

    id = "database.left-over"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.database is not None or not allows_databases():
            return
        known = {row.uid for row in evidence.homes.databases if row.state != "gone"}
        nobody = UUID(int=0)
        own = database_name(evidence.server.database, nobody)
        for pattern in (own, left_database_name(own, nobody)):
            prefix = pattern.removesuffix(nobody.hex)
            for row in evidence.reader.rows(NAMED, {"prefix": prefix}):
                if row.name.removeprefix(prefix) not in known:
                    yield self.found(
                        row.name,
                        f"The database {row.name} is named like a tenant's, and there is neither place nor tenant.",
                        advice=f"See what is in it. Then DROP DATABASE {ident(row.name)}.",
                    )


class DatabaseForeign(Check):
    """A tenant's database is another one's, or unfinished: it says for which place it was made."""

    id = "database.foreign"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if (home := evidence.database) is None or (mark := home.mark(evidence.reader)) == home.uid.hex:
            return
        said = "it is not finished" if mark is None else f"it was made for the place {mark}"
        yield self.found(
            evidence.server.database,
            f"This is not the database of {home.whose}: {said}.",
            advice="Restore the right one.",
        )


class DatabaseIncomplete(Check):
    """A tenant's database has not all the tables that the main one has for the models."""

    id = "database.incomplete"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        found = _compared(evidence)
        if lacking := sorted(f"{schema}.{name}" for schema, name in found[0] - found[1].keys()):
            yield self.found(
                evidence.server.database,
                f"It lacks {', '.join(lacking)}: what asks for them fails.",
                advice="Undo what was done by hand, or restore them from a backup.",
            )


class DatabaseExtra(Check):
    """A tenant's database has a table or a view that the main one has not."""

    id = "database.extra"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if (home := evidence.database) is None:
            return
        if extra := sorted(home.relations(evidence.reader).keys() - home.main.relations.keys()):
            listed = ", ".join(f"{schema}.{name}" for schema, name in extra)
            yield self.found(
                evidence.server.database,
                f"It also has {listed}, which no migration made for the main database.",
                advice="See what they are, and drop them or make a migration.",
            )


class DatabaseDiffers(Check):
    """A table of a tenant's database is not like the main one's: its columns, guard, constraints, indexes, triggers or
    privileges differ. Of tables of copies the last two are meant to."""

    id = "database.differs"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        wanted, there = _compared(evidence)
        for schema, name in sorted(wanted & there.keys()):
            assert evidence.database is not None
            main = evidence.database.main
            is_copy = schema == "public" and name in main.shared
            parts = [part for part in PARTS if not is_copy or part not in ("triggers", "privileges")]
            like, relation = main.relations[schema, name], there[schema, name]
            if differing := [part for part in parts if getattr(like, part) != getattr(relation, part)]:
                yield self.found(
                    f"{schema}.{name}",
                    f"{schema}.{name} has other {', '.join(differing)} than that of the main database.",
                    advice="Migrate it, or undo what was done by hand.",
                )


class DatabaseBehind(Check):
    """The migrations on record in a tenant's database are not those that its place says."""

    id = "database.migrations"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if (home := evidence.database) is None:
            return
        record = "SELECT app || '.' || name AS name FROM public.django_migrations"
        if digest_of([row.name for row in evidence.reader.rows(record)]) != home.migrations:
            yield self.found(
                "public.django_migrations",
                "Its migrations are not those that its place says: who goes by places passes it over.",
                "manage.py migrate",
            )


class DatabaseRows(Check):
    """The database of one tenant has rows of another, or one that waits for a tenant has rows."""

    id = "database.rows"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.database is not None and (tables := evidence.database.foreign(evidence)):
            yield self.found(
                evidence.server.database,
                f"It has rows that are not of that tenant, in {', '.join(tables)}.",
                advice="Nobody sees them. Move them to where their tenant lives, or delete them.",
            )


class CopyWritable(Check):
    """Somebody but the owner may write copies of shared rows, or what tells which rows are copied."""

    id = "copy.writable"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if not allows_databases():
            return
        copies = sorted(evidence.database.main.shared) if evidence.database is not None else []
        for row in evidence.reader.rows(WRITERS, {"copies": copies}):
            privileges = ", ".join(row.privileges)
            yield self.found(
                row.name,
                f"{row.grantee} may {privileges} on {row.name}, which only the owner writes.",
                f"REVOKE {privileges} ON {row.name} FROM {ident(row.grantee)};",
            )


class CopyTables(Check):
    """A tenant's database takes copies for other tables than those that are shared."""

    id = "copy.tables"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if (home := evidence.database) is None or home.mark(evidence.reader) is None:
            return
        if differing := sorted(home.listed(evidence.reader) ^ home.main.shared.keys()):
            yield self.found(
                "tenantkit.copied",
                f"It takes copies for other tables than those that are shared: {', '.join(differing)}.",
                "manage.py migrate",
            )


class CopyStale(Check):
    """Copies of shared rows are not what the main database has."""

    id = "copy.stale"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        if evidence.database is None:
            return
        for table, keys in evidence.database.stale(evidence.reader):
            yield self.found(
                table,
                f"{len(keys)} rows of {table} are not what the main database has: {', '.join(keys[:5])}.",
                PUSH,
                rows=tuple({"key": key} for key in keys[:5]),
            )


def _compared(evidence: Evidence) -> tuple[set[tuple[str, str]], dict[tuple[str, str], Any]]:
    """Which relations a tenant's database should have, and those that it has. Of what is shared only tables of models:
    others are the adopter's own."""
    if (home := evidence.database) is None:
        return set(), {}
    models = {name.strip('"') for name in evidence.expected.known}
    wanted = {(schema, name) for schema, name in home.main.relations if schema != "public" or name in models}
    return wanted, home.relations(evidence.reader)
