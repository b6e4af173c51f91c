"""Every setting of the package: its name, type, default and meaning.

Settings are flat, `TENANTKIT_...` in the project's settings, and read when they are used, so that
`override_settings` works everywhere. In code: `conf.BASE_DOMAIN`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Generic, TypeVar, overload

from django.conf import settings
from django.utils.functional import empty

T = TypeVar("T")


class Setting(Generic[T]):
    """One setting. `default` is returned while the project does not set it."""

    def __init__(self, default: T, doc: str) -> None:
        self.default = default
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"TENANTKIT_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        # `settings` raises and catches errors of its own for each setting that is not there: 2 us, six times
        # a request. The object that it wraps is asked, each time, so nothing is kept and nothing missed.
        wrapped = object.__getattribute__(settings, "_wrapped")
        return getattr(settings if wrapped is empty else wrapped, self.name, self.default)


class MadeOf(Generic[T]):
    """What `make` makes of settings, made again when one of their values is another. `given` is compared,
    so nothing is kept for longer than the settings stay what they are."""

    def __init__(self, make: Callable[..., T]) -> None:
        self.make = make
        self._known: tuple[Any, T] | None = None

    def __call__(self, *given: Any) -> T:
        known = self._known
        if known is None or known[0] != given:
            known = self._known = (deepcopy(given), self.make(*given))
        return known[1]


class Settings:
    """The settings of the package, read late. Each attribute is a `Setting` with its documentation."""

    TENANT_MODEL = Setting(
        "django_tenantkit.Tenant", "The tenant model, `app_label.Model`. Choose before the first migration."
    )
    DOMAIN_MODEL = Setting("django_tenantkit.Domain", "The model of custom domains, `app_label.Model`.")

    BASE_DOMAIN: Setting[str | list[str]] = Setting(
        "localhost",
        "The domain (or domains) whose subdomains are tenants: `acme.example.com` for `example.com`.",
    )
    RESOLVERS = Setting(
        ["django_tenantkit.resolvers.DomainResolver", "django_tenantkit.resolvers.SubdomainResolver"],
        "How a request names its tenant: dotted paths of `Resolver` classes. All are asked; two that name "
        "different tenants are a 400.",
    )
    RESERVED_NAMES = Setting(
        ["www", "api", "admin", "app", "mail", "ftp", "static", "media", "localhost", "public"],
        "Names that are neither slugs nor subdomains of tenants.",
    )
    HEADER = Setting("X-Tenant-ID", "The request header that `HeaderResolver` reads: a slug or a uid.")
    SESSION_KEY = Setting("tenantkit_tenant", "The session key that `SessionResolver` reads: a uid.")
    PATH_PREFIX = Setting("t", "The first path segment that `PathResolver` reads: `/t/acme/...`.")
    PUBLIC_URLCONF: Setting[str | None] = Setting(None, "URLconf of requests without a tenant; None: ROOT_URLCONF.")
    PUBLIC_PATHS = Setting(
        ["/healthz", "/readyz"],
        "Paths, or starts of paths that end in a slash, that need no tenant: health probes.",
    )
    TENANT_REQUIRED = Setting(
        False,
        "Whether every view needs a tenant unless it is marked `@tenant_optional`, its path is public, or it comes "
        "from TENANTKIT_PUBLIC_URLCONF.",
    )
    RESPONSES: Setting[dict[str, int | str]] = Setting(
        {},
        "What a client sees, by case: `unknown` 404, `missing` 400, `malformed` 400, `ambiguous` 400, "
        "`suspended` 403, `maintenance` 503; `denied` is what `unknown` is. A number is a status; text is an address "
        "to redirect to.",
    )
    RETRY_AFTER = Setting(120, "Seconds in the Retry-After header of a tenant in maintenance.")

    LOOKUP_SECONDS = Setting(
        30,
        "How long, in seconds, a process may use a tenant it has looked up before; also for names that are unknown.",
    )
    LOOKUP_SIZE = Setting(10_000, "How many tenants a process remembers.")
    LOOKUP_MISSES = Setting(1_000, "How many unknown names a process remembers, apart from the tenants it knows.")

    ACCESS_POLICY = Setting(
        "django_tenantkit.access.members_only", "Who may act in a tenant: `policy(user, tenant) -> bool`."
    )
    ACCESS_SECONDS = Setting(30, "How long, in seconds, a process may rely on an answer of the access policy.")
    ACCESS_SIZE = Setting(10_000, "How many answers of the access policy a process remembers.")
    BIND_SESSIONS = Setting(True, "Whether a session that was begun at one tenant's host is void at every other host.")

    PROVISIONING = Setting(
        [
            "django_tenantkit.lifecycle.steps.make_tenant",
            "django_tenantkit.lifecycle.steps.make_domain",
            "django_tenantkit.lifecycle.steps.make_admin",
            "django_tenantkit.lifecycle.steps.make_default_data",
            "django_tenantkit.lifecycle.steps.activate",
            "django_tenantkit.lifecycle.steps.send_welcome",
        ],
        "The steps of provisioning, in order: dotted paths of functions `step(job)`. Each runs in one transaction "
        "with its entry in the ledger, inside the tenant once there is one.",
    )
    DEFAULT_DATA: Setting[str | None] = Setting(
        None,
        "Dotted path of a function `fill(tenant)` that gives a new tenant its first rows, inside the tenant.",
    )
    WELCOME_MAIL = Setting(
        False,
        "Whether the admin of a new tenant gets a mail, from the templates `django_tenantkit/welcome_subject.txt` and "
        "`welcome_body.txt`.",
    )
    SLUG_QUARANTINE = Setting(90, "Days for which the slug and the domains of an erased tenant stay reserved.")


conf = Settings()
