"""Migrations of many homes: which states there are, and the message that brings a home from one to the next.

A message that its client did not live to see the end of is finished by the server all the same. So what makes it
harmless comes first in it: the lock on the place, and the comparison of what the home has on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from .homes import quoted
from .places import KEY as PLACE_KEY
from .session import literal

#: The states that homes are in, how many are, and how many of them are tenants'. All of them, or those of some tenants.
SURVEY = """
SELECT found.migrations, state.names, found.places, found.tenants
FROM (
    SELECT migrations, count(*) AS places, count(*) FILTER (WHERE state = 'taken' AND isolation <> 'shard') AS tenants
    FROM django_tenantkit_place
    WHERE state IN ('ready', 'taken') AND (%(uids)s::uuid[] IS NULL OR uid = ANY (%(uids)s::uuid[]))
    GROUP BY migrations
) AS found
LEFT JOIN django_tenantkit_migrationstate AS state ON state.digest = found.migrations
ORDER BY found.places DESC, found.migrations
"""

#: What a home has on record, and its digest as `lifecycle/homes.py` makes it.
_NAME = """(app || '.' || name) COLLATE "C\""""
_DIGEST = f"""encode(sha256(convert_to(
    coalesce(string_agg(DISTINCT {_NAME}, E'\\n' ORDER BY {_NAME}), ''), 'UTF8')), 'hex')"""

#: What an error of `compare` says.
MOVED = "tenantkit moved"

#: What there is a message of its own for.
TRY_LOCK = "SELECT pg_advisory_lock(%s)"
UNLOCK = "SELECT pg_advisory_unlock(%s)"


def ledger(schema: str) -> str:
    """The table of a home with its record of migrations."""
    return f"{quoted(schema)}.django_migrations"


def digest_in(schema: str) -> str:
    """The query for the digest of what a home has on record."""
    return f"SELECT {_DIGEST} FROM {ledger(schema)}"


def begin(schema: str, uid: UUID) -> str:
    """The first statement of a message: its path, its lock until the end, and an error if the home is missing."""
    path = literal(f"{quoted(schema)}, public")
    return (
        f"SELECT {literal(quoted(schema))}::regnamespace, set_config('search_path', {path}, true), "
        f"pg_advisory_xact_lock({PLACE_KEY.format(literal(str(uid)))})"
    )


def compare(schema: str, before: str) -> str:
    """The statement that fails where the record of a home is another one: a text that is no number says so. One by
    itself, as the server plans it sooner than an INSERT with it inside."""
    digits = f"CASE {_DIGEST} WHEN {literal(before)} THEN '0' ELSE {literal(MOVED)} END"
    return f"SELECT ({digits})::int FROM {ledger(schema)}"


def record(schema: str, names: Sequence[tuple[str, str]], *, backwards: bool = False) -> str:
    """The statement with which a home has these migrations on record, or no longer."""
    if backwards:
        pairs = ", ".join(f"({literal(app)}, {literal(name)})" for app, name in names)
        return f"DELETE FROM {ledger(schema)} WHERE (app, name) IN ({pairs})"
    rows = ", ".join(f"({literal(app)}, {literal(name)}, clock_timestamp())" for app, name in names)
    return f"INSERT INTO {ledger(schema)} (app, name, applied) VALUES {rows}"


#: Notes the states of places: uids, the states that they were found in, those that their homes are in now, errors, and
#: seconds. A place that somebody else has changed meanwhile keeps the state that it says.
NOTE = """
UPDATE django_tenantkit_place AS place
SET migrations = CASE WHEN place.migrations = noted.before THEN coalesce(noted.after, place.migrations)
        ELSE place.migrations END,
    error = noted.error, seconds = noted.seconds, attempts = place.attempts + 1, updated_at = now()
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::numeric[])
    AS noted (uid, before, after, error, seconds)
WHERE place.uid = noted.uid
"""

#: Deferred references are looked at between two migrations, as at the end of a transaction.
SETTLE = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"


def message(statements: Iterable[Any]) -> str:
    """Statements as one. Each ends with a line of its own: it may end with a comment."""
    return "\n;\n".join(str(statement) for statement in statements)
