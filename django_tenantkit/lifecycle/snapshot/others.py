"""The statements that make views, rules, triggers, policies and extended statistics; and comments."""

from __future__ import annotations

from typing import Any

from ...exceptions import SnapshotRefused
from ...sql import catalog
from ...sql.session import literal
from .building import Plan, Stage
from .tables import options, storage_clauses

_ENABLED = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}

#: What COMMENT ON calls what `pg_identify_object` gives.
_COMMENT_ON = {
    "table column": "COLUMN",
    "view column": "COLUMN",
    "materialized view column": "COLUMN",
    "composite type column": "COLUMN",
    "table constraint": "CONSTRAINT",
    "statistics object": "STATISTICS",
    "composite type": "TYPE",
}


def add_views(plan: Plan, relations: list[Any]) -> None:
    """Views and materialized views."""
    for row in relations:
        if row.kind not in "vm":
            continue
        definition = row.definition.strip().removesuffix(";")
        if row.kind == "v":
            given = f" WITH ({options(row.options)})" if row.options else ""
            text = f"CREATE VIEW {row.name}{given} AS {definition}"
        else:
            filled = "DATA" if row.populated else "NO DATA"
            text = f"CREATE MATERIALIZED VIEW {row.name}{storage_clauses(row)} AS {definition} WITH {filled}"
        plan.make(("pg_class", row.oid), Stage.VIEW, row.name, text)


def add_rules(plan: Plan, relations: dict[int, Any]) -> None:
    """Rules that somebody wrote."""
    for row in plan.world.rows(catalog.RULES):
        table = relations[row.relation].name
        plan.make(("pg_rewrite", row.oid), Stage.RULE, row.name, row.definition.strip().removesuffix(";"))
        if row.enabled in _ENABLED:
            plan.alter(table, f"{_ENABLED[row.enabled]} RULE {row.name}")


def add_triggers(plan: Plan, relations: dict[int, Any]) -> None:
    """Triggers that somebody wrote. Those of partitions come with their parent's, those of references with them."""
    rows = {row.oid: row for row in plan.world.rows(catalog.TRIGGERS)}
    for row in rows.values():
        if row.internal:
            if row.enabled != "O":
                raise SnapshotRefused(f"Somebody disabled the trigger {row.name}, which checks a reference.")
            continue
        if not row.parent:
            plan.make(("pg_trigger", row.oid), Stage.TRIGGER, row.name, row.definition)
        if row.enabled in _ENABLED:
            plan.alter(relations[row.relation].name, f"{_ENABLED[row.enabled]} TRIGGER {row.name}")
    for row in rows.values():
        whole = row
        while whole.parent:
            whole = rows[whole.parent]
        if not row.internal:
            plan.claim(("pg_trigger", row.oid), plan.made["pg_trigger", whole.oid])


def add_policies(plan: Plan, relations: dict[int, Any]) -> None:
    """Policies of row-level security; it is enabled when all rows are there."""
    for row in plan.world.rows(catalog.POLICIES):
        kind = "PERMISSIVE" if row.permissive else "RESTRICTIVE"
        using = "" if row.condition is None else f" USING ({row.condition})"
        check = "" if row.check is None else f" WITH CHECK ({row.check})"
        text = (
            f"CREATE POLICY {row.name} ON {relations[row.relation].name} AS {kind} FOR {row.command} "
            f"TO {', '.join(row.roles)}{using}{check}"
        )
        plan.make(("pg_policy", row.oid), Stage.POLICY, row.name, text)


def add_statistics(plan: Plan) -> None:
    """Extended statistics."""
    for row in plan.world.rows(catalog.STATISTICS):
        plan.make(("pg_statistic_ext", row.oid), Stage.STATISTICS, row.name, row.definition)
        if row.target is not None:
            plan.say(f"ALTER STATISTICS {row.name} SET STATISTICS {row.target}")


def add_comments(plan: Plan) -> None:
    """Comments on whatever there is; that on the schema is not asked for here."""
    for row in plan.world.rows(catalog.COMMENTS):
        kind = _COMMENT_ON.get(row.type, row.type.upper())
        identity = row.identity
        if row.type == "domain constraint":
            name, _, domain = identity.rpartition(" on ")
            kind, identity = "CONSTRAINT", f"{name} ON DOMAIN {domain}"
        plan.say(f"COMMENT ON {kind} {identity} IS {literal(row.description)}")
