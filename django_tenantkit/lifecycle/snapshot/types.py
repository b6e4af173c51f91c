"""The statements that make types, functions, sequences and collations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ...exceptions import SnapshotRefused
from ...sql import catalog
from ...sql.session import literal
from .building import Plan, Stage

_MODIFIES = {"r": "READ_ONLY", "s": "SHAREABLE", "w": "READ_WRITE"}
_PARALLEL = {"s": "SAFE", "r": "RESTRICTED", "u": "UNSAFE"}
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin", "d": "default"}


def add_types(plan: Plan, constraints: Iterable[Any], columns: dict[int, list[Any]]) -> None:
    """Enums, domains with their constraints, composite types and ranges."""
    by_domain: dict[int, list[Any]] = {}
    for constraint in constraints:
        by_domain.setdefault(constraint.domain, []).append(constraint)
    for row in plan.world.rows(catalog.TYPES):
        key = ("pg_type", row.oid)
        if row.kind == "d":
            found = by_domain.get(row.oid, [])
            node = plan.make(key, Stage.TYPE, row.name, _domain(row, found, plan.world.version))
            for constraint in found:
                plan.claim(("pg_constraint", constraint.oid), node)
                if not constraint.valid:
                    plan.say(f"ALTER DOMAIN {row.name} ADD CONSTRAINT {constraint.name} {constraint.definition}")
        elif row.kind == "e":
            plan.make(key, Stage.TYPE, row.name, f"CREATE TYPE {row.name} AS ENUM ({', '.join(row.labels)})")
        elif row.kind == "r":
            plan.make(key, Stage.TYPE, row.name, f"CREATE TYPE {row.name} AS RANGE ({_range(row)})")
        else:
            attributes = ", ".join(
                f"{column.name} {column.type}" + (f" COLLATE {column.collation}" if column.collation else "")
                for column in columns.get(row.relation, ())
            )
            plan.make(key, Stage.TYPE, row.name, f"CREATE TYPE {row.name} AS ({attributes})")


def _domain(row: Any, constraints: list[Any], version: int) -> str:
    """From PostgreSQL 17 on NOT NULL is a constraint of a domain too, with a name."""
    parts = [f"CREATE DOMAIN {row.name} AS {row.base}"]
    if row.collation:
        parts.append(f"COLLATE {row.collation}")
    if row.expression is not None or row.default is not None:
        parts.append(f"DEFAULT {row.expression if row.expression is not None else literal(row.default)}")
    if row.filled and version < 170000:
        parts.append("NOT NULL")
    parts += [f"CONSTRAINT {c.name} {c.definition}" for c in constraints if c.valid]
    return " ".join(parts)


def _range(row: Any) -> str:
    if row.canonical:
        raise SnapshotRefused(f"The range type {row.name} has a canonical function, which a copy could not have.")
    parts = {
        "SUBTYPE": row.subtype,
        "SUBTYPE_OPCLASS": row.operators,
        "COLLATION": row.range_collation,
        "SUBTYPE_DIFF": row.difference,
        "MULTIRANGE_TYPE_NAME": row.multirange,
    }
    return ", ".join(f"{name} = {value}" for name, value in parts.items() if value)


def add_collations(plan: Plan) -> None:
    """Collations, which each version of PostgreSQL stores in other columns."""
    for row in plan.world.rows(catalog.COLLATIONS):
        stored = json.loads(row.row)
        locale = stored.get("colllocale") or stored.get("colliculocale")
        parts = {
            "PROVIDER": _PROVIDERS[stored["collprovider"]],
            "LOCALE": locale and literal(locale),
            "LC_COLLATE": stored["collcollate"] and literal(stored["collcollate"]),
            "LC_CTYPE": stored["collctype"] and literal(stored["collctype"]),
            "RULES": stored.get("collicurules") and literal(stored["collicurules"]),
            "DETERMINISTIC": None if stored["collisdeterministic"] else "false",
        }
        text = ", ".join(f"{name} = {value}" for name, value in parts.items() if value)
        plan.make(("pg_collation", row.oid), Stage.TYPE, row.name, f"CREATE COLLATION {row.name} ({text})")


def add_functions(plan: Plan) -> None:
    """Functions and procedures as PostgreSQL prints them, and aggregates, which it does not print."""
    for row in plan.world.rows(catalog.FUNCTIONS):
        key = ("pg_proc", row.oid)
        if row.kind == "a":
            text = f"CREATE AGGREGATE {row.name}({row.arguments}) ({_aggregate(json.loads(row.parts))})"
            plan.make(key, Stage.AGGREGATE, row.name, text)
        else:
            plan.make(key, Stage.FUNCTION, row.name, row.definition.replace(" OR REPLACE", "", 1).rstrip())


def _aggregate(parts: dict[str, Any]) -> str:
    moves = parts["MSFUNC"] is not None
    for name, function in (("FINALFUNC", "FINALFUNC"), ("MFINALFUNC", "MFINALFUNC")):
        modify = parts.pop(f"{name}_MODIFY")
        parts[f"{name}_MODIFY"] = _MODIFIES[modify] if parts[function] else None
    parts["PARALLEL"] = _PARALLEL[parts["PARALLEL"]]
    if not moves:
        parts |= dict.fromkeys(("MSTYPE", "MSSPACE", "MINITCOND", "MFINALFUNC_EXTRA"))
    flags = [name for name, value in parts.items() if value is True]
    values = [f"{name} = {value}" for name, value in parts.items() if value is not None and not isinstance(value, bool)]
    return ", ".join([*values, *flags])


def add_sequences(plan: Plan) -> dict[int, Any]:
    """Sequences that somebody made. Those of identity columns are returned, by the oid of their table and the
    name of the column."""
    identities: dict[Any, Any] = {}
    for row in plan.world.rows(catalog.SEQUENCES):
        if row.how == "i":
            identities[row.table, row.column] = row
            continue
        unlogged = "UNLOGGED " if row.persistence == "u" else ""
        text = f"CREATE {unlogged}SEQUENCE {row.name} AS {row.type}{sequence_options(row)}"
        plan.make(("pg_class", row.oid), Stage.SEQUENCE, row.name, text).free = True
        if row.how == "a":
            table = plan.world.members["pg_class", row.table].identity
            plan.say(f"ALTER SEQUENCE {row.name} OWNED BY {table}.{row.column}")
    return identities


def sequence_options(row: Any) -> str:
    """What differs from what PostgreSQL gives a sequence of that type."""
    limit = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}[row.type]
    usual = (1, 1, limit - 1, 1) if row.increment > 0 else (-1, -limit, -1, -1)
    start, least, greatest = usual[0], usual[1], usual[2]
    parts = [
        f" START WITH {row.start}" if (row.start, row.least, row.greatest) != (start, least, greatest) else "",
        f" INCREMENT BY {row.increment}" if row.increment != 1 else "",
        f" MINVALUE {row.least}" if row.least != least else "",
        f" MAXVALUE {row.greatest}" if row.greatest != greatest else "",
        f" CACHE {row.cache}" if row.cache != 1 else "",
        " CYCLE" if row.cycle else "",
    ]
    return "".join(parts)
