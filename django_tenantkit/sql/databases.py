"""Databases of tenants on their server: made, put out of reach, brought back and dropped. By the system's login, on a
connection to another database."""

from __future__ import annotations

from psycopg import sql

#: Who owns a database.
OWNER = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"

#: Which of some databases there are.
THERE = "SELECT datname FROM pg_database WHERE datname = ANY (%s) ORDER BY datname"

#: Those whose names begin so.
NAMED = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname"

#: The limits of some databases, -1 for none.
LIMITS = "SELECT datname, datconnlimit FROM pg_database WHERE datname = ANY (%s)"

#: The sessions of a database that the role in hand may end, and the end of one, which is waited for, for five seconds.
ENDABLE = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pg_has_role(usesysid, 'USAGE')"
END_SESSION = "SELECT pg_terminate_backend(%s, 5000)"

#: Whose sessions are left.
SESSIONS = "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE datname = %s AND usename IS NOT NULL ORDER BY 1"

#: One process at a time migrates a database: the lock ends with its connection.
LOCK = "SELECT pg_advisory_lock(hashtext('tenantkit.migrate'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext('tenantkit.migrate'))"


def create(name: str, owner: str, limit: int | None, template: str = "") -> sql.Composed:
    """The statement that makes a database, with at most `limit` connections of all processes together; a copy of
    another one, if `template` names it."""
    like = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
    return (
        sql.SQL("CREATE DATABASE {} OWNER {} CONNECTION LIMIT {}").format(
            sql.Identifier(name), sql.Identifier(owner), sql.Literal(-1 if limit is None else limit)
        )
        + like
    )


def drop(name: str) -> sql.Composed:
    """The statement that drops a database, with whoever is connected, if it is there."""
    return sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))


def rename(name: str, new: str) -> sql.Composed:
    """The statement that renames a database to which nobody is connected."""
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new))


def allow_connections(name: str, *, allow: bool) -> sql.Composed:
    """The statement that opens or shuts a database."""
    return sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), sql.Literal(allow))


def limit(name: str, number: int | None) -> sql.Composed:
    """The statement that gives a database another limit; None: no limit."""
    return sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
        sql.Identifier(name), sql.Literal(-1 if number is None else number)
    )


def act_as(role: str) -> sql.Composed:
    """The statement after which the session acts as a role."""
    return sql.SQL("SET ROLE {}").format(sql.Identifier(role))
