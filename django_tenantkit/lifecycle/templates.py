"""Databases that tenants' are copies of: one for each state of the project's migrations on each server.

It is made under the name that a tenant's would have and renamed when it is whole, so that one by that name is never
half-made. Nobody connects to it, which would keep others from copying it, and no tenant's database is ever one.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
from django.db import Error, connections, router

from ..context import logger
from ..exceptions import TenantkitError
from ..models import Place
from ..sql import databases as sql
from ..sql.roles import roles_of
from . import databases
from .alone import alone
from .finished import key_of


def make_database(uid: UUID, server: str = "") -> None:
    """Make the database of that uid, a copy of the template where there is one; or complete a half-made one. As the
    system, outside of transactions."""
    template = template_for(server)
    if databases.make_database(uid, server, template) and template:
        databases.finish_copy(uid, server)
    else:
        databases.migrate_database(uid, server)


def template_for(server: str = "") -> str:
    """The name of the database to copy on a server, which is made if it is not there; those of other states are
    dropped then. Empty where none can be made: then each database is migrated. As the system, outside of
    transactions."""
    main: Any = connections[router.db_for_write(Place)]
    uid = UUID(key_of(main)[:32])
    connection = databases.closed(uid, server)
    try:
        with alone(main, uid):
            return _there(connection, uid) or _make(connection, uid, server)
    except (Error, psycopg.Error, TenantkitError) as error:
        logger.warning("Databases of tenants are migrated one by one, as there is no template: %s", error)
        return ""
    finally:
        connection.close()


def _there(connection: Any, uid: UUID) -> str:
    name = databases.names_of(connection, uid).template
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.THERE, [[name]])
        return "" if cursor.fetchone() is None else name


def _make(connection: Any, uid: UUID, server: str) -> str:
    own, _, name = databases.names_of(connection, uid)
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.drop(own))  # whoever made it was killed
    databases.make_database(uid, server)
    databases.migrate_template(uid, server)
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql.allow_connections(own, allow=False))
        databases.end_sessions(cursor, own, roles_of(connection.settings_dict))
        cursor.execute(sql.rename(own, name))
        cursor.execute(sql.NAMED, [name.removesuffix(uid.hex)])
        for (other,) in cursor.fetchall():
            if other != name:
                _discard(cursor, other)
    return name


def _discard(cursor: Any, name: str) -> None:
    try:
        cursor.execute(sql.drop(name))
    except Error as error:  # a process of another release is copying it
        logger.warning("The template %s was not dropped: %s", name, error)
