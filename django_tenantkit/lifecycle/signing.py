"""The signed context, as TENANTKIT_SIGNED_CONTEXT wants it. `migrate` applies it."""

from __future__ import annotations

from typing import Any

from ..conf import conf
from ..sql.roles import roles_of
from ..sql.signature import pads, secrets_of

POLICY = "tenantkit_signed"

#: The tables with a policy of ours, and whether they ask for a signature.
_TABLES = """
SELECT format('%%I.%%I', nspname, relname), bool_or(polname = %s)
FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE polname IN ('tenantkit_rows', %s)
GROUP BY 1 ORDER BY 1
"""

#: The tables of a schema that have policies and do not ask for a signature.
_UNSIGNED_IN = """
SELECT quote_ident(relname) FROM pg_class
WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')
    AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'tenantkit_rows')
    AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = %s)
ORDER BY relname
"""


def apply_signing(connection: Any) -> list[str]:
    """Make keys and policies of a PostgreSQL database what the setting says, as its system login. Returns the
    tables that were changed. With a setting of several secrets the first one signs and all of them count."""
    secrets = secrets_of(conf.SIGNED_CONTEXT)
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [POLICY, POLICY])
        wrong = [table for table, asks in cursor.fetchall() if asks != bool(secrets)]
        if secrets:
            keys = [pads(secret) for secret in secrets]
            cursor.execute(
                "DELETE FROM tenantkit.signing_keys WHERE NOT inner_key = ANY(%s)", [[key[0] for key in keys]]
            )
            insert = "INSERT INTO tenantkit.signing_keys (inner_key, outer_key) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            cursor.executemany(insert, keys)
        for table in wrong:
            cursor.execute(_demand(connection, table) if secrets else f"DROP POLICY {POLICY} ON {table}")
    return wrong


def sign_home(connection: Any, schema: str) -> None:
    """Let the guarded tables of a tenant's schema ask for a signature, where the setting names a secret."""
    if not secrets_of(conf.SIGNED_CONTEXT):
        return
    with connection.cursor() as cursor:
        cursor.execute(_UNSIGNED_IN, [connection.ops.quote_name(schema), POLICY])
        for (table,) in cursor.fetchall():
            cursor.execute(_demand(connection, f"{connection.ops.quote_name(schema)}.{table}"))


def _demand(connection: Any, table: str) -> str:
    roles, quote = roles_of(connection.settings_dict), connection.ops.quote_name
    return (
        f"CREATE POLICY {POLICY} ON {table} AS RESTRICTIVE TO {quote(roles.application)}, {quote(roles.operator)} "
        "USING ((SELECT tenantkit.context_is_signed()))"
    )
