"""Places in the ledger: made in the message that makes the home, and taken by one statement, so that two who sign
up at once never get the same one."""

from __future__ import annotations

from typing import Any

from .session import literal

#: The place of a job itself, wherever it stands once it is whole, or else the oldest one that is ready.
TAKE = """
UPDATE {place} SET state = 'taken', taken_at = now(), updated_at = now()
WHERE uid = (
    SELECT uid FROM {place}
    WHERE isolation = %(isolation)s AND database = %(server)s
        AND (state = 'ready' OR uid = %(uid)s AND state = 'making' AND migrations <> '')
    ORDER BY uid = %(uid)s DESC NULLS LAST, uid LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING uid
"""

#: One at a time makes, migrates or drops a place, and nobody is kept waiting by a process that died.
KEY = "hashtextextended('tenantkit.place ' || {}, 0)"
LOCK = f"SELECT pg_advisory_lock({KEY.format('%s')})"
UNLOCK = f"SELECT pg_advisory_unlock({KEY.format('%s')})"


def made(table: str, place: Any, digest: str) -> tuple[str, str]:
    """The first and the last statement of the message that makes a home: its place is noted if and only if all of
    it is done. First, as a message may outlive its client: then another one for the same place fails."""
    values = (str(place.uid), place.isolation, place.database, str(place.state), digest)
    noted = (
        f"INSERT INTO {table} AS place (uid, isolation, database, state, migrations, attempts, error, created_at, "
        f"updated_at) VALUES ({', '.join(map(literal, values))}, 1, '', now(), now()) "
        "ON CONFLICT (uid) DO UPDATE SET state = EXCLUDED.state, migrations = EXCLUDED.migrations, error = '', "
        "attempts = place.attempts + 1, updated_at = now()"
    )
    timed = (
        f"UPDATE {table} SET seconds = round(extract(epoch FROM clock_timestamp() - now())::numeric, 4) "
        f"WHERE uid = {literal(str(place.uid))}"
    )
    return noted, timed
