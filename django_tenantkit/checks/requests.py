"""How requests come in: middleware, cookies, hosts, and what the resolvers need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

from ..conf import conf
from ..names import base_domains
from .common import TAG, Messages, is_tenant, names

MIDDLEWARE = "django_tenantkit.middleware.TenantMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
CACHE = "django.middleware.cache.FetchFromCacheMiddleware"
RESOLVERS = "django_tenantkit.resolvers."


@register(TAG)
def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """E301 to E303."""
    return list(middleware())


@register(TAG)
def check_resolvers(**kwargs: Any) -> list[CheckMessage]:
    """E304 and E305."""
    return list(session_resolver())


@register(TAG, Tags.security)
def check_origins(**kwargs: Any) -> list[CheckMessage]:
    """W306 to W308."""
    return [*cookies(), *trusted_origins(), *shared_origin()]


@register(TAG, Tags.security, deploy=True)
def check_hosts(**kwargs: Any) -> list[CheckMessage]:
    """W309."""
    return list(allowed_hosts())


def middleware() -> Messages:
    """Whether the tenant is found at all, and after what it needs."""
    ours = _position(MIDDLEWARE)
    if ours is None:
        yield Error(
            "TenantMiddleware is not in MIDDLEWARE: no request has a tenant.",
            hint=f'Add "{MIDDLEWARE}" behind SessionMiddleware and AuthenticationMiddleware.',
            id="tenantkit.E301",
        )
        return
    for path in (SESSIONS, AUTHENTICATION):
        if (_position(path) or 0) > ours:
            yield Error(
                f"TenantMiddleware stands before {path.rpartition('.')[2]} in MIDDLEWARE: it could not know the user.",
                hint=f'Move "{MIDDLEWARE}" behind it.',
                id="tenantkit.E302",
            )
    cache = _position(CACHE)
    if cache is not None and cache < ours:
        yield Error(
            "TenantMiddleware stands behind FetchFromCacheMiddleware in MIDDLEWARE: pages in the cache would be "
            "shown to users who may not act in the tenant.",
            hint=f'Move "{MIDDLEWARE}" before it.',
            id="tenantkit.E303",
        )


def _position(path: str) -> int | None:
    """The place of a middleware, or of a subclass of it."""
    return next((place for place, entry in enumerate(settings.MIDDLEWARE) if path in names(entry)), None)


def _resolves_by(name: str) -> bool:
    return any(RESOLVERS + name in names(entry) for entry in conf.RESOLVERS)


def session_resolver() -> Messages:
    """Sessions from which the tenant is read, and which must therefore be there before it is known."""
    if not _resolves_by("SessionResolver"):
        return
    if _position(SESSIONS) is None:
        yield Error(
            "SessionResolver is in TENANTKIT_RESOLVERS and SessionMiddleware is not in MIDDLEWARE.",
            hint=f'Add "{SESSIONS}" before TenantMiddleware, or remove the resolver.',
            id="tenantkit.E304",
        )
    if is_tenant(_session_model()):
        yield Error(
            "Sessions belong to tenants, and SessionResolver is to find the tenant in them.",
            hint="Use a SESSION_ENGINE whose sessions are shared, or resolve tenants by host.",
            id="tenantkit.E305",
        )


def _session_model() -> Any:
    """The model of the sessions, or None where they are not in the database."""
    try:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        return store.get_model_class() if hasattr(store, "get_model_class") else None
    except (ImportError, AttributeError, RuntimeError, ImproperlyConfigured):
        return None  # Django says so itself as soon as a session is used


def cookies() -> Messages:
    """Cookies that every tenant's host receives and can set."""
    for name in ("SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN"):
        domain = getattr(settings, name)
        if domain and _spans_tenants(domain):
            yield Warning(
                f"{name} = {domain!r} sends the cookie to the hosts of all tenants, and lets each of them set it.",
                hint=f"Write {name} = None, so that the cookie belongs to one host.",
                id="tenantkit.W306",
            )


def trusted_origins() -> Messages:
    """Wildcards that let the pages of one tenant post to another."""
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        host = str(origin).partition("://")[2]  # not a subclass that looks comparisons up
        if host.startswith("*") and _spans_tenants(host[1:]):
            yield Warning(
                f"CSRF_TRUSTED_ORIGINS has {origin!r}: the pages of each tenant may post to every other.",
                hint="Leave it out: a host always trusts itself. For domains of tenants write "
                "CSRF_TRUSTED_ORIGINS = TenantHosts(), of django_tenantkit.hosts.",
                id="tenantkit.W307",
            )


def _spans_tenants(domain: str) -> bool:
    """Whether `domain`, with or without a dot before it, is a base domain or above one."""
    name = domain.lstrip(".").partition(":")[0].lower()
    return any(base == name or base.endswith(f".{name}") for base in base_domains())


def shared_origin() -> Messages:
    """Tenants that a browser cannot tell apart."""
    if _resolves_by("PathResolver"):
        yield Warning(
            "PathResolver is in TENANTKIT_RESOLVERS: all tenants share one origin, so a script in a page of one can "
            "do in another whatever its visitor may.",
            hint="Use SubdomainResolver or DomainResolver, unless the tenants trust each other; then silence this.",
            id="tenantkit.W308",
        )


def allowed_hosts() -> Messages:
    """Any host at all. Only for deployments: in development it is a habit, and harmless."""
    if any(str(host) == "*" for host in settings.ALLOWED_HOSTS):
        yield Warning(
            'ALLOWED_HOSTS = ["*"] accepts made-up hosts, which find their way into links and caches.',
            hint="Write ALLOWED_HOSTS = TenantHosts(), of django_tenantkit.hosts: the base domain, the names under it "
            "and the tenants' own domains.",
            id="tenantkit.W309",
        )
