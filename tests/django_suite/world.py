"""The process of one run: `python -m tests.django_suite.world tenant|plain OUTCOMES LABEL...`, started by
`__main__.py` in the directory of Django's tests."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import shutil
import sys
import tempfile
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.backends.postgresql.features import DatabaseFeatures
from django.db.models.signals import class_prepared, post_migrate

from django_tenantkit import context, fields
from django_tenantkit.registry import tenant_field

from .recording import outcomes

KEY = 7
APPS = {"tenant": "django_tenantkit", "plain": "tests.django_suite.plain.PlainTenantkitConfig"}
SHARED = ("django.", "django_tenantkit.", "__fake__")


class SuiteTenantField(fields.TenantField):
    """May be empty: in the plain world nobody fills it in. Tests write down what serializers give, and make
    models in app registries of their own, where the tenant model is known by its class only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "tenant" in apps.all_models["django_tenantkit"]:
            kwargs.setdefault("to", apps.all_models["django_tenantkit"]["tenant"])
        super().__init__(*args, **kwargs | {"null": True, "serialize": False})

    def check(self, **kwargs: Any) -> list[Any]:
        return []  # Django's would say that such a registry lacks the tenant model

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"to": "django_tenantkit.tenant"}


def give_tenant(sender: type[models.Model], **kwargs: Any) -> None:
    """Give a model of the tests a tenant field. Those of Django's own apps are shared; through tables and
    children in multi-table inheritance get theirs from the package."""
    meta = sender._meta
    if meta.proxy or meta.auto_created or meta.swapped or sender.__module__.startswith(SHARED):
        return
    if not any(tenant_field(parent) for parent in meta.all_parents):
        taken = any(field.column == "tenant_id" for field in meta.local_fields)
        column = "suite_tenant_id" if taken else "tenant_id"
        # A name of its own: a child of two parents has the fields of both.
        sender.add_to_class(f"suite_{meta.model_name}", SuiteTenantField(db_column=column))


def make_tenant(sender: Any, using: str, **kwargs: Any) -> None:
    """The row of the one tenant, made with the tables and again after each flush."""
    if sender.label == "django_tenantkit":
        tenants = apps.get_model("django_tenantkit.Tenant").objects.using(using)
        tenants.get_or_create(pk=KEY, defaults={"slug": "suite", "name": "Suite"})


def enter_tenant() -> None:
    """Make the tenant current in the whole process, in every thread that a test starts too."""
    inside = context.Scope(apps.get_model("django_tenantkit.Tenant")(pk=KEY, slug="suite"))
    context._scope = ContextVar("tenantkit_scope", default=inside)
    context._NOTHING = inside


def prepare(runtests: Any, world: str) -> None:
    """Install our app among those of Django's script, once it has written its settings."""
    set_up = runtests.setup_collect_tests

    def set_up_with_tenants(*args: Any, **kwargs: Any) -> Any:
        collected = set_up(*args, **kwargs)
        # Tables come from the models as they are: migrations know nothing of the added field.
        settings.MIGRATION_MODULES |= {"django_tenantkit": None, "db_functions": None}
        post_migrate.connect(make_tenant)
        if world == "tenant":
            enter_tenant()
        return collected

    runtests.ALWAYS_INSTALLED_APPS.insert(0, APPS[world])
    runtests.setup_collect_tests = set_up_with_tenants


def main(world: str, outcomes_file: str, *labels: str) -> None:
    """Run Django's tests and write the outcome of each."""
    tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="django_")
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
    # The embedded PostgreSQL has no ICU, and one model of the tests has a collation of it.
    DatabaseFeatures.test_collations = dict.fromkeys(DatabaseFeatures.test_collations, "C")
    fields.TenantField = SuiteTenantField  # type: ignore[misc]
    class_prepared.connect(give_tenant)
    runtests = importlib.import_module("runtests")  # Django's script, in the current directory
    prepare(runtests, world)
    choices = dict.fromkeys(["tags", "test_name_patterns", "start_at", "start_after"])
    switches = dict.fromkeys(
        ["interactive", "failfast", "keepdb", "reverse", "debug_sql", "pdb", "buffer", "timing", "shuffle"], False
    )
    runtests.django_tests(
        verbosity=1, test_labels=list(labels), parallel=1, exclude_tags=["selenium"], **choices, **switches
    )
    Path(outcomes_file).write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
