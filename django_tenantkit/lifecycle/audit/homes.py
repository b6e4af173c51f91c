"""The homes of schema tenants: whether each is there, like the tables that row tenants share, shut, and whose it
says. A home is compared with the shared tables, and those with the models: see `guard.py`."""

from __future__ import annotations

from collections.abc import Iterator

from ...sql.common import fill
from ...sql.homes import quoted
from .evidence import Evidence
from .finding import NOTICE, WARNING, Check, Finding, ident
from .homes_evidence import PARTS

#: A place that has a schema.
_THERE = ("ready", "taken")


class HomeMissing(Check):
    """A schema that a place or a tenant has is not there."""

    id = "home.missing"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for home in evidence.homes.all:
            if not home.found and (home.state in _THERE or (home.slug is not None and home.state is None)):
                yield self.found(
                    home.schema,
                    f"The schema {home.schema} of {home.whose} is not there.",
                    advice="Restore it from a backup.",
                )


class HomeIncomplete(Check):
    """A home has not all the tables that row tenants share."""

    id = "home.incomplete"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        homes = evidence.homes
        for home in homes.complete:
            if lacking := sorted(homes.shared.keys() - homes.relations(home).keys()):
                yield self.found(
                    home.schema,
                    f"The schema {home.schema} of {home.whose} lacks {', '.join(lacking)}: what asks for them fails.",
                    advice="Migrate it, or restore them from a backup.",
                )


class HomeExtra(Check):
    """A home has a table or a view that is not among those of row tenants."""

    id = "home.extra"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        homes = evidence.homes
        for home in homes.complete:
            if extra := sorted(homes.relations(home).keys() - homes.shared.keys()):
                yield self.found(
                    home.schema,
                    f"The schema {home.schema} of {home.whose} also has {', '.join(extra)}, which no migration made "
                    "for other tenants.",
                    advice="See what they are, and drop them or make a migration.",
                )


class HomeDiffers(Check):
    """A table of a home is not like the one that row tenants share: its columns, guard, constraints, indexes,
    triggers or privileges differ."""

    id = "home.differs"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        homes = evidence.homes
        for home in homes.complete:
            for name, relation in homes.relations(home).items():
                like = homes.shared.get(name)
                differing = [part for part in PARTS if like and getattr(like, part) != getattr(relation, part)]
                if differing:
                    yield self.found(
                        f"{home.schema}.{name}",
                        f"{home.schema}.{name} of {home.whose} has other {', '.join(differing)} than "
                        f"{homes.row_schema}.{name}, which row tenants share.",
                        advice="Migrate it, or undo what was done by hand.",
                    )


class HomeBehind(Check):
    """`public` has a table named like one of tenants: a home that lacks its own would go on to it."""

    id = "home.behind"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for name in evidence.homes.behind():
            yield self.found(
                f"public.{name}",
                f"public.{name} is named like a table of tenants, and stands behind it in the path of each.",
                advice="See what is in it, and rename or drop it.",
            )


class HomeOpen(Check):
    """Everybody may use the schema of a tenant: only its tables' policies keep others out."""

    id = "home.open"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for home in evidence.homes.all:
            if home.open:
                yield self.found(
                    home.schema,
                    f"Everybody may use the schema {home.schema} of {home.whose}.",
                    f"REVOKE ALL ON SCHEMA {quoted(home.schema)} FROM PUBLIC;",
                )


class HomeShut(Check):
    """The application may not use the schema of a tenant."""

    id = "home.shut"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for home in evidence.homes.complete:
            if not home.usable:
                role = ident(evidence.roles.application)
                yield self.found(
                    home.schema,
                    f"The application may not use the schema {home.schema} of {home.whose}: all that asks there fails.",
                    f"GRANT USAGE ON SCHEMA {quoted(home.schema)} TO {role};",
                )


class HomeForeign(Check):
    """The home of one tenant has rows of another, or a free one has rows."""

    id = "home.foreign"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        homes = evidence.homes
        for home in homes.complete:
            if tables := homes.foreign(home):
                yield self.found(
                    home.schema,
                    f"The schema {home.schema} of {home.whose} has rows that are not of that tenant, in "
                    f"{', '.join(tables)}.",
                    advice="Nobody sees them. Move them to where their tenant lives, or delete them.",
                )
        if tables := homes.left_behind():
            yield self.found(
                homes.row_schema,
                f"The tables that row tenants share have rows of tenants that live elsewhere: {', '.join(tables)}.",
                advice="Nobody sees them. Move them to where their tenant lives, or delete them.",
            )


class HomeStale(Check):
    """The home of a tenant has other rows of nobody than the table where they are written."""

    id = "home.stale"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        homes = evidence.homes
        for home in homes.complete:
            if tables := homes.stale(home):
                yield self.found(
                    home.schema,
                    f"The schema {home.schema} of {home.whose} has other rows of nobody than {homes.row_schema}, where "
                    f"they are written, in {', '.join(tables)}.",
                    fill(home.schema) + ";",
                )


class HomeUnclaimed(Check):
    """A place was taken, and no tenant has it."""

    id = "home.unclaimed"
    severity = WARNING

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for home in evidence.homes.all:
            if home.state == "taken" and home.slug is None:
                yield self.found(
                    home.schema,
                    f"The place {home.schema} was taken, and there is no tenant that has it.",
                    advice="A place is never used again: see what is in the schema, and drop it.",
                )


class HomeUnplaced(Check):
    """A tenant has a schema by its row, and no place that was taken: migrations pass it over."""

    id = "home.unplaced"

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for home in evidence.homes.all:
            if home.slug is not None and home.state not in ("taken", "leaving"):
                state = f"is {home.state}" if home.state else "does not exist"
                yield self.found(
                    home.schema,
                    f"The tenant {home.slug} lives in the schema {home.schema}, and its place {state}.",
                    advice="Restore the row of the place: migrations go by places.",
                )


class HomeLeftOver(Check):
    """A schema is named like a tenant's, and belongs to no place."""

    id = "home.left-over"
    severity = NOTICE

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for home in evidence.homes.all:
            if home.found and home.state is None and home.slug is None:
                yield self.found(
                    home.schema,
                    f"The schema {home.schema} is named like a tenant's, and there is neither place nor tenant.",
                    advice=f"See what is in it. Then DROP SCHEMA {quoted(home.schema)} CASCADE.",
                )
