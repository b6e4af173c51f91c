"""The statements that make owners, privileges and default privileges what they are in a schema."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ...exceptions import SnapshotRefused
from ...sql import privileges
from .building import Node, Plan, Stage

#: Who has a privilege, which one, and whether it can be passed on.
Grant = tuple[str, str, bool]

_KINDS = {"r": "TABLE", "S": "SEQUENCE", "f": "ROUTINE", "T": "TYPE", "n": "SCHEMA"}

#: Indexes, partitions' triggers and the like belong to whom their table does.
_OWNED = {"table", "view", "materialized view", "sequence", "function", "procedure", "aggregate", "type", "collation"}
_OWNED_AS = {"composite type": "TYPE", "statistics object": "STATISTICS"}


def add_owners(plan: Plan, sequences_of_columns: Iterable[int]) -> None:
    """Owners that are not the schema's: their objects are made as its owner."""
    follow = set(sequences_of_columns)
    for (catalog, oid), member in plan.world.members.items():
        if member.owner in (None, plan.world.owner) or (catalog, oid) in plan.world.parts or oid in follow:
            continue
        if member.type in _OWNED or member.type in _OWNED_AS:
            kind = _OWNED_AS.get(member.type, member.type.upper())
            plan.say(f"ALTER {kind} {member.identity} OWNER TO {member.owner}")


def default_privileges(plan: Plan) -> list[tuple[str, str]]:
    """Default privileges in the schema, as the text before and after its name. They come first, as they come first
    where tables are migrated: then most objects need no privileges of their own."""
    found = []
    elsewhere = Node(Stage.TYPE, "", "")
    for row in plan.world.rows(privileges.DEFAULTS):
        plan.claim(("pg_default_acl", row.oid), elsewhere)
        for (grantee, option), names in _by_grantee(_grants(row.grants)).items():
            end = " WITH GRANT OPTION" if option else ""
            text = f" GRANT {', '.join(names)} ON {row.objects} TO {grantee}{end}"
            found.append((f"ALTER DEFAULT PRIVILEGES FOR ROLE {row.role} IN SCHEMA ", text))
    return found


def add_grants(plan: Plan) -> list[tuple[str, str]]:
    """What is granted beyond what an object is born with, or revoked. What concerns the schema is returned, as the
    text before and after its name."""
    world = plan.world
    born = _born_with(plan)
    texts: dict[tuple[str, str, str], list[str]] = {}
    about_schema = []
    for row in world.rows(privileges.GRANTS):
        key = (row.catalog, row.oid)
        member = world.members.get(key)
        if member is not None and key in world.parts and member.type != "sequence":
            continue
        if row.others:
            what = member.identity if member else f"the schema {world.schema}"
            raise SnapshotRefused(f"{row.others[0]}, who is not its owner, granted privileges on {what}.")
        wanted = _grants(row.grants)
        had = {_as_owners(grant, world.owner, row.owner) for grant in born.get(row.kind, ())}
        for verb, grants, link in (("REVOKE", had - wanted, "FROM"), ("GRANT", wanted - had, "TO")):
            for (grantee, option), names in _by_grantee(grants).items():
                end = " WITH GRANT OPTION" if option and verb == "GRANT" else ""
                what = ", ".join(f"{name} ({row.column})" if row.column else name for name in names)
                if member is None:
                    about_schema.append((f"{verb} {what} ON SCHEMA ", f" {link} {grantee}{end}"))
                else:
                    kind = _KINDS[row.kind or "r"]
                    texts.setdefault((verb, f"{what} ON {kind}", f"{link} {grantee}{end}"), []).append(member.identity)
    for (verb, what, whom), objects in sorted(texts.items(), key=lambda item: (item[0][0] != "REVOKE", item)):
        plan.say(f"{verb} {what} {', '.join(sorted(objects))} {whom}")
    return about_schema


def _born_with(plan: Plan) -> dict[str, set[Grant]]:
    born: dict[str, set[Grant]] = {}
    for row in plan.world.rows(privileges.BORN_WITH):
        born.setdefault(row.kind, set()).update(_grants([row.grant]))
    for row in plan.world.rows(privileges.DEFAULTS):
        if row.role == plan.world.owner:
            born.setdefault(row.kind, set()).update(_grants(row.grants))
    return born


def _grants(given: Iterable[str]) -> set[Grant]:
    return {tuple(json.loads(text)) for text in given}


def _as_owners(grant: Grant, maker: str, owner: str) -> Grant:
    """A privilege that went to the new owner with the object."""
    return (owner, *grant[1:]) if grant[0] == maker else grant


def _by_grantee(grants: Iterable[Grant]) -> dict[tuple[str, bool], list[str]]:
    found: dict[tuple[str, bool], list[str]] = {}
    for grantee, privilege, option in sorted(grants):
        found.setdefault((grantee, option), []).append(privilege)
    return found
