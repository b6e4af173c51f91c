"""Where tenants' rows live: isolations, the apps in each tenant's home, users of the tenants' own, caches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from ..conf import conf
from ..isolation import ISOLATIONS
from ..models import Membership
from ..registry import lives_at_home, tenant_field, users_live_at_home
from .common import TAG, AppConfigs, Messages, Model, label, run_on_models, shared_halves, target_of

MEMBERS_ONLY = "django_tenantkit.access.members_only"
OWN_USERS = "django_tenantkit.access.own_users"

#: Caches that keep nothing, or rows of nobody's.
_EMPTY_CACHES = ("django.core.cache.backends.dummy.DummyCache",)


@register(TAG)
def check_homes(**kwargs: Any) -> list[CheckMessage]:
    """E601 to E604, and E607 to E611."""
    return [*isolations(), *tenant_apps(), *users(), *caches()]


@register(TAG, Tags.models)
def check_models_at_home(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """E605 and E606."""
    return run_on_models(app_configs, references_to_homes, halves_of_rows) if conf.TENANT_APPS else []


def isolations() -> Messages:
    """Isolations that there are, and where they need a schema for the rest."""
    given = list(conf.ISOLATIONS)
    if not given or not set(given) <= set(ISOLATIONS):
        yield Error(
            f"TENANTKIT_ISOLATIONS is {given!r}.",
            hint=f"Write a list of some of {', '.join(ISOLATIONS)}, that of new tenants first.",
            id="tenantkit.E601",
        )
    if set(given) & {"schema", "database"} or conf.ROW_SCHEMA is not None:
        yield from _row_schema(given)


def _row_schema(given: list[str]) -> Messages:
    schema = conf.ROW_SCHEMA
    if schema in (None, "", "public"):
        yield Error(
            f"TENANTKIT_ISOLATIONS is {given!r}, and TENANTKIT_ROW_SCHEMA is {schema!r}: with the tables of row "
            "tenants in public, a table that a tenant's schema lacks would be read and written there.",
            hint='Write TENANTKIT_ROW_SCHEMA = "rows", and run `migrate`, which moves the tables.',
            id="tenantkit.E602",
        )
    elif not _is_name(str(schema)):
        yield Error(
            f"TENANTKIT_ROW_SCHEMA is {schema!r}, which is no name of a schema of yours.",
            hint="Write up to 63 small letters, digits and underscores that begin with neither pg_ nor t_, and not "
            "tenantkit.",
            id="tenantkit.E610",
        )
    engines = [alias for alias in connections if connections[alias].vendor != "postgresql"]
    if engines:
        yield Error(
            f"DATABASES[{engines[0]!r}] is not PostgreSQL, which is the only one with schemas for tenants.",
            hint='Write TENANTKIT_ISOLATIONS = ["row"] and leave TENANTKIT_ROW_SCHEMA out, or use PostgreSQL.',
            id="tenantkit.E611",
        )


def _is_name(schema: str) -> bool:
    plain = schema.isascii() and schema.isidentifier() and schema == schema.lower() and len(schema) <= 63
    return plain and not schema.startswith(("pg_", "t_")) and schema != "tenantkit"


def tenant_apps() -> Messages:
    """Apps that are there, and isolations under which they can be the tenants' own."""
    labels = {config.label for config in apps.get_app_configs()}
    for name in conf.TENANT_APPS:
        if name not in labels or name == "django_tenantkit":
            yield Error(
                f"TENANTKIT_TENANT_APPS names {name!r}, which is "
                + ("the app of what all tenants share." if name in labels else "the label of no installed app."),
                hint="Write labels of your apps, such as 'auth' for django.contrib.auth.",
                id="tenantkit.E603",
            )
    if conf.TENANT_APPS and ("row" in conf.ISOLATIONS or not conf.ROW_SCHEMA):
        yield Error(
            f"TENANTKIT_TENANT_APPS is {list(conf.TENANT_APPS)!r}, and tables of those apps have no tenant's column, "
            "so row tenants could not share them.",
            hint='Write TENANTKIT_ISOLATIONS = ["schema"] and TENANTKIT_ROW_SCHEMA = "rows".',
            id="tenantkit.E604",
        )


def references_to_homes(model: Model) -> Messages:
    """Shared rows that refer to rows of homes, where the same key is another row in each."""
    if lives_at_home(model) or model is Membership:
        return
    for field in [*model._meta.local_fields, *model._meta.local_many_to_many]:
        target = target_of(field)
        if target is None or tenant_field(target) is not None or not lives_at_home(target):
            continue
        yield Error(
            f"{label(field)} refers to {target._meta.label}, which is in each tenant's home (TENANTKIT_TENANT_APPS), "
            f"and all tenants share {model._meta.label}: a key would mean another row in each.",
            hint=f"Add {model._meta.app_label!r} to TENANTKIT_TENANT_APPS, or take {target._meta.app_label!r} out.",
            obj=model,
            id="tenantkit.E605",
        )


def halves_of_rows(model: Model) -> Messages:
    """Rows at home whose other half all tenants would share."""
    if tenant_field(model) is not None or not lives_at_home(model):
        return
    for parent, why in shared_halves(model, lives_at_home):
        yield Error(
            f"{model._meta.label} is in each tenant's home {why}",
            hint=f"Add {parent._meta.app_label!r} to TENANTKIT_TENANT_APPS.",
            obj=model,
            id="tenantkit.E606",
        )


def users() -> Messages:
    """Users of the tenants' own, whose keys other tenants' users have too."""
    if not users_live_at_home():
        return
    if conf.ACCESS_POLICY == MEMBERS_ONLY:
        yield Error(
            f"{settings.AUTH_USER_MODEL} is in each tenant's home, and TENANTKIT_ACCESS_POLICY asks for memberships, "
            "which refer to the main users: a user would act where somebody else with the same key is a member.",
            hint=f'Write TENANTKIT_ACCESS_POLICY = "{OWN_USERS}".',
            id="tenantkit.E607",
        )
    if not conf.BIND_SESSIONS:
        yield Error(
            f"{settings.AUTH_USER_MODEL} is in each tenant's home, and TENANTKIT_BIND_SESSIONS is False: a session "
            "would be somebody else's in another tenant.",
            hint="Leave TENANTKIT_BIND_SESSIONS out.",
            id="tenantkit.E608",
        )


def caches() -> Messages:
    """Caches in which the apps of homes would find each other's rows: their keys say nothing of tenants."""
    if not conf.TENANT_APPS:
        return
    for alias in _caches_without_tenants():
        yield Warning(
            f"CACHES[{alias!r}] has one set of keys for all tenants, and apps that know nothing of tenants keep rows "
            "there by keys that are the same in each.",
            hint='Add "KEY_FUNCTION": "django_tenantkit.caches.tenant_key" to it, or silence this where your function '
            "names the tenant.",
            id="tenantkit.W609",
        )


def _caches_without_tenants() -> Iterator[str]:
    for alias, entry in settings.CACHES.items():
        if "KEY_FUNCTION" not in entry and entry.get("BACKEND") not in _EMPTY_CACHES:
            yield alias
