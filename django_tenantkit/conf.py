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
        return getattr(_project(), self.name, self.default)


def _project() -> Any:
    """The project's settings. `settings` raises and catches errors of its own for each one that is not there:
    2 us, many times a request. What it wraps is asked, each time, so nothing is kept and nothing missed."""
    wrapped = object.__getattribute__(settings, "_wrapped")
    return settings if wrapped is empty else wrapped


def made_of(*several: Setting[Any]) -> Callable[[Callable[..., T]], Callable[[], T]]:
    """Makes a function without arguments of one that takes the values of some settings. Its answer is kept
    until one of them has another value. They are read and compared each time, so nothing is kept for longer
    than the settings stay what they are."""

    def decorate(make: Callable[..., T]) -> Callable[[], T]:
        known: tuple[list[tuple[str, Any, Any]], Any] = ([(one.name, one.default, empty) for one in several], None)

        def made() -> T:
            nonlocal known
            given, answer = known
            project = _project()
            for name, default, value in given:
                if getattr(project, name, default) != value:
                    break
            else:
                return answer  # type: ignore[no-any-return]
            values = [getattr(project, one.name, one.default) for one in several]
            given = [(one.name, one.default, deepcopy(value)) for one, value in zip(several, values, strict=True)]
            known = given, make(*values)
            return known[1]

        return made

    return decorate


