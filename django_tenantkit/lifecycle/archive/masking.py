"""Masking: a copy of a tenant for tests, without what nobody there should read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.module_loading import import_string

from ...conf import conf
from ...exceptions import ArchiveRefused
from ...sql import archives as sql
from .tables import Column, Table
from .taking import Mask

#: What a rule of TENANTKIT_MASKS can be, by its first word.
_KINDS = ("null", "fixed", "hash", "call")

Expressions = dict[str, dict[str, str]]


def masks(tables: list[Table]) -> tuple[Expressions, Mask]:
    """What TENANTKIT_MASKS says, for these tables: expressions for the server by model and column, and what is done
    with the lines of models whose rules are functions. Raises `ArchiveRefused` for a rule that is none."""
    expressions: Expressions = {}
    functions: dict[str, dict[str, Callable[[Any], Any]]] = {}
    known = {table.label: table for table in tables}
    salt = secrets.token_hex(16)
    for name, rule in conf.MASKS.items():
        label, _, field_name = name.rpartition(".")
        column = _column(known, name, label, field_name)
        kind, value = _parsed(name, rule)
        if kind == "call":
            functions.setdefault(label, {})[column.name] = _function(name, value)
        else:
            expressions.setdefault(label, {})[column.name] = _expression(name, column, kind, value, salt)
    return expressions, {label: _applying(found) for label, found in functions.items()}


def _column(known: Mapping[str, Table], name: str, label: str, field_name: str) -> Column:
    table = known.get(label)
    for column in () if table is None else table.columns.values():
        if field_name in (column.field.name, column.name):
            if column.field.primary_key or column.field.remote_field is not None:
                raise ArchiveRefused(f"TENANTKIT_MASKS cannot mask {name}: rows refer by it.")
            return column
    raise ArchiveRefused(f"TENANTKIT_MASKS names {name}, and no row of a tenant has that field.")


def _parsed(name: str, rule: Any) -> tuple[str, Any]:
    if rule is None:
        return "null", None
    if isinstance(rule, dict) and len(rule) == 1 and next(iter(rule)) in _KINDS:
        return next(iter(rule.items()))
    if rule in ("null", "hash"):
        return rule, None
    raise ArchiveRefused(
        f"TENANTKIT_MASKS has a rule for {name} that is none: {rule!r}. Write 'null', 'hash', {{'fixed': VALUE}} or "
        "{'call': 'dotted.path'}."
    )


def _expression(name: str, column: Column, kind: str, value: Any, salt: str) -> str:
    if kind == "null":
        if not column.field.null:
            raise ArchiveRefused(f"TENANTKIT_MASKS cannot make {name} null: its column is not.")
        return "NULL"
    if kind == "hash":
        length = getattr(column.field, "max_length", None) or 32
        return sql.hashed(column.name, salt, min(length, 32))
    return sql.fixed(value, column.type)


def _function(name: str, path: Any) -> Callable[[Any], Any]:
    try:
        function: Callable[[Any], Any] = import_string(path)
    except (ImportError, AttributeError) as error:
        raise ArchiveRefused(f"TENANTKIT_MASKS calls {path!r} for {name}, which is not there: {error}.") from error
    return function


def _applying(functions: Mapping[str, Callable[[Any], Any]]) -> Callable[[bytes], bytes]:
    """Changes lines by functions of one value each; what is null stays so."""

    def apply(lines: bytes) -> bytes:
        changed = []
        for line in lines.splitlines():
            row = json.loads(line)
            for column, function in functions.items():
                if row[column] is not None:
                    row[column] = function(row[column])
            changed.append(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        return b"".join(changed)

    return apply
