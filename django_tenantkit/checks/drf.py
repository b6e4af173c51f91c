"""Serializers, filter sets and views of Django REST framework, as far as their classes are loaded.

The framework is optional, so it is not imported here: its classes are looked up among the modules that
the project has loaded, once its URLconfs are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from ..conf import conf
from .common import TAG, Messages, is_module, names, tenant_names

HOST_RESOLVERS = ("django_tenantkit.resolvers.SubdomainResolver", "django_tenantkit.resolvers.DomainResolver")


@register(TAG, Tags.urls)
def check_drf(**kwargs: Any) -> list[CheckMessage]:
    """E501 to E505."""
    if not apps.is_installed("rest_framework"):
        return []
    urlconfs = {conf.PUBLIC_URLCONF or "", getattr(settings, "ROOT_URLCONF", "")}
    for urlconf in filter(is_module, urlconfs):
        import_module(urlconf)
    serializers = [s for s in loaded("rest_framework.serializers.ModelSerializer") if _is_of_tenants(s)]
    found = [message for serializer in serializers for message in serializer_fields(serializer)]
    found += [m for filterset in loaded("django_filters.filterset.BaseFilterSet") for m in filterset_filters(filterset)]
    found += [message for view in loaded("rest_framework.views.APIView") for message in view_options(view)]
    return [*found, *versioning()]


def loaded(path: str) -> list[Any]:
    """The subclasses of the class at `path`, if its module is loaded, in the order of their names."""
    module, _, name = path.rpartition(".")
    found = set(_below(getattr(sys.modules.get(module), name, None)))
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


def _below(cls: Any) -> Iterator[Any]:
    for sub in cls.__subclasses__() if cls else ():
        yield sub
        yield from _below(sub)


def _is_of_tenants(thing: Any) -> bool:
    """Whether the `Meta` of a class names a tenant model."""
    model = getattr(getattr(thing, "Meta", None), "model", None)
    return model is not None and bool(tenant_names(model))


def serializer_fields(serializer: Any) -> Messages:
    """What a ModelSerializer says of the tenant. The fields that it makes by itself leave it out."""
    meta, who = serializer.Meta, serializer.__qualname__
    tenant = tenant_names(meta.model)
    tenant |= {f"{name}_id" for name in tenant}
    given = getattr(meta, "fields", ())
    shown = {name for name in given if name in tenant} if isinstance(given, list | tuple) else set()
    shown |= {name for name, field in serializer._declared_fields.items() if (field.source or name) in tenant}
    if shown:
        yield Error(
            f"{who} shows the tenant: {', '.join(sorted(shown))}. It has no place in what goes in or out.",
            hint="Leave it out.",
            obj=serializer,
            id="tenantkit.E501",
        )
    if excluded := tenant & set(getattr(meta, "exclude", None) or ()):
        yield Error(
            f"{who} excludes {', '.join(sorted(excluded))}, which is no field of serializers to begin with: DRF "
            "refuses that.",
            hint='Leave it out of exclude; where nothing is left there, write fields = "__all__".',
            obj=serializer,
            id="tenantkit.E502",
        )


def filterset_filters(filterset: Any) -> Messages:
    """Filters by the tenant. django-filter makes one for `"__all__"`."""
    model = filterset._meta.model
    if model is not None:
        given = {item.field_name.partition("__")[0] for item in filterset.base_filters.values() if item.field_name}
        yield from _filters_by(filterset, model, given & tenant_names(model))


def _filters_by(who: Any, model: Any, tenant: set[str]) -> Messages:
    for name in sorted(tenant):
        yield Error(
            f"{who.__qualname__} filters {model._meta.label} by {name!r}, which it must not show.",
            hint=f'Name the fields, or write exclude = ["{name}"] in the Meta of a FilterSet in place of "__all__".',
            obj=who,
            id="tenantkit.E503",
        )


def view_options(view: Any) -> Messages:
    """Options of views that filter or order by the tenant."""
    model = getattr(getattr(view, "queryset", None), "model", None)
    if model is None:
        return
    tenant = tenant_names(model)
    yield from _filters_by(view, model, _named(getattr(view, "filterset_fields", None), tenant))
    for name in sorted(_named(getattr(view, "ordering_fields", None), tenant)):
        yield Warning(
            f"{view.__qualname__} offers {name!r} as an ordering, though all rows it can show are of one tenant.",
            hint="Name the fields in ordering_fields, or leave it out: then those of the serializer are offered.",
            obj=view,
            id="tenantkit.W504",
        )


def _named(given: Any, tenant: set[str]) -> set[str]:
    if given == "__all__":
        return tenant
    return {name for name in given or () if isinstance(name, str) and name.partition("__")[0] in tenant}


def versioning() -> Messages:
    """Versions in the host, where the tenant stands."""
    given = getattr(settings, "REST_FRAMEWORK", {}).get("DEFAULT_VERSIONING_CLASS")
    by_host = any(path in names(entry) for entry in conf.RESOLVERS for path in HOST_RESOLVERS)
    if given and by_host and "rest_framework.versioning.HostNameVersioning" in names(given):
        yield Error(
            "HostNameVersioning reads the version where the resolvers read the tenant: in the host.",
            hint='Write "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning" or another in '
            "REST_FRAMEWORK.",
            id="tenantkit.E505",
        )
