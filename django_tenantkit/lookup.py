"""Which tenant a name leads to, from a cache. Imports no models: `TenantHosts()` stands in settings files."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connections, models, router
from django.db.models.base import ModelState
from django.db.models.signals import post_delete, post_init, post_migrate, post_save, pre_init

from .conf import conf
from .memory import Memory, now_and_on_commit


class Name(NamedTuple):
    """What a request calls its tenant. `kind` is "slug", "uid" or "domain"; any other kind names nobody.
    `prefix` is the part of the path that held the name and is taken off for the views."""

    kind: str
    value: str
    prefix: str = ""


class _Row:
    """A tenant as it was read. Each request gets an object of its own: what it does to it stays there."""

    __slots__ = ("json", "key", "model", "plain", "using", "values")

    def __init__(self, tenant: Any) -> None:
        model: Any = type(tenant)
        self.model = model
        self.using = tenant._state.db
        self.key = tenant.pk
        self.values = {field.attname: getattr(tenant, field.attname) for field in model._meta.concrete_fields}
        self.json = [name for name, value in self.values.items() if isinstance(value, dict | list)]
        #: Whether an object can be made as unpickling makes it, in a third of the time of `from_db()`.
        self.plain = model.__init__ is models.Model.__init__ and not (
            pre_init.has_listeners(model) or post_init.has_listeners(model)
        )

    def tenant(self) -> Any:
        values = dict(self.values)
        for name in self.json:
            values[name] = deepcopy(values[name]) if values[name] else type(values[name])()
        if not self.plain:
            return self.model.from_db(self.using, list(values), list(values.values()))
        tenant = self.model.__new__(self.model)
        tenant.__dict__ = values
        state = tenant._state = ModelState()
        state.db, state.adding = self.using, False
        return tenant


_rows: Memory[_Row] = Memory()
_misses: Memory[bool] = Memory()
_KINDS = frozenset({"slug", "uid", "domain"})


def find(name: Name) -> Any:
    """The tenant of that name in whatever state it is, or None. Asks the database at most once in
    TENANTKIT_LOOKUP_SECONDS, and never keeps more than TENANTKIT_LOOKUP_SIZE tenants and
    TENANTKIT_LOOKUP_MISSES unknown names."""
    row = _rows.get(name[:2], conf.LOOKUP_SECONDS)
    if row is not None:
        return row.tenant()
    return None if _is_missing(name) else _read(name)


async def afind(name: Name) -> Any:
    """`find` for coroutines. Changes threads only to ask the database."""
    row = _rows.get(name[:2], conf.LOOKUP_SECONDS)
    if row is not None:
        return row.tenant()
    return None if _is_missing(name) else await sync_to_async(_read)(name)


def find_by_slug(slug: str) -> Any:
    """The tenant with this slug, or None."""
    return find(Name("slug", slug))


def find_by_uid(uid: Any) -> Any:
    """The tenant with this uid, or None. `uid` is a UUID or its text."""
    return find(Name("uid", str(uid)))


def find_by_domain(host: str) -> Any:
    """The tenant of this verified custom domain, or None. `host` is normalised, see `names.py`."""
    return find(Name("domain", host))


async def afind_by_slug(slug: str) -> Any:
    """`find_by_slug` for coroutines."""
    return await afind(Name("slug", slug))


async def afind_by_uid(uid: Any) -> Any:
    """`find_by_uid` for coroutines."""
    return await afind(Name("uid", str(uid)))


async def afind_by_domain(host: str) -> Any:
    """`find_by_domain` for coroutines."""
    return await afind(Name("domain", host))


def forget(tenant: Any = None) -> None:
    """Forget one tenant, or everything. `save()` and `delete()` do it by themselves; call it after
    `QuerySet.update()`, which sends no signals."""
    _misses.forget()
    if tenant is None:
        _rows.forget()
        return
    names = {("slug", str(tenant.slug)), ("uid", str(tenant.uid))}
    _rows.forget(lambda name, row: row.key == tenant.pk or name[:2] in names)


def connect() -> None:
    """Forget what changes in this process. `AppConfig.ready()` calls it."""
    for signal in (post_save, post_delete):
        signal.connect(_tenant_changed, sender=conf.TENANT_MODEL, dispatch_uid="django_tenantkit.lookup.tenant")
        signal.connect(_domain_changed, sender=conf.DOMAIN_MODEL, dispatch_uid="django_tenantkit.lookup.domain")
    post_migrate.connect(_everything_changed, dispatch_uid="django_tenantkit.lookup")


def _is_missing(name: Name, misses: Memory[bool] = _misses) -> bool:
    return name.kind not in _KINDS or misses.get(name[:2], conf.LOOKUP_SECONDS) is not None


def _read(name: Name) -> Any:
    connection = connections[router.db_for_read(apps.get_model(conf.TENANT_MODEL))]
    rows, misses = _rows.during(connection), _misses.during(connection)
    if rows is not _rows:
        if (row := rows.get(name[:2], conf.LOOKUP_SECONDS)) is not None:
            return row.tenant()
        if _is_missing(name, misses):
            return None
    generations = rows.generation, misses.generation
    tenant = _query(name)
    if tenant is None:
        misses.put(name[:2], True, conf.LOOKUP_MISSES, generations[1])
    else:
        rows.put(name[:2], _Row(tenant), conf.LOOKUP_SIZE, generations[0])
    return tenant


def _query(name: Name) -> Any:
    if name.kind != "domain":
        return _objects(conf.TENANT_MODEL).filter(**{name.kind: name.value}).first()
    domains = _objects(conf.DOMAIN_MODEL).filter(domain=name.value, verified_at__isnull=False)
    domain: Any = domains.select_related("tenant").first()
    return None if domain is None else domain.tenant


def _objects(label: str) -> models.Manager[Any]:
    """The base manager: a project's default manager may leave tenants out."""
    manager: models.Manager[Any] = apps.get_model(label)._base_manager
    return manager


def _tenant_changed(instance: Any, using: str, **kwargs: Any) -> None:
    now_and_on_commit(partial(forget, instance), using)


def _domain_changed(using: str, **kwargs: Any) -> None:
    now_and_on_commit(_forget_domains, using)


def _forget_domains() -> None:
    _misses.forget()
    _rows.forget(lambda name, row: name[0] == "domain")


def _everything_changed(**kwargs: Any) -> None:
    """`flush` and `migrate` send no signals for rows."""
    forget()
