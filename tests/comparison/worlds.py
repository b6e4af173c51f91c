"""The two databases, and what a piece of code gives in each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.contenttypes.prefetch import GenericPrefetch
from django.core.exceptions import FieldDoesNotExist, FieldError, MultipleObjectsReturned, ObjectDoesNotExist
from django.db import DatabaseError, NotSupportedError, connections, models, transaction
from django.db.models import functions

from django_tenantkit.context import tenant_context, unscoped

from . import data
from .graph import models_in_question

SCOPED, PLAIN = "scoped", "plain"

#: What a random queryset may raise: it asks for what Django or the database cannot do.
REFUSALS = (
    DatabaseError,
    NotSupportedError,
    FieldDoesNotExist,
    FieldError,
    AttributeError,  # a related manager has `clear()` only where the key may be empty
    NotImplementedError,
    TypeError,
    ValueError,
    ObjectDoesNotExist,
    MultipleObjectsReturned,
    models.RestrictedError,
    models.ProtectedError,
)


class Refused(str):
    """The outcome of code that raised: the name of the error's class."""


class Worlds:
    """Two tenants' rows in one database, one tenant's in the other."""

    def __init__(self) -> None:
        with transaction.atomic(SCOPED):
            self.tenant, _ = data.fill(SCOPED)
        with transaction.atomic(PLAIN):  # keys are checked at its end: tables are copied in any order
            data.copy(SCOPED, PLAIN, self.tenant)
        with transaction.atomic(SCOPED):
            self.crossings = data.crossings(SCOPED, self.tenant)
            transaction.set_rollback(True, SCOPED)
        django = {**vars(models), **vars(functions), "GenericPrefetch": GenericPrefetch, "each": each}
        self.names = {**django, **models_in_question(), "ids": self._keys()}

    def _keys(self) -> dict[str, list[Any]]:
        """Five keys of each model: of the tenant's rows, and last one of the other tenant's."""
        found = {}
        for name, model in models_in_question().items():
            with tenant_context(self.tenant):
                own = list(model._base_manager.using(SCOPED).order_by("pk").values_list("pk", flat=True))
            with unscoped("keys of the other tenant"):
                foreign = model._base_manager.using(SCOPED).exclude(pk__in=own).order_by("pk")
                others = list(foreign.values_list("pk", flat=True))
            found[name] = [*(own * 4)[:4], *others[:1]] if others else (own * 5)[:5]
        return found

    def scoped(self, code: str, *, written: bool = False) -> Any:
        """What the code gives inside the tenant."""
        return self._outcome(code, SCOPED, tenant_context(self.tenant), written=written, crossed=not written)

    def plain(self, code: str, *, written: bool = False) -> Any:
        """What it gives on the tenant's rows alone. With no tenant: our compilers would refuse."""
        return self._outcome(code, PLAIN, tenant_context(None), written=written)

    def leaking(self, code: str) -> Any:
        """What it gives when nothing is scoped."""
        return self._outcome(code, SCOPED, unscoped("shows that the comparison notices"))

    def _outcome(self, code: str, using: str, scope: Any, *, written: bool = False, crossed: bool = False) -> Any:
        """The dumped value, with all rows of the tenant when the code writes; nothing stays written."""
        with transaction.atomic(using=using):
            try:
                if crossed:
                    self._cross_the_line()
                with scope:
                    value = dump(eval(code, {**self.names, "db": using}))
                if not written:
                    return value
                connections[using].check_constraints()
                if using == SCOPED:
                    assert data.state(using, self.tenant, others=True) == self.others_state
                return value, data.state(using, self.tenant)
            except REFUSALS as error:
                return Refused(type(error).__name__)
            finally:
                transaction.set_rollback(True, using=using)

    def _cross_the_line(self) -> None:
        """Rows of the other tenant refer to this one's. Not for writes: keys would stop a deletion."""
        with unscoped("as nobody could inside a tenant"), connections[SCOPED].cursor() as cursor:
            for change, values in self.crossings:
                cursor.execute(change, values)

    @property
    def others_state(self) -> dict[str, list[str]]:
        """The rows of the other tenant, as they were made."""
        if not hasattr(self, "_others_state"):
            self._others_state = data.state(SCOPED, self.tenant, others=True)
        return self._others_state


def dump(value: Any, inside: tuple[Any, ...] = ()) -> Any:
    """Something comparable that shows all there is in memory: columns, annotations, related objects. The
    tenant's own column is left out: it is loaded even where `only()` does not ask for it. What refers back
    is named only: of equal rows it is open which one a prefetched row refers to."""
    if isinstance(value, models.Model):
        name = (value._meta.concrete_model._meta.label, value.pk)
        if name in inside:
            return name
        inside = (*inside, name)
        hidden = {field.attname for field in value._meta.concrete_fields if hasattr(field, "names_the_tenant")}
        shown = {key: held for key, held in vars(value).items() if key not in hidden and not key.startswith("_")}
        related = {name: dump(held, inside) for name, held in value._state.fields_cache.items()}
        lists = getattr(value, "_prefetched_objects_cache", {})
        many = {name: sorted(repr(dump(row, inside)) for row in rows) for name, rows in lists.items()}
        return (value._meta.label, items(shown), items(related), items(many))
    if isinstance(value, dict):
        return items({key: dump(held, inside) for key, held in value.items()})
    if isinstance(value, tuple):
        return tuple(dump(held, inside) for held in value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [dump(held, inside) for held in value]
    return value


def items(values: dict[Any, Any]) -> list[Any]:
    return sorted(values.items(), key=lambda item: str(item[0]))


def each(rows: Any, action: str, **values: Any) -> int:
    """Give every row these values, then save or delete it, or save them all at once."""
    rows = list(rows)
    for row in rows:
        for name, value in values.items():
            setattr(row, name, value)
        if action != "bulk_update":
            getattr(row, action)()
    if action == "bulk_update" and rows:
        type(rows[0])._base_manager.using(rows[0]._state.db).bulk_update(rows, list(values))
    return len(rows)
