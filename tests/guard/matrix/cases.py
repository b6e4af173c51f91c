"""Every way in every place: in a tenant, in none, and with the ORM's scoping."""

from __future__ import annotations

from typing import NamedTuple

from tests.isolation.operations import ACROSS, OPERATIONS
from tests.isolation.world import has_database

from .crossing import CROSSING, GENERIC, IN_A_TENANT
from .ground import Ground, Verdict
from .reading import READING
from .writing import WRITING

#: What works on one's own rows.
OWN = {**{f"operation: {name}": run for name, run in OPERATIONS.items()}, **READING, **WRITING}

#: What has to be refused, or to come to nothing.
FORBIDDEN = {**CROSSING, **IN_A_TENANT}

WAYS = {**OWN, **FORBIDDEN}

#: What works in plain Django where there is no other tenant, and not here; and why that is no false refusal.
DIFFERENT = {
    "operation: m2m set on a shared row": "Django's INSERT leaves the tenant out. In plain Django it fails by "
    "NOT NULL, and here by the policy, which is asked first.",
    "write by the ORM: delete a shared row": "Another tenant's row refers to it, and its foreign key holds.",
}

#: What the ORM's scoping does by itself, so that there is nothing to compare.
SCOPING_DOES = {
    "operation: serialize": "The tenant is no part of a row's data for those who have but one.",
    "cross by the ORM: create for nobody": "The tenant is filled in.",
}

#: What would need both databases where the tenant has one, as shared rows are in the main one: it raises. That it shows
#: nothing of another tenant is tried there too.
ACROSS_DATABASES = (
    *(f"operation: {name}" for name in sorted(ACROSS)),
    *(
        f"read by the ORM: {name}"
        for name in (
            "extra tables",
            "raw of a shared model",
            "RawSQL as an annotation",
            "RawSQL in a filter",
            "RawSQL of names",
            "Func with a query",
            "extra select",
        )
    ),
)

#: What differs there.
IN_A_DATABASE = {
    **dict.fromkeys(ACROSS_DATABASES, "It starts at a shared model, and raises."),
    "write by the ORM: update a shared row": "It reaches the main database; plain Django has the copy, read-only.",
}

ALONE, NO_TENANT, SCOPED = "the database alone", "the database alone, no tenant", "the ORM's scoping too"


class Case(NamedTuple):
    """One way in one place."""

    name: str
    place: str

    def judge(self, ground: Ground) -> Verdict:
        """What is wrong with it."""
        is_alone = self.place == ALONE
        crossing = self.name in FORBIDDEN or (is_alone and self.name in DIFFERENT)
        verdict = ground.judge(
            WAYS[self.name],
            None if self.place == NO_TENANT else ground.acme,
            scoped=self.place == SCOPED,
            crossing=crossing,
            marks="testapp_note" if is_alone and self.name in GENERIC else "",
        )
        elsewhere = self.place == SCOPED and has_database(ground.acme) and self.name in IN_A_DATABASE
        return verdict._replace(fault="") if elsewhere else verdict


def in_place(place: str) -> list[str]:
    """The ways that are tried in a place."""
    left_out = {ALONE: {}, NO_TENANT: IN_A_TENANT, SCOPED: {**DIFFERENT, **SCOPING_DOES}}[place]
    return [name for name in WAYS if name not in left_out]


CASES = [Case(name, place) for place in (ALONE, NO_TENANT, SCOPED) for name in in_place(place)]
