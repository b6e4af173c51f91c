"""Django's own caches of rows: content types, and sites. Where their apps are in TENANTKIT_TENANT_APPS, ids differ from
tenant to tenant, and each tenant gets caches of its own (`caches.py`).

This is the one place where something of Django's is replaced: the dictionary in a manager, and the one in a module.
Nothing else would do. Cleared at each change of tenant they would be wrong for threads that take turns, and a content
type of another tenant's is stored without an error. `tests/test_django_internals.py` fails where Django changes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.apps import apps

from .caches import TenantDict, keep_apart
from .conf import conf

_content_types: TenantDict[str, Any] = TenantDict()
_sites: TenantDict[Any, Any] = TenantDict()


def keep_all_apart() -> None:
    """Keep what TENANTKIT_TENANT_CACHES names, and what apps in TENANTKIT_TENANT_APPS need, for each tenant apart.
    `AppConfig.ready()` calls it."""
    for path in conf.TENANT_CACHES:
        keep_apart(path)
    if _is_at_home("contenttypes", "ContentType"):
        for manager in _managers("contenttypes", "ContentType"):
            manager._cache = _content_types
    if _is_at_home("sites", "Site"):
        sys.modules["django.contrib.sites.models"].__dict__["SITE_CACHE"] = _sites
        for manager in _managers("sites", "Site"):
            manager.clear_cache = _sites.clear  # Django's would put a new dictionary in its place


def _is_at_home(label: str, model: str) -> bool:
    return label in conf.TENANT_APPS and model.lower() in apps.all_models[label]


def _managers(label: str, name: str) -> Iterator[Any]:
    """The managers of a model: those that were declared, from which copies are made, and the copies."""
    model = apps.get_model(label, name)
    yield from model._meta.local_managers
    yield from model._meta.managers
