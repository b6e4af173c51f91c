"""Errors of the server, told as if the context had not been sent in front."""

from __future__ import annotations

import re

import psycopg
from django.apps import apps
from psycopg import errors

from ...context import Scope, describe
from ...exceptions import AcrossDatabases, HomeMissing, TenantUnavailable
from ...lookup import forget
from ...registry import lives_at_home, table_map
from ...sql.fence import SQLSTATE
from ...sql.roles import Roles


def without_prefix(
    error: psycopg.Error, ahead: bytes, statement: bytes, roles: Roles, elsewhere: Scope | None = None
) -> psycopg.Error:
    """`error` with a message that shows nothing of what was sent `ahead` of the statement; with the next step where it
    is about the roles, or about what a tenant that lives `elsewhere` has not in this database."""
    cure, position = _cure(error, roles) or _missing_here(error, elsewhere), error.diag.statement_position
    if not cure and not (ahead and position):
        return error
    parts = [error.diag.message_primary or ""]
    if ahead and position:
        parts += _line(statement.decode(errors="replace"), int(position) - 1 - len(ahead.decode(errors="replace")))
    labelled = {
        "DETAIL": error.diag.message_detail,
        "HINT": cure or error.diag.message_hint,
        "CONTEXT": error.diag.context,
    }
    parts += [f"{label}:  {text}" for label, text in labelled.items() if text]
    error.args = ("\n".join(parts),)
    return error


def not_at_home(error: psycopg.Error, scope: Scope) -> TenantUnavailable | None:
    """The error for a tenant whose rows are out of reach where this process looks for them, if that is what `error`
    says. It may have moved: what the process knows of it is forgotten."""
    found = _fenced(error, scope) or missing_home(error, scope)
    # A tenant that leaves its database ends the sessions there. To Django that is a lost connection.
    ended = isinstance(error, errors.AdminShutdown)
    if scope.tenant is not None and (found is not None or ended):
        forget(scope.tenant)
    return found


def _fenced(error: psycopg.Error, scope: Scope) -> TenantUnavailable | None:
    if error.sqlstate != SQLSTATE:
        return None
    whose = "a tenant" if scope.tenant is None else f"the tenant {scope.tenant.slug!r}"
    return TenantUnavailable(
        f"{error.diag.message_primary} This was about rows of {whose}, which is being moved, suspended or erased, or "
        "lives elsewhere by now. Nothing was written. Look the tenant up again, and retry."
    )


def missing_home(error: psycopg.Error, scope: Scope) -> HomeMissing | None:
    """The error for a tenant whose schema is not there, if that is what `error` says."""
    schema = scope.home.schema if scope.home is not None else ""
    if scope.tenant is None or not schema or not isinstance(error, errors.InvalidSchemaName):
        return None
    if f'"{schema}"' not in (error.diag.message_primary or ""):
        return None
    return HomeMissing(
        f"The schema {schema} of the tenant {scope.tenant.slug!r} is not there, so nothing was read or written. "
        "Restore it from a backup; `list_tenants` shows where tenants should be."
    )


def across_databases(error: psycopg.Error, elsewhere: Scope | None) -> AcrossDatabases | None:
    """The error for SQL that names a table of tenants in the main database, for a tenant that lives `elsewhere`, if
    that is what `error` says. The message may be in any language; that a FROM lacks a table is in all of them."""
    message = error.diag.message_primary or ""
    if elsewhere is None or not isinstance(error, errors.UndefinedTable) or "FROM" in message:
        return None
    for table, model in table_map(apps).models.items():
        if lives_at_home(model) and re.search(rf"(?<![\w.]){re.escape(table)}(?![\w.])", message):
            return AcrossDatabases(
                f"This SQL looks for {table} in the main database, and {describe(elsewhere)} lives in another one. SQL "
                f"that starts at a model of tenants goes there, as `{model._meta.object_name}.objects.raw(...)` does, "
                "and so does that of `django.db.connection`. Start it there, or ask twice."
            )
    return None


def _line(statement: str, offset: int) -> list[str]:
    """The line of `statement` with the character at `offset`, and a mark below it, as psql shows them."""
    if not 0 <= offset <= len(statement):
        return []
    start = statement.rfind("\n", 0, offset) + 1
    end = statement.find("\n", offset)
    label = f"LINE {statement.count(chr(10), 0, offset) + 1}: "
    shown = max(start, offset - 60)
    return [label + statement[shown : end if end >= 0 else None][:120], " " * (len(label) + offset - shown) + "^"]


def _missing_here(error: psycopg.Error, elsewhere: Scope | None) -> str:
    missing = (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedObject)
    if elsewhere is None or not isinstance(error, missing):
        return ""
    there = f"{describe(elsewhere)} lives in another database: here it finds what is in public, and not row tenants'."
    return f"{error.diag.message_hint or ''} {there}".strip()


def _cure(error: psycopg.Error, roles: Roles) -> str:
    message = error.diag.message_primary or ""
    if isinstance(error, errors.InvalidParameterValue) and any(
        f'role "{role}" does not exist' in message for role in roles
    ):
        return "The roles of this database are made by `manage.py setup_roles`."
    if isinstance(error, errors.InsufficientPrivilege) and f'set role "{roles.operator}"' in message:
        return (
            "unscoped(...) runs as the operator's role, and this login may not take it. Name a login that may in "
            "TENANTKIT_OPERATOR_DATABASE, or set TENANTKIT_WEB_MAY_OPERATE = True; then run `manage.py setup_roles`."
        )
    if isinstance(error, errors.InsufficientPrivilege) and f'set role "{roles.application}"' in message:
        return "This login must be the application's role or a member of it. `manage.py setup_roles` sees to that."
    if isinstance(error, errors.InsufficientPrivilege) and "row-level security policy" in message:
        return (
            "The row is not the current tenant's, or its table is for operators to write. Name the tenant with "
            'tenant_context(tenant), or do it in unscoped(reason="...").'
        )
    return ""
