"""The statements that make tables with their columns, keys and checks, and what is altered afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...exceptions import SnapshotRefused
from ...sql import catalog
from ...sql.session import literal
from .building import Node, Plan, Stage
from .types import sequence_options
from .world import Key

_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSION = {"l": "lz4", "p": "pglz"}
_IDENTITY = {"a": "ALWAYS", "d": "BY DEFAULT"}
_GENERATED = {"s": "STORED", "v": "VIRTUAL"}
_REPLICA = {"n": "NOTHING", "f": "FULL"}


class Tables:
    """The tables of a schema while they are added to a plan."""

    def __init__(self, plan: Plan, relations: list[Any], columns: dict[int, list[Any]], constraints: list[Any]) -> None:
        self.plan = plan
        self.relations = {row.oid: row for row in relations}
        self.columns = columns
        self.constraints: dict[int, list[Any]] = {}
        for row in constraints:
            self.constraints.setdefault(row.relation, []).append(row)

    def add(self, identities: dict[Any, Any]) -> None:
        """All tables, with what belongs to them."""
        self.identities = identities
        for row in self.relations.values():
            if row.kind in "rp":
                self._add_table(row)
            self._alter(row)
        self._claim_references_of_partitions()

    def _claim_references_of_partitions(self) -> None:
        """They are made with the reference of the whole table, or to it."""
        found = {row.oid: row for rows in self.constraints.values() for row in rows if row.kind == "f"}
        for row in found.values():
            whole = row
            while whole.parent:
                whole = found[whole.parent]
            self.plan.claim(("pg_constraint", row.oid), self.plan.made["pg_constraint", whole.oid])

    def _add_table(self, row: Any) -> None:
        if row.typed:
            raise SnapshotRefused(f"The table {row.name} is one of a composite type: CREATE TABLE OF.")
        own = [column for column in self.columns.get(row.oid, ()) if column.own or self._stands_alone(row)]
        self._check_order(row, own)
        inside = [constraint for constraint in self._constraints(row) if self._goes_inside(row, constraint)]
        lines = [
            *(self._column(row, column) for column in own),
            *(f"CONSTRAINT {constraint.name} {constraint.definition}" for constraint in inside),
        ]
        unlogged = "UNLOGGED " if row.persistence == "u" else ""
        text = f"CREATE {unlogged}TABLE {row.name} ({', '.join(lines)}"
        node = self.plan.make(("pg_class", row.oid), Stage.TABLE, row.name, text)
        node.tail = f"){self._clauses(row)}"
        for constraint in inside:
            self.plan.claim(("pg_constraint", constraint.oid), node)
        for constraint in self._constraints(row):
            if constraint not in inside:
                self._add_constraint(row, constraint, node)
        if row.is_partition:
            (parent,) = row.parents
            text = f"ALTER TABLE ONLY {self.relations[parent].name} ATTACH PARTITION {row.name} {row.bound}"
            attach = self.plan.make(("partition", row.oid), Stage.PARTITION, row.name, text)
            attach.after = {("pg_class", row.oid), ("pg_class", parent)}

    def _stands_alone(self, row: Any) -> bool:
        """Whether it is made with all its columns: a partition is attached afterwards."""
        return bool(row.is_partition or not row.parents)

    def _check_order(self, row: Any, own: list[Any]) -> None:
        """Inherited columns come first. Raises `SnapshotRefused` for a table that got its parent later."""
        if self._stands_alone(row):
            return
        for parent in row.parents:
            if parent not in self.relations:
                raise SnapshotRefused(f"The table {row.name} inherits from a table of another schema.")
        inherited = dict.fromkeys(column.name for parent in row.parents for column in self.columns.get(parent, ()))
        expected = [*inherited, *(column.name for column in own if column.name not in inherited)]
        if expected != [column.name for column in self.columns.get(row.oid, ())]:
            raise SnapshotRefused(f"The columns of {row.name} are in another order than those that it inherits.")

    def _constraints(self, row: Any) -> list[Any]:
        return self.constraints.get(row.oid, [])

    def _goes_inside(self, row: Any, constraint: Any) -> bool:
        """Whether CREATE TABLE makes it: not what would be validated, what needs a function that may need the
        table, and what a partition shares with its parent."""
        own = constraint.own or row.is_partition
        if constraint.kind in "cn":
            needs = self.plan.world.needs["pg_constraint", constraint.oid] & self.plan.world.members.keys()
            return bool(own and constraint.valid and not any(kind == "pg_proc" for kind, _ in needs))
        return constraint.kind in "pux" and row.kind == "r" and self._stands_alone(row) and not row.is_partition

    def _could_go_inside(self, row: Any, reference: Any) -> bool:
        """Whether CREATE TABLE may make a reference too: between two tables that are nothing but that."""
        target = self.relations.get(reference.target)
        plain = target is not None and target.kind == "r" and not target.is_partition
        return bool(plain and reference.valid and not row.parents and self.columns.get(row.oid))

    def _add_constraint(self, row: Any, constraint: Any, table: Node) -> None:
        key: Key = ("pg_constraint", constraint.oid)
        action = f"ADD CONSTRAINT {constraint.name} {constraint.definition}"
        if constraint.kind == "f":
            if constraint.parent:
                return
            if row.kind == "r":
                node = self.plan.make(key, Stage.REFERENCE, constraint.name, action, row.name)
                if self._could_go_inside(row, constraint):
                    node.inside = ("pg_class", row.oid)
            else:
                self.plan.make(key, Stage.REFERENCE, constraint.name, f"ALTER TABLE {row.name} {action}")
        elif constraint.kind in "pux":
            self.plan.make(key, Stage.KEY, constraint.name, f"ALTER TABLE ONLY {row.name} {action}")
        elif constraint.kind in "cn" and (constraint.own or row.is_partition):
            self.plan.make(key, Stage.CHECK, constraint.name, f"ALTER TABLE {row.name} {action}")
        elif constraint.kind in "cn":
            self.plan.claim(key, table)  # made with its parent's

    def _column(self, row: Any, column: Any) -> str:
        parts = [f"{column.name} {column.type}"]
        if column.compression:
            parts.append(f"COMPRESSION {_COMPRESSION[column.compression]}")
        if column.collation:
            parts.append(f"COLLATE {column.collation}")
        sequence = self.identities.get((row.oid, column.name))
        if column.identity and sequence:
            options = f"SEQUENCE NAME {sequence.name}{sequence_options(sequence)}"
            parts.append(f"GENERATED {_IDENTITY[column.identity]} AS IDENTITY ({options})")
        elif column.generated:
            parts.append(f"GENERATED ALWAYS AS ({column.default}) {_GENERATED[column.generated]}")
        elif column.default is not None:
            parts.append(f"DEFAULT {column.default}")
        if column.filled and self.plan.world.version < 180000:  # from there on it is a constraint with a name
            parts.append("NOT NULL")
        return " ".join(parts)

    def _clauses(self, row: Any) -> str:
        parts = []
        if row.parents and not row.is_partition:
            parts.append(f" INHERITS ({', '.join(self.relations[parent].name for parent in row.parents)})")
        if row.partitioned:
            parts.append(f" PARTITION BY {row.partitioned}")
        return "".join(parts) + storage_clauses(row)

    def _alter(self, row: Any) -> None:
        """What is altered afterwards: there is no place for it in CREATE TABLE, or it would be in the way."""
        inherited = {} if self._stands_alone(row) else self._inherited(row)
        for column in self.columns.get(row.oid, ()):
            parents = inherited.get(column.name)
            if column.real_storage != (column.usual_storage if parents is None else parents.real_storage):
                self._store(row, column)
            for action in self._column_actions(row, column, parents):
                self.plan.alter(row.name, f"ALTER COLUMN {column.name} {action}")
        if row.kind not in "rp":
            return
        if row.guarded:
            self.plan.alter(row.name, "ENABLE ROW LEVEL SECURITY")
        if row.forced:
            self.plan.alter(row.name, "FORCE ROW LEVEL SECURITY")
        if row.identity in _REPLICA:
            self.plan.alter(row.name, f"REPLICA IDENTITY {_REPLICA[row.identity]}")

    def _store(self, row: Any, column: Any) -> None:
        """Before there are indexes, which take it over from the column."""
        action = f"ALTER COLUMN {column.name} SET STORAGE {_STORAGE[column.real_storage]}"
        node = self.plan.make(("storage", id(column)), Stage.CHECK, column.name, action, row.name)
        node.after = {("pg_class", row.oid)}

    def _inherited(self, row: Any) -> dict[str, Any]:
        """The columns of the parents by name."""
        return {column.name: column for parent in reversed(row.parents) for column in self.columns.get(parent, ())}

    def _column_actions(self, row: Any, column: Any, parents: Any) -> Iterator[str]:
        if column.target is not None:
            yield f"SET STATISTICS {column.target}"
        if column.options:
            yield f"SET ({options(column.options)})"
        if row.kind == "v" and column.default is not None:
            yield f"SET DEFAULT {column.default}"
        if parents is not None and not column.own:
            yield from self._difference(row, column, parents)

    def _difference(self, row: Any, column: Any, parents: Any) -> Iterator[str]:
        """What a child changed of a column that it inherits."""
        same = (column.generated, column.compression) == (parents.generated, parents.compression)
        if not same or column.identity or (column.generated and column.default != parents.default):
            raise SnapshotRefused(f"The column {column.name} of {row.name} is made otherwise than its parent's.")
        if column.default != parents.default:
            yield "DROP DEFAULT" if column.default is None else f"SET DEFAULT {column.default}"
        if column.filled and not parents.filled and self.plan.world.version < 180000:
            yield "SET NOT NULL"


def options(given: list[str]) -> str:
    """Options as the catalog has them, as SQL."""
    pairs = (option.partition("=") for option in given)
    return ", ".join(f"{name} = {literal(value)}" for name, _, value in pairs)


def storage_clauses(row: Any) -> str:
    """How and where a table or materialized view is stored."""
    toast = [f"toast.{option}" for option in row.toast_options or ()]
    given = [*(row.options or ()), *toast]
    return "".join(
        [
            f" USING {row.method}" if row.method not in (None, "heap") else "",
            f" WITH ({options(given)})" if given else "",
            f" TABLESPACE {row.tablespace}" if row.tablespace else "",
        ]
    )


def add_indexes(plan: Plan, relations: dict[int, Any]) -> None:
    """Indexes; those of constraints are made with them, and only altered."""
    rows = plan.world.rows(catalog.INDEXES)
    names = {row.oid: row.name for row in rows}
    for row in rows:
        if row.relation not in relations:
            continue
        table = relations[row.relation].name
        if not row.valid:
            raise SnapshotRefused(f"The index {row.name} is invalid: somebody's CREATE INDEX failed. Make it again.")
        if row.constraint is None:
            plan.make(("pg_class", row.oid), Stage.INDEX, row.name, row.definition)
        elif row.options:
            plan.say(f"ALTER INDEX {row.name} SET ({options(row.options)})")
        if row.parent is not None:
            text = f"ALTER INDEX {names[row.parent]} ATTACH PARTITION {row.name}"
            attach = plan.make(("partition", row.oid), Stage.INDEX_OF_PARTITION, row.name, text)
            attach.after = {("pg_class", row.oid), ("pg_class", row.parent)}
        if row.clustered:
            plan.alter(table, f"CLUSTER ON {row.name}")
        if row.replicates:
            plan.alter(table, f"REPLICA IDENTITY USING INDEX {row.name}")
        if row.tablespace:
            plan.say(f"ALTER INDEX {row.name} SET TABLESPACE {row.tablespace}")
        for target in row.targets:
            plan.say(f"ALTER INDEX {row.name} ALTER COLUMN {target}")
