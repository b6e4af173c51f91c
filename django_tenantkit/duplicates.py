"""Duplicates that only the database sees: of two requests at the same time, or of a constraint that a
validator does not know. What is unique within the tenant is the client's matter, so it is told: 400."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import Error, IntegrityError, models
from django.http import HttpResponse

from .constraints import TenantUniqueConstraint
from .context import logger
from .registry import tenant_field
from .responses import is_api, refusal

UNIQUE_VIOLATION = "23505"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


class Duplicate(NamedTuple):
    """The constraint that a row violates, and its model."""

    model: type[models.Model]
    constraint: TenantUniqueConstraint

    @property
    def field(self) -> str | None:
        """The field whose value is taken; None where it is not one field's alone."""
        return self.constraint.fields[0] if len(self.constraint.fields) == 1 else None

    @property
    def message(self) -> str:
        """What `full_clean()` would have said."""
        constraint = self.constraint
        if constraint.fields and constraint.violation_error_message == constraint.default_violation_error_message:
            return " ".join(self.model().unique_error_message(self.model, constraint.fields).messages)
        return str(constraint.get_violation_error_message())


def find_duplicate(error: BaseException | None) -> Duplicate | None:
    """The duplicate within the tenant that `error` is about. None for every other error: those of other
    constraints, and what the program raises itself, whatever its cause."""
    while isinstance(error, Error):
        driver = error.__cause__ or error.__context__  # `raise error from None` takes the cause away
        if isinstance(error, IntegrityError) and not isinstance(driver, Error) and (found := _violated(driver)):
            return found
        error = error.__cause__  # a transaction that is broken since, or other words for the same
    return None


def _violated(cause: BaseException | None) -> Duplicate | None:
    """The constraint that the driver's error names."""
    diagnosis: Any = getattr(cause, "diag", None)
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if not isinstance(constraint, TenantUniqueConstraint):
                continue
            if diagnosis is None:
                if str(cause) in _sqlite_messages(model, constraint):
                    return Duplicate(model, constraint)
            elif (diagnosis.sqlstate, diagnosis.constraint_name) == (UNIQUE_VIOLATION, constraint.name):
                return Duplicate(model, constraint)
    return None


def _sqlite_messages(model: type[models.Model], constraint: TenantUniqueConstraint) -> tuple[str, str]:
    """SQLite names an index on expressions, and otherwise the columns of the constraint."""
    fields = [tenant_field(model), *map(model._meta.get_field, constraint.fields)]
    columns = ", ".join(f"{model._meta.db_table}.{field.column}" for field in fields)
    return f"UNIQUE constraint failed: index '{constraint.name}'", f"UNIQUE constraint failed: {columns}"


def answer_duplicate(request: Any, error: BaseException) -> HttpResponse | None:
    """The 400 for a view that ended with `error`; None unless it is a duplicate within the tenant. A client of
    Django REST framework gets what a validator would have answered. As after any error, what the view did to
    the session goes no further. Asks no database: the transaction may be broken."""
    if (found := find_duplicate(error)) is None:
        return None
    logger.info("%r: %s", request.path, error)
    if (session := getattr(request, "session", None)) is not None:
        session.modified = False
    message = found.message
    if not is_api(request):
        return refusal(request, "duplicate", 400, message)
    key = found.field or getattr(settings, "REST_FRAMEWORK", {}).get("NON_FIELD_ERRORS_KEY", "non_field_errors")
    return refusal(request, "duplicate", 400, message, {key: [message]})
