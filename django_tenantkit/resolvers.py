"""How a request names its tenant. A chain of these stands in TENANTKIT_RESOLVERS; all of them are asked."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .conf import Settings, conf, made_of
from .exceptions import MalformedTenantName
from .hosts import NOBODY, is_slug, read_host
from .lookup import Name, find
from .models import TenantStatus

#: Where a tenant stands that is there for clients.
SERVED = frozenset({TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.MAINTENANCE})
#: What a visit says of its host until somebody asks.
UNREAD: Final = object()
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Resolver:
    """One way in which requests name tenants. Override `name()`; override `aname()` too where it reads
    something that coroutines read in another way. Resolvers only read: the tenant itself is looked up in
    a cache that all of them share (`lookup.py`)."""

    #: What `request.tenant_named_by` says.
    named_by = "other"
    #: Whether the client chose the name. An anonymous user is let in only where the host named the tenant.
    by_client = True
    #: The headers that were read, for `Vary`, whether or not they named a tenant. Never Host.
    vary: tuple[str, ...] = ()

    def name(self, request: HttpRequest) -> Name | None:
        """What `request` calls its tenant, or None when this resolver finds no name in it. Raises
        `MalformedTenantName` for what cannot be a name."""
        raise NotImplementedError(f"{type(self).__name__} needs a method name(request)")

    async def aname(self, request: HttpRequest) -> Name | None:
        """`name` for coroutines. Changes threads only when `name` wants to ask a database."""
        try:
            return self.name(request)
        except SynchronousOnlyOperation:
            return await sync_to_async(self.name)(request)


class SubdomainResolver(Resolver):
    """`acme.example.com`, for a base domain `example.com` (TENANTKIT_BASE_DOMAIN). Reserved names and the
    base domain itself name no tenant; other names under it that belong to none are unknown tenants."""

    named_by = "host"
    by_client = False

    def name(self, request: HttpRequest) -> Name | None:
        name = host_name(request)
        return None if name is None or name.kind == "domain" else name


class DomainResolver(Resolver):
    """A tenant's own domain, `app.acme.org`, once it is verified."""

    named_by = "host"
    by_client = False

    def name(self, request: HttpRequest) -> Name | None:
        name = host_name(request)
        return name if name is not None and name.kind == "domain" else None


class HeaderResolver(Resolver):
    """A header (TENANTKIT_HEADER, `X-Tenant-ID`) with a slug or a uid."""

    named_by = "header"

    @property
    def vary(self) -> tuple[str, ...]:  # type: ignore[override]
        return (conf.HEADER,)

    def name(self, request: HttpRequest) -> Name | None:
        value = request.META.get(f"HTTP_{conf.HEADER.upper().replace('-', '_')}")
        return None if value is None else _slug_or_uid(value, conf.HEADER)


class SessionResolver(Resolver):
    """The session (TENANTKIT_SESSION_KEY), where `remember()` put the tenant that the user chose. The
    page on which users choose belongs in TENANTKIT_PUBLIC_PATHS, or they cannot leave a lost tenant."""

    named_by = "session"
    vary = ("Cookie",)

    def name(self, request: HttpRequest) -> Name | None:
        return self._name(_session(request).get(conf.SESSION_KEY))

    async def aname(self, request: HttpRequest) -> Name | None:
        return self._name(await _session(request).aget(conf.SESSION_KEY))

    @staticmethod
    def remember(request: HttpRequest, tenant: Any) -> None:
        """From the next request on, the session names `tenant`; None: no tenant."""
        if tenant is None:
            _session(request).pop(conf.SESSION_KEY, None)
        else:
            _session(request)[conf.SESSION_KEY] = str(tenant.uid)

    def _name(self, value: Any) -> Name | None:
        return None if value is None else _slug_or_uid(str(value), f"session[{conf.SESSION_KEY!r}]")


class PathResolver(Resolver):
    """`/t/acme/...` (TENANTKIT_PATH_PREFIX; with an empty one, `/acme/...`). The views see the rest of the
    path, and `reverse()` puts the prefix back. Tenants share an origin, so they have to trust each other."""

    named_by = "path"

    def name(self, request: HttpRequest) -> Name | None:
        head = f"/{conf.PATH_PREFIX}/" if conf.PATH_PREFIX else "/"
        path = request.path_info
        if not path.startswith(head):
            return None
        slug = path[len(head) :].partition("/")[0]
        if not slug or slug in conf.RESERVED_NAMES:
            return None
        return Name("slug" if is_slug(slug) else NOBODY, slug, prefix=head + slug)


@made_of(Settings.RESOLVERS)
def chain(paths: list[str]) -> tuple[Resolver, ...]:
    """The resolvers of TENANTKIT_RESOLVERS."""
    return tuple(import_string(path)() for path in paths)


def host_name(request: HttpRequest) -> Name | None:
    """What the host of `request` names. Read once per visit, by `request.get_host()`, which checks it."""
    visit = getattr(request, "_tenantkit", None)
    if visit is None:
        return read_host(request.get_host())
    if visit.host is UNREAD:
        visit.host = visit.site.read_host(request.get_host())
    return visit.host  # type: ignore[no-any-return]


def served(tenant: Any) -> Any:
    """`tenant`, or None for one that is not there for clients: half made, being erased, erased."""
    return tenant if tenant is not None and tenant.status in SERVED else None


def host_uid(request: HttpRequest) -> str:
    """The uid of the tenant that the host of `request` names, or "". On public paths too, whatever the
    client names besides."""
    visit = getattr(request, "_tenantkit", None)
    if visit is not None and visit.host_tenant is not None:
        return visit.host_tenant._state.tenantkit_uid  # type: ignore[no-any-return]
    for resolver in chain():
        name = None if resolver.by_client else resolver.name(request)
        if name is not None and (tenant := served(find(name))) is not None:
            return tenant._state.tenantkit_uid  # type: ignore[no-any-return]
    return ""


def _slug_or_uid(value: str, where: str) -> Name:
    if _UUID.fullmatch(value):
        return Name("uid", str(UUID(value)))
    if is_slug(value):
        return Name("slug", value)
    raise MalformedTenantName(f"{where} is {value[:80]!r}, which is neither a slug nor a uid.")


def _session(request: HttpRequest) -> Any:
    try:
        return request.session
    except AttributeError:
        raise ImproperlyConfigured(
            "SessionResolver needs django.contrib.sessions.middleware.SessionMiddleware in MIDDLEWARE, before "
            "django_tenantkit.middleware.TenantMiddleware."
        ) from None