class Settings:
    """The settings of the package, read late. Each attribute is a `Setting` with its documentation."""

    TENANT_MODEL = Setting(
        "django_tenantkit.Tenant", "The tenant model, `app_label.Model`. Choose before the first migration."
    )
    DOMAIN_MODEL = Setting("django_tenantkit.Domain", "The model of custom domains, `app_label.Model`.")

    ISOLATIONS = Setting(
        ["row"],
        "How tenants may be kept apart, `row`, `schema` and `database`; the first one is that of a new tenant which "
        "names none. With more than `row`, unscoped statements on tenants' rows must say `rows_only=True`.",
    )
    ROW_SCHEMA: Setting[str | None] = Setting(
        None,
        "The schema of the tables that row tenants share; None: `public`, which only a deployment with neither schemas "
        "nor databases of tenants can have. `migrate` moves the tables.",
    )
    TENANT_APPS: Setting[list[str]] = Setting(
        [],
        "Labels of apps whose tables are all in the tenant's home, without a tenant's column: apps that know nothing "
        "of tenants. With them every tenant has a schema or a database.",
    )
    VERSION_GATE = Setting(
        False,
        "Whether requests of a tenant whose schema or database lags behind the code's migrations are answered with "
        "503, as in maintenance, until `migrate_tenants` has been there.",
    )
    TENANT_CACHES: Setting[list[str]] = Setting(
        [],
        "Caches of the process that hold rows of tenants, by their dotted paths: dictionaries in modules, and "
        "functions of `functools.lru_cache`. Each is kept for each tenant apart, as those of Django's content types "
        "and sites are where TENANTKIT_TENANT_APPS has them.",
    )
    SERVERS: Setting[dict[str, dict[str, Any]]] = Setting(
        {},
        "More places for tenants, by name: what differs from the entry `default` in DATABASES, such as HOST and "
        "PASSWORD; nothing, for one more database of the main server. A tenant's `database` names one: it has a "
        "schema in the database that tenants share there, or a database. Passwords stand here, and in no table. "
        "`SYSTEM` is what differs for the system's login there from TENANTKIT_SYSTEM_DATABASE: HOST and PORT of the "
        "server itself, where the others are a pooler's.",
    )

    PLACEMENT = Setting(
        "django_tenantkit.lifecycle.placement.main_server",
        "On which server a new tenant is put that names none: `policy(isolation, plan)` returns a name in "
        "TENANTKIT_SERVERS, or an empty one for the main server, where row tenants are.",
    )
    PLACEMENT_PLANS: Setting[dict[str, str]] = Setting(
        {}, "The server of each plan, for the policy `django_tenantkit.lifecycle.placement.by_plan`."
    )
    WARM_POOL: Setting[dict[str, int]] = Setting(
        {},
        "How many schemas and databases `fill_pool` keeps ready, by isolation: `{'schema': 5}`; on another server "
        "`{'schema@eu': 5}`. Who signs up takes one and makes none.",
    )
    SCHEMA_LIMIT = Setting(
        1000,
        "How many schemas of tenants one database may have: beyond it connections need much memory, and `pg_dump` of "
        "the whole database locks. No more are made: `fewest_tenants` puts the next ones elsewhere.",
    )
    SCHEMAS_PER_CONNECTION = Setting(
        100, "After how many tenants' schemas a connection is closed at the end of a request, to free the memory."
    )
    GRACE_DAYS = Setting(30, "Days for which a schema or database that a tenant left is kept before it is dropped.")
    FENCE_SECONDS = Setting(
        60.0,
        "For how many seconds a job tries to fence a table of which a tenant is moved, suspended or erased, while "
        "transactions are open that write there. Nobody waits for it meanwhile.",
    )
    MOVE_RATE: Setting[int | None] = Setting(
        None,
        "How many rows a second `move_tenant --online` copies, beside all who work; None: as many as it can.",
    )
    DATABASE_CONNECTIONS = Setting(
        20, "How many connections to databases of tenants a process may have open. Idle ones are closed for others."
    )
    DATABASE_WAIT = Setting(
        5.0, "For how many seconds a thread waits for one of them before the tenant is unavailable, a 503."
    )
    DATABASE_LIMIT: Setting[int | None] = Setting(
        None, "The CONNECTION LIMIT that a tenant's database is made with, for all processes together; None: no limit."
    )
    DATABASE_LIMITS: Setting[dict[str, int]] = Setting(
        {},
        "The same by plan, in place of that: `{'large': 50, 'small': 5}`. `fill_pool` gives it to the databases of "
        "tenants, also when their plan has changed.",
    )

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
        "`suspended` 403, `maintenance` 503, `deletion` 403; `denied` is what `unknown` is. A number is a status; text "
        "is an address to redirect to.",
    )
    RETRY_AFTER = Setting(120, "Seconds in the Retry-After header of a tenant in maintenance.")

    LOOKUP_SECONDS = Setting(
        30,
        "How long, in seconds, a process may use a tenant it has looked up before; also for names that are unknown, "
        "and for copies of shared rows that it has brought to a shard.",
    )
    LOOKUP_SIZE = Setting(10_000, "How many tenants a process remembers.")
    LOOKUP_MISSES = Setting(1_000, "How many unknown names a process remembers, apart from the tenants it knows.")

    ACCESS_POLICY = Setting(
        "django_tenantkit.access.members_only",
        "Who may act in a tenant: `policy(user, tenant)` returns whether the user may, or the user's roles there.",
    )
    ACCESS_SECONDS = Setting(30, "How long, in seconds, a process may rely on an answer of the access policy.")
    ACCESS_SIZE = Setting(10_000, "How many answers of the access policy a process remembers.")
    BIND_SESSIONS = Setting(True, "Whether a session that was begun at one tenant's host is void at every other host.")

    PROVISIONING = Setting(
        [
            "django_tenantkit.lifecycle.steps.make_place",
            "django_tenantkit.lifecycle.steps.make_tenant",
            "django_tenantkit.lifecycle.steps.make_domain",
            "django_tenantkit.lifecycle.steps.make_admin",
            "django_tenantkit.lifecycle.steps.make_default_data",
            "django_tenantkit.lifecycle.steps.activate",
            "django_tenantkit.lifecycle.steps.send_welcome",
        ],
        "The steps of provisioning, in order: dotted paths of functions `step(job)`. Each runs in one transaction "
        "with its entry in the ledger, inside the tenant once there is one; `make_place` runs outside of any.",
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
    OWNER_ROLE = Setting(
        "{database}_owner", "The PostgreSQL role that owns the tables; `{database}` stands for the database's name."
    )
    APPLICATION_ROLE = Setting(
        "{database}_app", "The PostgreSQL role that requests run as; the USER of DATABASES is this role or a member."
    )
    OPERATOR_ROLE = Setting(
        "{database}_operator", "The PostgreSQL role that sees the rows of all tenants: that of `unscoped(reason)`."
    )
    SYSTEM_ROLE = Setting(
        "{database}_system", "The PostgreSQL role that logs in for migrations and lifecycle commands."
    )
    SYSTEM_DATABASE: Setting[dict[str, Any] | None] = Setting(
        None,
        "How migrations and lifecycle commands log in: what differs from the entry in DATABASES, such as USER and "
        "PASSWORD. None: as DATABASES says, which is enough for a process that only serves requests.",
    )
    OPERATOR_DATABASE: Setting[dict[str, Any] | None] = Setting(
        None,
        "How `unscoped(reason)` logs in, where the web's login is no member of the operator's role: what differs from "
        "the entry in DATABASES. None: as TENANTKIT_SYSTEM_DATABASE says.",
    )
    WEB_MAY_OPERATE = Setting(
        False,
        "Whether the login in DATABASES is made a member of the operator's role: `unscoped(reason)` then needs no "
        "connection of its own, and whoever runs SQL of their own through the application sees all tenants.",
    )
    SESSION_VARIABLES: Setting[dict[str, str]] = Setting(
        {},
        "More settings that ride along with each statement, for policies and triggers: name of the setting "
        '(`"app.region"`) to the dotted path of a function that returns its value, a string.',
    )
    SIGNED_CONTEXT: Setting[str | list[str] | None] = Setting(
        None,
        "A secret, or several of which the first one signs. With it each statement carries a keyed digest of its "
        "tenant, user and role, and after the next `migrate` policies refuse a context without the right one.",
    )

    STORES: Setting[list[str]] = Setting(
        [],
        "What the project keeps of tenants beside its tables: dotted paths of classes that inherit "
        "`django_tenantkit.lifecycle.stores.Store`. They take part when a tenant is moved, copied, exported or erased.",
    )
    ERASE_KEEP: Setting[dict[str, str]] = Setting(
        {},
        "What the law keeps when a tenant is erased: names of models (`shop.Invoice`) with the reason. Their rows "
        "stay, and so does what they refer to, which has to be named too.",
    )
    MAINTENANCE_BYPASS: Setting[str | None] = Setting(
        None,
        "Who may act in a tenant that is in maintenance: `bypass(user, tenant)`, asked of users whom "
        "TENANTKIT_ACCESS_POLICY lets in. None: nobody. `django_tenantkit.access.staff`: those who run the site.",
    )
    ARCHIVE_KEYS: Setting[dict[str, list[str]]] = Setting(
        {},
        "How archives name rows that tenants share, by model: fields whose values tell them apart, such as "
        '`{"billing.Plan": ["code"]}`. Needed where a model has neither a unique field nor `natural_key()`.',
    )
    ARCHIVE_LIMIT = Setting(
        1 << 40, "The size in bytes, once decompressed, beyond which an archive is not read: what the disk can hold."
    )
    ARCHIVE_FOLDER: Setting[str | None] = Setting(
        None, "The folder of archives that tenants ask for through the API; None: they cannot."
    )
    ARCHIVE_DAYS = Setting(
        7, "Days for which archives that tenants asked for can be fetched; then `run_archives` removes them."
    )
    ARCHIVE_ROLES = Setting(["admin"], "The roles in a tenant that may ask for its archive, and load one.")
    MASKS: Setting[dict[str, Any]] = Setting(
        {},
        "What a masked copy of a tenant has in place of values, by `app.Model.field`: `'null'`, `'hash'`, `{'fixed': "
        "VALUE}`, or `{'call': 'dotted.path'}` of a function that gets each value and returns another.",
    )
    ARCHIVE_SIGNER = Setting(
        "django_tenantkit.lifecycle.archive.seals.SecretKeySigner",
        "Dotted path of the `Signer` that signs archives; signatures made with SECRET_KEY are good in any case.",
    )
    ARCHIVE_CIPHER: Setting[str | None] = Setting(
        None, "Dotted path of the `Cipher` that encrypts archives where `--encrypt` asks for it; None: nothing does."
    )

    SLUG_QUARANTINE = Setting(90, "Days for which the slug and the domains of an erased tenant stay reserved.")


conf = Settings()
