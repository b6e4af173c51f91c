"""Loading an archive into a tenant: staged, given keys, inserted; all in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import DataError, Error

from ...exceptions import ArchiveRefused
from ...isolation.copying import bring, holds_copies
from ...models import get_domain_model, get_tenant_model
from ...sql import archives as sql
from ..jobs import Progress
from . import naming
from .checking import Checked, again, opened
from .filing import Files, Naming, Source
from .keys import Keys
from .states import applied, check_state
from .tables import Ground, Table, kind_of

REFUSE, UPDATE = "refuse", "update"

#: What the database says of rows that it does not take, by the beginning of SQLSTATE: data, constraints, limits.
_REFUSALS = ("22", "23", "54", "P0001", "428C9")


@dataclass
class Wish:
    """How to load: `remap` gives every row a new key, otherwise only those whose key is taken do; `on_conflict` is
    what becomes of rows that the tenant has already; `is_new`: the tenant was just made."""

    remap: bool = False
    on_conflict: str = REFUSE
    is_new: bool = True


@dataclass
class Loaded:
    """What came of it: rows by model, what was given new keys, which users were made, and what was left out."""

    rows: dict[str, int] = field(default_factory=dict)
    remapped: dict[str, int] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0

    def described(self) -> dict[str, Any]:
        """As the ledger and the commands have it."""
        found = {"rows": self.rows, "remapped": self.remapped, "users": self.users, "notes": self.notes}
        return {**found, "files": self.files}


class Load:
    """One archive on its way into one tenant, with files from `source` if there is one."""

    def __init__(
        self,
        checked: Checked,
        ground: Ground,
        wish: Wish,
        progress: Progress | None = None,
        source: Source | None = None,
    ) -> None:
        self.checked, self.ground, self.wish, self.progress = checked, ground, wish, progress
        self.loaded = Loaded()
        self.tables = _fitting(checked, ground, self.loaded.notes)
        check_state(checked.manifest["migrations"], applied(ground.home, ground.main))
        self.keys = Keys(ground)
        old = UUID(checked.manifest["tenant"]["uid"])
        naming = Naming(old, ground.tenant.uid, wish.is_new, checked.is_ours)
        self.files = Files(ground, self.keys, naming, source)

    def run(self) -> Loaded:
        """Do it. In a transaction, without a tenant. Raises `ArchiveRefused`."""
        with refusals("The archive"):
            self.stage()
            self.clear()
            self.find_keys()
            for place, (table, given) in enumerate(self.tables.values()):
                self._insert(place, table, given)
                if self.progress is not None:
                    self.progress(len(self.tables) + place + 1, 2 * len(self.tables), table.label)
            self.check_constraints()
        self.loaded.files = self.files.write(self.loaded.notes)
        return self.loaded

    def stage(self) -> None:
        """Bring the lines of the archive into the database, and compare them with what they were when they were
        checked."""
        places = {label: place for place, label in enumerate(self.tables)}
        for label, place in places.items():
            with self.tables[label][0].spot.connection.cursor() as cursor:
                cursor.execute(sql.make_staging(place))
        with opened(self.checked.path) as entries:
            for one in again(self.checked, entries):
                if one.kind in ("data", "records"):
                    table, _ = self.tables[one.label]
                    self._copy(one, table, places[one.label])
                    if self.progress is not None:
                        self.progress(places[one.label] + 1, 2 * len(self.tables), one.label)
                else:
                    for _ in one.chunks():
                        pass
        for table, _ in self.tables.values():
            with table.spot.connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {sql.staging(places[table.label])}")

    def _copy(self, one: Any, table: Table, place: int) -> None:
        connection = table.spot.connection
        with refusals(one.name), connection.cursor() as cursor, connection.wrap_database_errors:
            with cursor.copy(sql.fill_staging(place)) as copy:
                for data in one.chunks():
                    if any(byte in data for byte in sql.FORBIDDEN):
                        raise ArchiveRefused(f"{one.name} contains control characters, which JSON has none of.")
                    copy.write(data)
            if cursor.rowcount != one.entry.rows:
                raise ArchiveRefused(f"{one.name} has lines that are no rows.")

    def clear(self) -> None:
        """A new home has rows that apps make by themselves. In tables that are its alone the archive knows better: a
        row that the tenant had deleted does not come back."""
        for table, _ in reversed(self.tables.values()) if self.wish.is_new else ():
            if table.tenant is None:
                with table.spot.connection.cursor() as cursor:
                    cursor.execute(f"DELETE FROM {table.name}")

    def find_keys(self) -> None:
        """Find the rows that the archive names, and new keys where those of its rows are taken."""
        self.keys.make()
        self.match()
        for place, (table, _) in enumerate(self.tables.values()):
            is_alone = self.wish.is_new and table.tenant is None
            taken, own = self.keys.find_taken(place, table, remap=self.wish.remap and not is_alone)
            if taken:
                self.loaded.remapped[table.label] = taken
            updates = self.wish.on_conflict == UPDATE or table.part == "records"
            if own and not updates:
                raise ArchiveRefused(
                    f"The tenant has {own} of the archive's rows of {table.label} already. Say `--on-conflict update` "
                    "to replace them, or `--as` to make another tenant."
                )
        self.keys.add_generic(self._kinds())
        self.name_files()

    def name_files(self) -> None:
        """Find what files are called in the tenant."""
        for place, (table, given) in enumerate(self.tables.values()):
            self.files.match(place, table, given)

    def match(self) -> None:
        """Find the rows that the archive names."""
        manifest, ground = self.checked.manifest, self.ground
        missing: list[str] = []
        if holds_copies(ground.home.connection):
            bring(ground.home.connection, {get_tenant_model(): {str(ground.tenant.pk)}})
        for kind, (model, column) in self._named_models().items():
            names = naming.names_of(model)
            if names is None or manifest["shared"][kind] != names:
                raise ArchiveRefused(
                    f"The archive names rows of {model._meta.label} by {manifest['shared'][kind]}, this deployment by "
                    f"{names}. See TENANTKIT_ARCHIVE_KEYS."
                )
            matched = naming.Matched(model, column)
            spot = ground.spot(model)
            own = manifest["tenant"]["uid"]
            matched.find(self.checked.named.get(kind, []), names, ground.tenant, spot.alias, own)
            if naming.may_be_made(model):
                self.loaded.users += matched.make_users(names, spot.alias)
            missing += [f"{model._meta.label} {row['name']!r}" for row in matched.missing]
            missing += [f"{model._meta.label} {name!r} (several)" for name in matched.ambiguous]
            self.keys.put(kind, matched.keys)
            if spot is ground.main and holds_copies(ground.home.connection):
                bring(ground.home.connection, {model: matched.primary})
        if missing:
            raise ArchiveRefused(
                f"The archive needs shared rows that are not here: {', '.join(missing[:20])}"
                f"{f' and {len(missing) - 20} more' if len(missing) > 20 else ''}. Make them first."
            )

    def _named_models(self) -> dict[str, tuple[Any, Any]]:
        """The models that the archive names rows of, in order, each with the field that refers to them."""
        known = {}
        for table, _ in self.tables.values():
            for reference in table.references:
                if naming.is_named(reference.target) or naming.shares_rows(reference.target):
                    known[kind_of(reference.target, reference.target_column)] = (
                        reference.target,
                        reference.field.target_field,
                    )
        for kind in self.checked.manifest["shared"]:
            if kind not in known and (found := naming.shared_model(kind)) is not None:
                known[kind] = found
        unknown = sorted(set(self.checked.manifest["shared"]) - set(known))
        if unknown:
            raise ArchiveRefused(f"The archive names rows of {', '.join(unknown)}, to which no row here refers.")
        return {kind: known[kind] for kind in self.checked.manifest["shared"]}

    def _kinds(self) -> dict[str, Any]:
        """The models of the content types that the archive names, by the key that they have in it."""
        rows = self.checked.named.get(kind_of(ContentType, str(ContentType._meta.pk.column)), [])
        found = {row["key"]: ContentType(app_label=row["name"][0], model=row["name"][1]).model_class() for row in rows}
        return {key: model for key, model in found.items() if model is not None}

    def _insert(self, place: int, table: Table, given: dict[str, Any]) -> None:
        updates = self.wish.on_conflict == UPDATE
        insertion = self.keys.insertion(place, table, given, self._overrides(table))
        left = table.part == "records"
        statement = insertion.statement(table.tenant, self.ground.tenant.pk, updates=updates, leaves_taken=left)
        with refusals(table.label), table.spot.connection.cursor() as cursor:
            cursor.execute(statement)
            written = cursor.rowcount
        self.loaded.rows[table.label] = written
        left_out = self.lacking(place, table, given, written)
        if left_out:
            self.loaded.notes.append(f"{left_out} rows of {table.label} are taken or there, and were left out.")

    def lacking(self, place: int, table: Table, given: dict[str, Any], written: int) -> int:
        """How many rows of the archive did not arrive: rows about the tenant in tables that all share may be taken.
        Raises `ArchiveRefused` for others, and for lines that are no rows."""
        rows = self.checked.rows().get(table.label, 0)
        if written == rows:
            return 0
        with table.spot.connection.cursor() as cursor:
            cursor.execute(sql.wrong_lines(place, list(given["columns"])))
            if (wrong := cursor.fetchone()[0]) or table.part == "data":
                raise ArchiveRefused(
                    f"{wrong} rows of {table.label} have not the columns that the manifest lists."
                    if wrong
                    else f"{rows - written} rows of {table.label} refer to shared rows that the archive does not name, "
                    "or are another tenant's."
                )
        return rows - written

    def _overrides(self, table: Table) -> dict[str, str]:
        """A domain is proved anew, unless this deployment says that it was."""
        is_domain = table.content.model is get_domain_model() and not self.checked.is_ours
        return {"verified_at": "NULL"} if is_domain else {}

    def check_constraints(self) -> None:
        """What would be noticed at the end of the transaction is noticed now."""
        for spot in dict.fromkeys((self.ground.home.alias, self.ground.main.alias)):
            connection = (self.ground.home if spot == self.ground.home.alias else self.ground.main).connection
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _fitting(checked: Checked, ground: Ground, notes: list[str]) -> dict[str, tuple[Table, dict[str, Any]]]:
    """The tables of the archive by label, in order, with what the manifest says of each. Raises `ArchiveRefused` for
    what the tenant has not."""
    manifest = checked.manifest
    tables = {(table.part, table.label): table for table in ground.tables}
    given = {("data", label): one for label, one in manifest["models"].items()}
    given |= {("records", label): one for label, one in manifest["records"].items()}
    if unknown := sorted(label for part, label in given.keys() - tables.keys()):
        raise ArchiveRefused(f"The archive has rows of {', '.join(unknown)}, which no tenant has here.")
    found = {}
    for pair, table in tables.items():
        if pair not in given:
            continue
        described = given[pair]
        if table.tenant in described["columns"]:
            raise ArchiveRefused(f"The archive says itself whose rows those of {table.label} are.")
        if described["key"] != table.key:
            raise ArchiveRefused(
                f"The key of {table.label} is {table.key} here, and {described['key']} in the archive."
            )
        for name in described["columns"].keys() - table.columns.keys():
            notes.append(f"{table.label} has no column {name} any more; it was left out.")
        found[table.label] = (table, described)
    return found


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """What the database does not take of an archive is refused in one line."""
    try:
        yield
    except Error as error:
        state = getattr(error.__cause__, "sqlstate", None) or ""
        if not (state.startswith(_REFUSALS) or isinstance(error, DataError)):  # psycopg's own have no state
            raise
        text = " ".join(str(error).split())
        raise ArchiveRefused(f"{what} has something that the database does not take: {text[:500]}") from error
