"""Two tenants whose rows are committed, what the owner of the tables sees of them, and how a way is judged.

A way runs as the application's role with Django's own operations and compilers, so nothing of the ORM's scoping
is left, and is committed: references are checked then. It is compared with the same way as an operator in a
database where the other tenant has no rows, which is plain Django: whatever differs is a leak or a fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db import DatabaseError, connection, connections, transaction

from django_tenantkit import tenant_context
from django_tenantkit.conf import conf
from django_tenantkit.exceptions import TenantkitError
from tests.isolation.world import APART, World, atoms, plain

from .spots import (
    LATER_KEYS,
    LOGICAL,
    OTHER_TABLES,
    PHYSICAL,
    TENANT_TABLES,
    UNIQUE_TEXTS,
    Reference,
    Spot,
    all_rows,
    by_owner,
    crossing,
    new_key,
    operating,
    owner_of,
    quoted,
    without_scoping,
)

#: How a way may end, beside with a result.
ERRORS = (DatabaseError, psycopg.Error, TenantkitError, ObjectDoesNotExist, MultipleObjectsReturned)

OBJECTS = """
CREATE VIEW matrix_invoker WITH (security_invoker) AS SELECT * FROM testapp_customer;
CREATE VIEW matrix_barrier WITH (security_invoker, security_barrier) AS SELECT * FROM testapp_customer;
CREATE FUNCTION matrix_names() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT name FROM testapp_customer';
CREATE FUNCTION matrix_rename(wanted text) RETURNS bigint LANGUAGE sql AS
    'WITH done AS (UPDATE testapp_customer SET name = wanted RETURNING 1) SELECT count(*) FROM done';
