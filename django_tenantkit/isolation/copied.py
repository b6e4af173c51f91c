"""Which rows of shared tables a tenant's database has copies of: those that its own rows refer to, and what those
refer to in turn; and all content types, which Django looks up by name wherever an object came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models

from ..conf import conf
from ..registry import lives_at_home, tenant_field
from ..sql.common import Common

#: Models of which all rows are copied. They are small, and hold nobody's data.
WHOLE = frozenset({"contenttypes.contenttype"})

Model = type[models.Model]


def is_whole(model: Any) -> bool:
    """Whether all rows of the model are copied."""
    return model._meta.label_lower in WHOLE


def common_models(source: Iterable[Any]) -> list[Any]:
    """Of `source` those with rows that belong to no tenant and are for all of them: see `sql/common.py`."""
    return [model for model in source if _has_table(model) and is_common(model)]


def is_common(model: Any) -> bool:
    """Whether the model's own table has such rows."""
    field = tenant_field(model)
    return field is not None and field.shares_rows_of_nobody


def common_table(model: Any) -> Common:
    """Where they are."""
    meta = model._meta
    return Common(meta.db_table, conf.ROW_SCHEMA or "public", tenant_field(model).column, meta.pk.column)


def shared_references(model: Any) -> Iterator[Any]:
    """The foreign keys in `model`'s own table that refer to shared tables."""
    for field in model._meta.local_concrete_fields:
        target = field.remote_field.model if isinstance(field, models.ForeignKey) else None
        if target is not None and not isinstance(target, str) and not lives_at_home(target):
            yield field


def generic_references(model: Any) -> list[Any]:
    """The generic foreign keys of `model`, which may refer to shared rows too."""
    return [field for field in model._meta.private_fields if hasattr(field, "ct_field") and hasattr(field, "fk_field")]


def copied_models(source: Iterable[Any]) -> list[Any]:
    """Of `source`, all models of a project, the shared ones of which rows are copied."""
    source = [model for model in source if _has_table(model)]
    homes = [model for model in source if lives_at_home(model)]
    shared = [model for model in source if not lives_at_home(model)]
    if any(generic_references(model) for model in homes):
        return shared
    found: list[Any] = [model for model in shared if is_whole(model)]
    waiting: list[Any] = homes
    while waiting:
        targets = [field.remote_field.model._meta.concrete_model for field in shared_references(waiting.pop())]
        new = [model for model in targets if model not in found]
        found += new
        waiting += new
    return found


def _has_table(model: Any) -> bool:
    return bool(model._meta.managed and not model._meta.proxy and not model._meta.swapped)
