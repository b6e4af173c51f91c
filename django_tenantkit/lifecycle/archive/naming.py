"""Shared rows by name: a row of a tenant that refers to one is read elsewhere too, where it has another key.

An archive says of each shared row which values tell it apart. It is found by them and never changed. The exception
are users: one that is missing is made, and may do nothing (docs/explanation/archives.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.serializers.json import DjangoJSONEncoder

from ...conf import conf
from ...context import tenant_context, unscoped
from ...exceptions import ArchiveRefused
from ...models import TenantReference, get_tenant_model
from ...registry import lives_at_home, tenant_field

#: Models that every home fills by itself, or that are nobody's to take along.
NAMED = {
    "contenttypes.ContentType": ["app_label", "model"],
    "auth.Permission": ["codename", "content_type__app_label", "content_type__model"],
}
LEFT_OUT = ("sessions.Session",)

_BATCH = 1000


def is_named(model: Any) -> bool:
    """Whether rows of the model are named, and not taken along."""
    return model._meta.label in NAMED or not (lives_at_home(model) or _is_about_a_tenant(model))


def _is_about_a_tenant(model: Any) -> bool:
    return any(isinstance(field, TenantReference) for field in model._meta.local_concrete_fields)


def shares_rows(model: Any) -> bool:
    """Whether some rows of a tenant's table are nobody's, for all to refer to: those are named too."""
    return bool(getattr(tenant_field(model), "shares_rows_of_nobody", False))


def names_of(model: Any) -> list[str] | None:
    """The fields whose values tell rows of a model apart; [] where `natural_key()` does. None where nothing does."""
    meta = model._meta
    if (given := conf.ARCHIVE_KEYS.get(meta.label) or NAMED.get(meta.label)) is not None:
        return list(given)
    if issubclass(model, get_tenant_model()):
        return ["uid"]
    if issubclass(model, get_user_model()):
        return [model.USERNAME_FIELD]
    if hasattr(model, "natural_key") and hasattr(model._default_manager, "get_by_natural_key"):
        return []
    unique = [field.name for field in meta.local_concrete_fields if field.unique and not field.primary_key]
    together = [list(found.fields) for found in meta.total_unique_constraints if found.fields]
    together += [list(fields) for fields in meta.unique_together]
    return [unique[0]] if unique else next(iter(together), None)


def check_names(found: Iterable[Any]) -> None:
    """Raise `ArchiveRefused` where rows of these models cannot be named."""
    if nameless := sorted({model._meta.label for model in found if names_of(model) is None}):
        raise ArchiveRefused(
            f"Rows of the tenant refer to shared rows of {', '.join(nameless)}, which nothing tells apart elsewhere. "
            f"Name fields that do: TENANTKIT_ARCHIVE_KEYS = {{{nameless[0]!r}: ['name']}}."
        )


def describe(model: Any, field: Any, keys: Iterable[str], tenant: Any, alias: str) -> Iterator[dict[str, Any]]:
    """What an archive says of rows: the value of `field` that refers to each, and its name."""
    names = names_of(model) or []
    more = _of_new_users(model)
    for some in _batches(keys):
        with reaching(model, tenant):
            rows = model._base_manager.using(alias).filter(**{f"{field.attname}__in": some})
            if names:
                found = [
                    (key, name, rest)
                    for key, *name_and in rows.values_list(field.attname, *names, *more)
                    for name, rest in [(name_and[: len(names)], name_and[len(names) :])]
                ]
            else:
                found = [(getattr(row, field.attname), list(row.natural_key()), []) for row in rows]
        for key, name, rest in found:
            row = {"key": _text(field, key), "name": name}
            yield {**row, "with": dict(zip(more, rest, strict=True))} if more else row


def encode(row: dict[str, Any]) -> bytes:
    """A line of the archive."""
    return json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False).encode() + b"\n"


def shared_model(kind: str) -> Any:
    """The model and the field of a kind, if that is the primary key of a shared model; None otherwise."""
    label, _, column = kind.rpartition(".")
    try:
        model: Any = apps.get_model(label)
    except (LookupError, ValueError):
        return None
    return (model, model._meta.pk) if is_named(model) and model._meta.pk.column == column else None


def may_be_made(model: Any) -> bool:
    """Whether rows of a shared model are made where they are missing: users are."""
    return issubclass(model, get_user_model()) and not lives_at_home(model)


class Matched:
    """The rows of one model that an archive names, as they are found here. `keys` maps what refers to them there to
    what does here; `primary` are the primary keys here; `missing` and `ambiguous` are names."""

    def __init__(self, model: Any, field: Any) -> None:
        self.model, self.field = model, field
        self.keys: dict[str, str] = {}
        self.primary: set[str] = set()
        self.missing: list[dict[str, Any]] = []
        self.ambiguous: list[Any] = []

    def find(self, rows: Sequence[dict[str, Any]], names: list[str], tenant: Any, alias: str, own: Any) -> None:
        """Look for rows by name. `own` is the uid of the tenant of the archive: that is now `tenant`."""
        is_tenant = issubclass(self.model, get_tenant_model())
        with reaching(self.model, tenant):
            for row in rows:
                is_own = is_tenant and row["name"] == [own]
                found = [tenant] if is_own else self._candidates(names, row["name"], alias)
                if len(found) == 1:
                    self.keys[row["key"]] = _text(self.field, getattr(found[0], self.field.attname))
                    self.primary.add(str(found[0].pk))
                elif found:
                    self.ambiguous.append(row["name"])
                else:
                    self.missing.append(row)

    def _candidates(self, names: list[str], values: list[Any], alias: str) -> list[Any]:
        try:
            if not names:
                return [self.model._default_manager.db_manager(alias).get_by_natural_key(*values)]
            wanted = dict(zip(names, values, strict=True))
            rows = self.model._base_manager.using(alias).filter(**_exact(wanted))
            if shares_rows(self.model):
                rows = rows.filter(**{f"{tenant_field(self.model).name}__isnull": True})
            return list(rows[:2])
        except self.model.DoesNotExist:
            return []
        except (TypeError, ValueError, ValidationError, FieldDoesNotExist, self.model.MultipleObjectsReturned) as error:
            raise ArchiveRefused(f"The archive names a {self.model._meta.label} as nothing is: {values!r}.") from error

    def make_users(self, names: list[str], alias: str) -> list[str]:
        """Make the users that are missing: they may do nothing, and cannot log in. Returns their names."""
        made = []
        for row in self.missing:
            values = dict(zip(names, row["name"], strict=True))
            allowed = _of_new_users(self.model)
            values |= {key: value for key, value in row.get("with", {}).items() if key in allowed and value is not None}
            user = self.model(**values, password=make_password(None))
            try:
                user.clean_fields(exclude=[field.name for field in user._meta.fields if field.name not in values])
            except ValidationError as error:
                raise ArchiveRefused(f"The user {row['name']!r} cannot be made here: {error.messages[0]}") from error
            user.save(using=alias, force_insert=True)
            self.keys[row["key"]] = _text(self.field, getattr(user, self.field.attname))
            self.primary.add(str(user.pk))
            made.append(str(row["name"][0]))
        self.missing = []
        return made


def _of_new_users(model: Any) -> list[str]:
    """What an archive says of users beside their names, as they may have to be made."""
    if not issubclass(model, get_user_model()) or lives_at_home(model):
        return []
    wanted = {*model.REQUIRED_FIELDS, getattr(model, "EMAIL_FIELD", ""), "first_name", "last_name"}
    return [
        field.name
        for field in model._meta.fields
        if field.name in wanted and not field.is_relation and field.name != model.USERNAME_FIELD
    ]


def _exact(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{name}__isnull" if value is None else name: True if value is None else value for name, value in wanted.items()
    }


def _text(field: Any, value: Any) -> str:
    """A key as PostgreSQL writes it."""
    return str(value)


def reaching(model: Any, tenant: Any) -> Any:
    """Where rows of the model can be read: those at home in the tenant, the others without one."""
    return (
        tenant_context(tenant) if lives_at_home(model) else unscoped(reason="shared rows of an archive", rows_only=True)
    )


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    listed = sorted(keys)
    for start in range(0, len(listed), _BATCH):
        yield listed[start : start + _BATCH]