"""
NO_OBJECTS = (
    "DROP VIEW IF EXISTS matrix_invoker, matrix_barrier; DROP FUNCTION IF EXISTS matrix_names(), matrix_rename(text)"
)


#: A table, a tenant, what is in the row, and where it is.
Row = tuple[str, str | None, str, str]


class State(NamedTuple):
    """What the owner of the tables sees: physically and by value, and what crosses the line."""

    physical: list[Row]
    values: list[Row]
    crossing: list[str]

    def of(self, tenant: Any) -> list[Any]:
        """The rows of a tenant as they lie in the tables."""
        return [row for row in self.physical if row[1] == str(tenant.pk)]

    def values_but_of(self, tenant: Any) -> list[Any]:
        """The values of all other rows."""
        return [row for row in self.values if row[1] != str(tenant.pk)]


class Outcome(NamedTuple):
    """What a way came to: data, or an error."""

    result: Any = None
    error: Exception | None = None

    @property
    def data(self) -> Any:
        """What is compared: errors by their class."""
        return self.result if self.error is None else type(self.error).__name__

    def is_nothing(self) -> bool:
        """Whether nothing was shown, counted or written."""
        return self.error is not None or _is_nothing(self.result)


class Verdict(NamedTuple):
    """What is wrong with a way: nothing, if both are empty."""

    leak: str = ""
    fault: str = ""


FINE = Verdict()
Run = Callable[["Ground"], Any]


class Ground(World):
    """The world with its rows committed. `key` and `row` tell what a way tries."""

    def __init__(self) -> None:
        ContentType.objects.clear_cache()
        super().__init__()
        acmes, theirs, main = (
            Spot.of(self.acme),
            Spot.of(self.globex),
            Spot(connection.alias, conf.ROW_SCHEMA or "public"),
        )
        self.homes: dict[str, list[Spot]] = {}
        for home in dict.fromkeys((main, acmes, theirs)):
            self.homes.setdefault(home.database, []).append(home)
        if APART:
            by_owner(theirs, LATER_KEYS.format(theirs.schema))
        self.add_globex()
        for home in chain(*self.homes.values()):
            by_owner(home, NO_OBJECTS, OBJECTS)
        self.owners = {database: owner_of(database) for database in self.homes}  # stay open: faster
        self.kept = self.last = self.state()

    @cached_property
    def keys_by_table(self) -> dict[str, dict[str, Any]]:
        """For each table the keys and rows as they were, as `{"acme": [...], "globex": [...]}` of JSON."""
        found: dict[str, dict[str, Any]] = {}
        for table, tenant, text, _ in self.kept.values:
            if tenant is not None:
                slug = "acme" if tenant == str(self.acme.pk) else "globex"
                found.setdefault(table, {}).setdefault(slug, []).append(json.loads(text))
        return found

    def row(self, slug: str, table: str, **changes: Any) -> dict[str, Any]:
        """A row of a tenant as JSON has it, with a key and texts that nobody has, and `changes`."""
        found = self.keys_by_table[table][slug][0]
        pk = TENANT_TABLES[table]._meta.pk.column
        texts = {name: "new" for name in UNIQUE_TEXTS if name in found}
        return {**found, **texts, pk: new_key(table, found[pk]), **changes}

    def key(self, slug: str, table: str, column: str | None = None) -> Any:
        """The key of a tenant's first row, or another column of it."""
        return self.keys_by_table[table][slug][0][column or TENANT_TABLES[table]._meta.pk.column]

    def free_key(self, slug: str, reference: Reference) -> Any:
        """A key that a reference could have, and that no row of the tenant has there: no unique index minds."""
        table, column, to_table, to_column = reference
        taken = [row[column] for row in self.keys_by_table[table][slug]]
        keys = [row[to_column] for row in self.keys_by_table[to_table][slug]]
        return next((key for key in keys if key not in taken), keys[0])

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Names for raw SQL: `own_customer`, `their_customer`, `acme`, `globex`."""
        found = {"acme": self.acme.pk, "globex": self.globex.pk, "plan": self.plan.pk, "region": self.region.pk}
        for table in TENANT_TABLES:
            name = table.removeprefix("testapp_")
            found[f"own_{name}"] = self.key("acme", table)
            found[f"their_{name}"] = self.key("globex", table)
        return found

    @cached_property
    def foreign(self) -> set[str]:
        """The keys of globex that could not be anything else."""
        return {str(key) for key in self.keys(self.globex)}

    @cached_property
    def own(self) -> set[str]:
        """Those of acme."""
        return {str(key) for key in self.keys(self.acme)}

    def state(self) -> State:
        """All rows of all tenants, as the owner of the tables sees them."""
        return State(
            self._asked(lambda homes: all_rows(PHYSICAL, homes)),
            self._asked(lambda homes: all_rows(LOGICAL, homes)),
            [name for (name,) in self._asked(crossing)],
        )

    def _asked(self, query: Callable[[list[Spot]], str]) -> list[Any]:
        asked = (self.owners[database].execute(query(homes)) for database, homes in self.homes.items())
        return sorted(chain.from_iterable(asked), key=repr)

    def restore(self, state: State) -> None:
        """Put back what was kept, if `state` is another."""
        if state.values == self.kept.values:
            return
        for database, homes in self.homes.items():
            self._put_back(database, homes)
        self.last = self.state()

    def _put_back(self, database: str, homes: list[Spot]) -> None:
        with self._emptied(database, homes) as (cursor, tables):
            for table in reversed(tables):
                rows = [json.loads(text) for name, _, text, home in self.kept.values if (home, name) == table]
                name = quoted(table)
                insert = f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(null::{name}, %s::jsonb)"
                cursor.execute(insert, [json.dumps(rows)])

    def remove(self) -> None:
        """Leave the databases as they were found."""
        for owner in self.owners.values():
            owner.close()
        for database, homes in self.homes.items():
            for home in homes:
                by_owner(home, NO_OBJECTS)
            with self._emptied(database, homes):
                pass
        with connection.as_system(), connection.cursor() as cursor:
            cursor.execute("UPDATE public.django_tenantkit_place SET state = 'ready' WHERE state = 'taken'")

    @contextmanager
    def _emptied(self, database: str, homes: list[Spot]) -> Iterator[tuple[Any, list[tuple[str, str]]]]:
        """Inside, all its tables are empty: where they are and their names."""
        tables = [(f"{home.database}.{home.schema}", table) for home in homes for table in TENANT_TABLES]
        tables += [(f"{database}.public", table) for table in OTHER_TABLES]
        one: Any = connections[database]
        with one.as_system(), transaction.atomic(using=database), one.cursor() as cursor:
            deletes = "; ".join(f"DELETE FROM {quoted(table)}" for table in tables)
            cursor.execute(f"SET CONSTRAINTS ALL DEFERRED; {deletes}")
            yield cursor, tables

    # Running

    def run(self, way: Run, tenant: Any, *, scoped: bool = False) -> Outcome:
        """Run a way as the application, in `tenant` or in none, and commit it."""
        place = tenant_context(tenant) if tenant is not None else nullcontext()
        with place, nullcontext() if scoped else without_scoping():
            return _outcome(lambda: plain(way(self)), keep=True)

    def plain(self, way: Run, tenant: Any, *tenants: Any) -> tuple[Outcome, list[Any]]:
        """What plain Django makes of a way where `tenant` lives and `tenants` have no rows, and the rows that it
        leaves."""
        values: list[Any] = []
        gone = ", ".join(str(tenant.pk) for tenant in tenants)

        def run() -> Any:
            with connection.cursor() as cursor:
                cursor.execute("; ".join(f"DELETE FROM {table} WHERE tenant_id IN ({gone})" for table in TENANT_TABLES))
            result = plain(way(self))
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute(all_rows(LOGICAL, self.homes[here]))
                values.extend(cursor.fetchall())
            return result

        here = connection.alias if tenant is None else Spot.of(tenant).database
        with operating(tenant), without_scoping():
            outcome = _outcome(run, keep=False)
        if values:
            elsewhere = tuple(f"{home.database}." for home in chain(*self.homes.values()) if home.database != here)
            values += [row for row in self.last.values if elsewhere and row[3].startswith(elsewhere)]
        return outcome, sorted(values, key=repr)

    # Judging

    def judge(self, way: Run, tenant: Any, *, scoped: bool = False, crossing: bool = False, marks: str = "") -> Verdict:
        """Whether a way leaks or is refused though it should work. `crossing`: one that has something of globex
        in its hands, so that it has to be refused, or to come to nothing. `marks`: a table whose rows of acme it
        may change all the same."""
        hidden = [self.globex] if tenant is not None else [self.acme, self.globex]
        if crossing and APART:
            return self._judge_as_if_alone(way, tenant, scoped)
        expected, effect = (Outcome(), []) if crossing else self.plain(way, tenant, *hidden)
        before = self.last
        found = self.run(way, tenant, scoped=scoped)
        after = self.last = self.state()
        try:
            leak = self._leak(found, before, after, hidden, crossing, marks)
            if leak or crossing:
                return Verdict(leak)
            return Verdict("", self._fault(found, expected, after, effect, tenant))
        finally:
            self.restore(after)

    def _judge_as_if_alone(self, way: Run, tenant: Any, scoped: bool) -> Verdict:
        """What has something of globex in its hands, where globex lives elsewhere: no row of globex is touched, and
        it is refused, or comes to nothing, or to what plain Django makes of it where there is no globex. A key of
        theirs is one that nobody has here, so a row can be made with it."""
        expected, effect = self.plain(way, tenant, self.globex)
        before = self.last
        found = self.run(way, tenant, scoped=scoped)
        after = self.last = self.state()
        try:
            if before.of(self.globex) != after.of(self.globex):
                return Verdict("rows of globex were touched")
            if after.crossing:
                return Verdict(f"a row refers to another tenant's: {after.crossing}")
            if found.is_nothing() and before.values == after.values:
                return FINE
            fine = found.data == expected.data and effect == after.values
            return FINE if fine else Verdict(f"it came to something: {found}, and would to {expected} without globex")
        finally:
            self.restore(after)

    def _leak(self, found: Outcome, before: State, after: State, hidden: list[Any], crossing: bool, marks: str) -> str:
        for tenant in hidden:
            if before.of(tenant) != after.of(tenant):
                return f"rows of {tenant.slug} were touched"
        if after.crossing:
            return f"a row refers to another tenant's: {after.crossing}"
        if crossing:
            written = [row for row in set(after.values) ^ set(before.values) if row[0] != marks]
            if written:
                return f"rows were written: {written}"
            return "" if marks or found.is_nothing() else f"it came to something: {found.result}"
        secret = self.foreign if len(hidden) == 1 else self.foreign | self.own
        names = [tenant.slug for tenant in hidden]
        told = [str(atom) for atom in atoms(found.result)] if found.error is None else [str(found.error)]
        shown = [text for text in told if text in secret or any(name in text for name in names)]
        if shown:
            return f"it shows {shown}"
        written = [row for row in after.values_but_of(self.globex) if any(key in row[2] for key in self.foreign)]
        return f"a row names one of globex's: {written}" if written else ""

    def _fault(self, found: Outcome, expected: Outcome, after: State, effect: list[Any], tenant: Any) -> str:
        if found.data != expected.data:
            if tenant is None and found.error is not None:
                return ""  # with no tenant all may be refused
            return f"plain Django: {expected.data}; here: {found.error or found.data}"
        if tenant is not None and expected.error is None:
            others = [row for row in effect if row[1] != str(self.globex.pk)]
            if others != after.values_but_of(self.globex):
                return "it left other rows than plain Django: " + str(
                    set(others) ^ set(after.values_but_of(self.globex))
                )
        return ""


def _is_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return all(map(_is_nothing, value)) if isinstance(value, list | tuple) else not value


def _outcome(run: Callable[[], Any], *, keep: bool) -> Outcome:
    try:
        with transaction.atomic():
            result = run()
            transaction.set_rollback(not keep)
    except ERRORS as error:
        return Outcome(error=error)
    return Outcome(result)
