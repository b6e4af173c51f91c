"""What follows the migrations of a home: content types and permissions where each home has its own, and the signal by
which apps make their first rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth import get_permission_codename
from django.contrib.contenttypes.management import inject_rename_contenttypes_operations
from django.db.models.signals import post_migrate

from ..conf import conf
from ..sql import kinds as sql

#: The apps whose rows `make_kinds()` makes.
KINDS = frozenset(("auth", "contenttypes"))

#: Who listens to `post_migrate` and would do in a home what `make_kinds()` did, or empties caches of this process.
_DONE_HERE = frozenset(
    (
        "django.contrib.auth.management",
        "django.contrib.contenttypes.management",
        "django_tenantkit.access",
        "django_tenantkit.lookup",
    )
)


def announce_renamed(plan: list[Any]) -> None:
    """Let a plan of migrations rename the content types of the models that it renames, as Django's `migrate` does;
    nothing where all tenants share them."""
    if "contenttypes" in conf.TENANT_APPS:
        inject_rename_contenttypes_operations(plan=plan)


def fill_home(connection: Any, plan: list[Any], labels: Collection[str] | None = None) -> None:
    """Make what is missing in the home that `connection` is in: the content types of all models and their permissions;
    then send `post_migrate` for the apps with those labels, or all, of TENANTKIT_TENANT_APPS, if anybody listens. Other
    apps heard it when the main database was migrated."""
    if not conf.TENANT_APPS:
        return
    make_kinds(connection)
    hearing = heard(conf.TENANT_APPS if labels is None else labels)
    for config in apps.get_app_configs():
        if config.label in hearing:
            post_migrate.send(
                sender=config,
                app_config=config,
                verbosity=0,
                interactive=False,
                using=connection.alias,
                apps=apps,
                plan=plan,
            )


def heard(labels: Iterable[str]) -> set[str]:
    """The labels of apps in homes to whose `post_migrate` somebody listens who does something else than we do."""
    wanted = set(labels).intersection(conf.TENANT_APPS)
    return {config.label for config in apps.get_app_configs() if config.label in wanted and _is_heard(config)}


def _is_heard(config: AppConfig) -> bool:
    receivers = [receiver for kind in post_migrate._live_receivers(config) for receiver in kind]
    return any(getattr(receiver, "__module__", "") not in _DONE_HERE for receiver in receivers)


def make_kinds(connection: Any) -> None:
    """The content types and permissions that a home lacks, if it has tables of its own for them."""
    models = [
        model for config in apps.get_app_configs() if config.models_module is not None for model in config.get_models()
    ]
    with connection.cursor() as cursor:
        if "contenttypes" in conf.TENANT_APPS:
            pairs = [(model._meta.app_label, model._meta.model_name) for model in models]
            cursor.execute(_named(connection, sql.CONTENT_TYPES), [*map(list, zip(*pairs, strict=True))])
        if "auth" in conf.TENANT_APPS:
            wanted = [row for model in models for row in _permissions(model._meta)]
            cursor.execute(_named(connection, sql.PERMISSIONS), [*map(list, zip(*wanted, strict=True))])


def _permissions(meta: Any) -> Iterator[tuple[str, str, str, str]]:
    """As Django makes them: the default ones and those of `class Meta`."""
    given = [
        (get_permission_codename(action, meta), f"Can {action} {meta.verbose_name_raw}")
        for action in meta.default_permissions
    ]
    for codename, name in (*given, *meta.permissions):
        yield meta.app_label, meta.model_name, codename, str(name)


def _named(connection: Any, statement: str) -> str:
    names = {"content_type": ("contenttypes", "ContentType"), "permission": ("auth", "Permission")}
    quote = connection.ops.quote_name
    tables = {
        name: quote(apps.get_model(*model)._meta.db_table)
        for name, model in names.items()
        if apps.is_installed(f"django.contrib.{model[0]}")
    }
    return statement.format(**tables)
