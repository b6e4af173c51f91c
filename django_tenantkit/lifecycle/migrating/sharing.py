"""Which migrations do the same in every home, so that their SQL can be recorded in one and sent to the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.migrations import Migration, operations
from django.db.models import NOT_PROVIDED

#: Operations of Django's whose SQL follows from the state of the project. These classes and no subclasses of them.
_KNOWN = frozenset(
    getattr(operations, name) for name in operations.__all__ if name not in ("RunPython", "SeparateDatabaseAndState")
)

#: Those after which there are the same models as before, with the same permissions.
_OF_COLUMNS = frozenset(
    kind
    for kind in _KNOWN
    if kind.__name__.endswith(("Field", "Index", "Constraint", "Together", "WithRespectTo"))
    or kind.__name__.startswith(("AlterModelTable", "AlterModelManagers"))
)

#: Those after which every table is guarded as it was before, if they make none for a many-to-many field.
_OF_GUARDED = frozenset(
    getattr(operations, name)
    for name in ("AddField", "AlterField", "RenameField", "AddIndex", "RemoveIndex", "RenameIndex")
)

#: Defaults that are the same each time they are called.
_CONSTANT = (dict, list, set, tuple, str, bytes, int, float, bool)


def why_alone(migration: Migration, home_apps: Iterable[str]) -> str:
    """Why a migration runs in each home by itself; empty where its SQL can be shared."""
    if not migration.atomic:
        return "it is not atomic"
    at_home = migration.app_label in home_apps
    return next((reason for one in _flat(migration.operations) if (reason := _why(one, at_home))), "")


def changes_kinds(migration: Migration) -> bool:
    """Whether content types or permissions could be others after a migration: whether it does anything but change
    columns, indexes and constraints."""
    return any(type(one) not in _OF_COLUMNS for one in _flat(migration.operations, with_state=True))


def may_unguard(migration: Migration, *, backwards: bool) -> bool:
    """Whether tables could be there after a migration that nobody has guarded yet."""
    return backwards or not all(map(_leaves_guarded, _flat(migration.operations)))


def _leaves_guarded(operation: Any) -> bool:
    field = getattr(operation, "field", None)
    return type(operation) in _OF_GUARDED and not (field is not None and field.many_to_many)


def _flat(given: Iterable[Any], *, with_state: bool = False) -> Iterator[Any]:
    for operation in given:
        if type(operation) is operations.SeparateDatabaseAndState:
            inside = [*operation.database_operations, *(operation.state_operations if with_state else ())]
            yield from _flat(inside, with_state=with_state)
        else:
            yield operation


def _why(operation: Any, at_home: bool) -> str:
    kind = type(operation)
    if kind is operations.RunPython:
        runs = at_home and operation.hints.get("homes") is not False
        return "RunPython" if runs else ""
    if kind not in _KNOWN:
        return f"{kind.__name__} is not one of Django's operations"
    field = getattr(operation, "field", None)
    if at_home and kind in (operations.AddField, operations.AlterField) and _fills_rows_differently(field):
        return f"the default of {operation.name} is called for each"
    return ""


def _fills_rows_differently(field: Any) -> bool:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return True
    default = getattr(field, "default", NOT_PROVIDED)
    return callable(default) and default is not NOT_PROVIDED and default not in _CONSTANT
