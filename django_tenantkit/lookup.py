"""Which tenant a name leads to, from a cache. Imports no models: `TenantHosts()` stands in settings files."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connections, models, router
from django.db.models.base import ModelState
from django.db.models.signals import post_delete, post_init, post_migrate, post_save, pre_init
from django.utils.timezone import now

from .conf import conf
from .context import get_current_tenant
from .exceptions import TenantNotFound
from .memory import Memory, now_and_on_commit
from .registry import users_live_at_home


class Name(NamedTuple):
    """What a request calls its tenant. `kind` is "slug", "uid" or "domain"; any other kind names nobody.
    `prefix` is the part of the path that held the name and is taken off for the views."""

    kind: str
    value: str
    prefix: str = ""


class _Row:
    """A tenant as it was read. Each request gets an object of its own: what it does to it stays there."""

    __slots__ = ("home_state", "json", "key", "model", "plain", "uid", "using", "values")

    def __init__(self, model: Any, using: str, values: dict[str, Any], home_state: str | None = None) -> None:
        #: The state of the migrations in its home, if that was asked for.
        self.home_state = home_state
        self.model = model
        self.using = using
        self.key = values[model._meta.pk.attname]
        self.values = values
        self.json = [name for name, value in values.items() if isinstance(value, dict | list)]
        #: The uid as sessions keep it. Written once: it takes long.
        self.uid = str(values["uid"])
        #: Whether an object can be made as unpickling makes it, in a third of the time of `from_db()`.
        self.plain = model.__init__ is models.Model.__init__ and not (
            pre_init.has_listeners(model) or post_init.has_listeners(model)
        )

    @classmethod
    def of(cls, tenant: Any) -> _Row:
        fields = type(tenant)._meta.concrete_fields
        values = {field.attname: getattr(tenant, field.attname) for field in fields}
        return cls(type(tenant), tenant._state.db, values, getattr(tenant, "tenantkit_home_state", None))

    def tenant(self) -> Any:
        values = dict(self.values)
        for name in self.json:
            values[name] = deepcopy(values[name]) if values[name] else type(values[name])()
        if self.plain:
            tenant = self.model.__new__(self.model)
            tenant.__dict__ = values
            state = tenant._state = ModelState()
            state.db, state.adding = self.using, False
        else:
            tenant = self.model.from_db(self.using, list(values), list(values.values()))
        tenant._state.tenantkit_uid = self.uid
        if self.home_state is not None:
            tenant._state.tenantkit_home_state = self.home_state
        return tenant


_rows: Memory[_Row] = Memory()
_misses: Memory[bool] = Memory()
_KINDS = frozenset({"slug", "uid", "domain"})
_NOWHERE: Final = UUID("5ab42ab9-2a38-5d06-9a3b-6a2ff3ea4f6d")


def find(name: Name, seconds: float | None = None) -> Any:
    """The tenant of that name in whatever state it is, or None. Asks the database at most once in
    TENANTKIT_LOOKUP_SECONDS (`seconds`, where they have been read), and never keeps more than
    TENANTKIT_LOOKUP_SIZE tenants and TENANTKIT_LOOKUP_MISSES unknown names."""
    row = _rows.get(name[:2], conf.LOOKUP_SECONDS if seconds is None else seconds)
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


def stand_in(name: Name) -> Any:
    """A tenant that there is not, for a client who named it: what a request does on the way to its refusal
    is the same then as for a tenant that there is. It has the name, a key and a uid that nobody has,
    and the defaults of the model's other fields. Nobody may act in it, and it cannot be saved."""
    model: Any = apps.get_model(conf.TENANT_MODEL)
    tenant = _stand_in(model, router.db_for_read(model), name.kind, name.value[:255]).tenant()
    tenant._tenantkit_stand_in = True
    tenant.save_base = _refuse_to_save
    return tenant


def is_stand_in(tenant: Any) -> bool:
    """Whether `tenant` is no tenant, but stands in for one that a client named."""
    return bool(getattr(tenant, "_tenantkit_stand_in", False))


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
        return None
    row = _Row.of(tenant)
    rows.put(name[:2], row, conf.LOOKUP_SIZE, generations[0])
    return row.tenant()


def tenants_of(user: Any) -> list[Any]:
    """The tenants in which `user` has a membership, by slug, whatever the current tenant: for a page on which
    somebody chooses where to work. Not from a cache. A user of a tenant's own (`own_users`) has that one."""
    if users_live_at_home() and (current := get_current_tenant()) is not None:
        return [current]
    tenants = _objects(conf.TENANT_MODEL)
    if connections[tenants.db].vendor == "postgresql":
        return list(tenants.raw("SELECT * FROM tenantkit.my_tenants(%s)", [user.pk]))
    return list(tenants.filter(memberships__user_id=user.pk).order_by("slug"))


def _query(name: Name) -> Any:
    """PostgreSQL shows a tenant no other one, and keeps these look-ups for functions of ours."""
    tenants = _objects(conf.TENANT_MODEL)
    if connections[tenants.db].vendor == "postgresql":
        state = ", tenantkit.home_state(uid) AS tenantkit_home_state" if conf.VERSION_GATE else ""
        query = f"SELECT *{state} FROM tenantkit.find_tenant(%s, %s)"
        return next(iter(tenants.raw(query, [name.kind, name.value])), None)
    if name.kind != "domain":
        return tenants.filter(**{name.kind: name.value}).first()
    domains = _objects(conf.DOMAIN_MODEL).filter(domain=name.value, verified_at__isnull=False)
    domain: Any = domains.select_related("tenant").first()
    return None if domain is None else domain.tenant


def _objects(label: str) -> models.Manager[Any]:
    """The base manager: a project's default manager may leave tenants out."""
    manager: models.Manager[Any] = apps.get_model(label)._base_manager
    return manager


@lru_cache(maxsize=1024)
def _stand_in(model: type[models.Model], using: str, kind: str, value: str) -> _Row:
    digest = uuid5(_NOWHERE, f"{kind}:{value}")
    given = {"uid": digest, "slug": value, "name": value, "created_at": now()}
    values = {}
    for field in model._meta.concrete_fields:
        name = field.attname
        values[name] = given[name] if name in given else _blank(field)
        if field.primary_key:
            values[name] = _unused_key(field, digest, using)
    return _Row(model, using, values)


def _blank(field: Any) -> Any:
    """The field's default, unless a function of the project would have to be asked: it may ask a database."""
    if not field.has_default():
        return None if field.db_default is not models.NOT_PROVIDED else field.get_default()
    return field.get_default() if field.default in (dict, list) or not callable(field.default) else None


def _unused_key(field: Any, digest: UUID, using: str) -> Any:
    """A value that no tenant's key has: sequences give no negative numbers, and do not come this far."""
    while field.remote_field is not None:
        field = field.target_field
    if isinstance(field, models.UUIDField):
        return digest
    if not isinstance(field, models.IntegerField):
        return str(digest)
    low, high = connections[using].ops.integer_field_range(field.get_internal_type())
    return low + digest.int % -low if low < 0 else high - digest.int % (high // 2)


def _refuse_to_save(*args: Any, **kwargs: Any) -> None:
    raise TenantNotFound()


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
