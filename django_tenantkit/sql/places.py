"""Taking a place: one statement, so that two who sign up at once never get the same one."""

from __future__ import annotations

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
