"""The signed context, as TENANTKIT_SIGNED_CONTEXT wants it. `migrate` applies it."""

from __future__ import annotations

from typing import Any

from ..conf import conf
from ..sql.policies import SIGNED
from ..sql.roles import roles_of
from ..sql.signature import TABLES, pads, secrets_of


def apply_signing(connection: Any) -> list[str]:
    """Make keys and policies of a PostgreSQL database what the setting says, as its system login. Returns the
    tables that were changed. With a setting of several secrets the first one signs and all of them count."""
    secrets = secrets_of(conf.SIGNED_CONTEXT)
    with connection.cursor() as cursor:
        wrong = _unlike(cursor, signed=bool(secrets))
        if secrets:
            keys = [pads(secret) for secret in secrets]
            cursor.execute(
                "DELETE FROM tenantkit.signing_keys WHERE NOT inner_key = ANY(%s)", [[key[0] for key in keys]]
            )
            insert = "INSERT INTO tenantkit.signing_keys (inner_key, outer_key) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            cursor.executemany(insert, keys)
        for table in wrong:
            cursor.execute(_demand(connection, table) if secrets else f"DROP POLICY {SIGNED} ON {table}")
    return wrong


def sign_home(connection: Any, schema: str) -> None:
    """Let the guarded tables of a tenant's schema ask for a signature, where the setting names a secret."""
    if not secrets_of(conf.SIGNED_CONTEXT):
        return
    with connection.cursor() as cursor:
        for table in _unlike(cursor, signed=True, schema=schema):
            cursor.execute(_demand(connection, table))


def _unlike(cursor: Any, *, signed: bool, schema: str | None = None) -> list[str]:
    """The guarded tables, of a schema or of all, that ask for a signature, or do not, unlike what is wanted."""
    cursor.execute(TABLES, {"schema": schema})
    return [table for table, asks in cursor.fetchall() if asks != signed]


def _demand(connection: Any, table: str) -> str:
    roles, quote = roles_of(connection.settings_dict), connection.ops.quote_name
    return (
        f"CREATE POLICY {SIGNED} ON {table} AS RESTRICTIVE TO {quote(roles.application)}, {quote(roles.operator)} "
        "USING ((SELECT tenantkit.context_is_signed()))"
    )
