"""The settings of the package: names, types, and whether what they name is there."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from ..conf import Setting, Settings, conf
from ..models import AbstractDomain, AbstractTenant
from ..names import normalise_host
from .common import TAG, Messages, imported, is_module, names

SETTINGS = {name: value for name, value in vars(Settings).items() if isinstance(value, Setting)}

#: Settings whose values are dotted paths of functions or classes.
PATHS = (
    "RESOLVERS",
    "ACCESS_POLICY",
    "PROVISIONING",
    "DEFAULT_DATA",
    "PLACEMENT",
    "STORES",
    "MAINTENANCE_BYPASS",
    "ARCHIVE_SIGNER",
    "ARCHIVE_CIPHER",
)

RESOLVER = "django_tenantkit.resolvers.Resolver"
STORE = "django_tenantkit.lifecycle.stores.Store"

#: The cases that TENANTKIT_RESPONSES can map.
CASES = ("unknown", "missing", "malformed", "ambiguous", "denied", "suspended", "maintenance")


@register(TAG)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """E201 to E205, E207 and E208. Values of the wrong type are not looked into any further."""
    wrong = list(types())
    if wrong:
        return [*unknown_names(), *wrong]
    return [*unknown_names(), *dotted_paths(), *models_of_settings(), *values()]


@register(TAG, deploy=True)
def check_settings_for_deployment(**kwargs: Any) -> list[CheckMessage]:
    """W206."""
    return list(base_domain_of_deployment())


def unknown_names() -> Messages:
    """Settings that begin with our prefix and mean nothing: most likely misspelt."""
    known = {setting.name for setting in SETTINGS.values()}
    for name in dir(settings):
        if name.startswith("TENANTKIT_") and name not in known:
            close = get_close_matches(name, known, n=1)
            yield Error(
                f"There is no setting {name}.",
                hint=f"Did you mean {close[0]}?" if close else "See docs/reference/settings.md for those there are.",
                id="tenantkit.E201",
            )


def types() -> Messages:
    """Values of the wrong type."""
    hints = get_type_hints(Settings)
    for name, setting in SETTINGS.items():
        declared = get_args(hints[name])[0] if name in hints else type(setting.default)
        value = getattr(conf, name)
        if not _fits(value, declared) or not _like(value, setting.default):
            yield Error(
                f"{setting.name} = {value!r} is of the wrong type.",
                hint=f"Write {_in_words(declared)}, such as {setting.default!r}.",
                id="tenantkit.E202",
            )


def _fits(value: Any, declared: Any) -> bool:
    """Whether `value` is of a type as it stands in an annotation. A tuple does for a list."""
    origin, inner = get_origin(declared) or declared, get_args(declared)
    if origin is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, choice) for choice in inner)
    if origin is list:
        return isinstance(value, list | tuple) and all(_fits(item, kind) for kind in inner for item in value)
    if origin is dict and inner:
        pairs = value.items() if isinstance(value, dict) else ()
        return isinstance(value, dict) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in pairs)
    if origin is int and isinstance(value, bool):
        return False
    return isinstance(value, origin)


def _like(value: Any, default: Any) -> bool:
    """Whether the items of a list are of the type that the default's items have."""
    if not isinstance(default, list) or not default or isinstance(value, str):
        return True
    return all(isinstance(item, type(default[0])) for item in value)


def _in_words(declared: Any) -> str:
    if isinstance(declared, type):
        return {"str": "text", "int": "a whole number", "bool": "True or False", "list": "a list"}.get(
            declared.__name__, declared.__name__
        )
    return " or ".join(_in_words(choice) for choice in get_args(declared)) or str(declared)


def dotted_paths() -> Messages:
    """Dotted paths that lead nowhere, or to something that cannot be called."""
    for name in PATHS:
        given = getattr(conf, name)
        for path in [given] if isinstance(given, str) else given or ():
            if not callable(imported(path)):
                yield _nowhere(name, path, "a function or class")
            elif name == "RESOLVERS" and RESOLVER not in names(path):
                yield Error(*_no_child(name, path, RESOLVER), id="tenantkit.E207")
            elif name == "STORES" and STORE not in names(path):
                yield Error(*_no_child(name, path, STORE), id="tenantkit.E208")
    urlconf = conf.PUBLIC_URLCONF
    if urlconf is not None and not is_module(urlconf):
        yield _nowhere("PUBLIC_URLCONF", urlconf, "a module")


def _no_child(name: str, path: str, base: str) -> tuple[str, str]:
    return f"{SETTINGS[name].name} names {path!r}, which is no {base.rpartition('.')[2]}.", f"Let it inherit {base}."


def _nowhere(name: str, path: str, kind: str) -> CheckMessage:
    return Error(
        f"{SETTINGS[name].name} names {path!r}, which cannot be imported or is not {kind}.",
        hint=f"Give the dotted path of {kind} that `python -c` can import with your settings.",
        id="tenantkit.E203",
    )


def models_of_settings() -> Messages:
    """The swappable models."""
    for name, base in (("TENANT_MODEL", AbstractTenant), ("DOMAIN_MODEL", AbstractDomain)):
        path = getattr(conf, name)
        try:
            model = apps.get_model(path)
        except (LookupError, ValueError):
            model = None
        if model is None or not issubclass(model, base):
            yield Error(
                f"{SETTINGS[name].name} = {path!r} names no installed model that inherits {base.__name__}.",
                hint=f'Write "app_label.Model" of a class that inherits django_tenantkit.models.{base.__name__}, and '
                "have its app in INSTALLED_APPS.",
                id="tenantkit.E204",
            )


def values() -> Messages:
    """Values that have the right type and cannot be meant."""
    for setting, given, cure in _wrong_values():
        yield Error(f"{setting} has {given!r}, which cannot be meant.", hint=cure, id="tenantkit.E205")


def _wrong_values() -> Iterator[tuple[str, Any, str]]:
    for name, setting in SETTINGS.items():
        value = getattr(conf, name)
        if isinstance(value, int) and value < 0:
            yield setting.name, value, "Give a number that is not negative."
    for domain in [conf.BASE_DOMAIN] if isinstance(conf.BASE_DOMAIN, str) else conf.BASE_DOMAIN:
        if not _is_host(domain):
            yield "TENANTKIT_BASE_DOMAIN", domain, 'Give a bare name: "example.com", without scheme, port or dot.'
    for case, answer in conf.RESPONSES.items():
        if case not in CASES:
            yield "TENANTKIT_RESPONSES", case, f"The cases are: {', '.join(CASES)}."
        elif isinstance(answer, int) and not 400 <= answer < 600:
            yield "TENANTKIT_RESPONSES", answer, "Give a status from 400 to 599, or an address to redirect to."


def _is_host(domain: str) -> bool:
    try:
        return bool(domain) and normalise_host(domain) == domain.lower() and "/" not in domain and domain[0] != "."
    except ValueError:
        return False


def base_domain_of_deployment() -> Messages:
    """The base domain of development."""
    given = [conf.BASE_DOMAIN] if isinstance(conf.BASE_DOMAIN, str) else conf.BASE_DOMAIN
    if "localhost" in given:
        yield Warning(
            "TENANTKIT_BASE_DOMAIN is localhost, so no tenant has an address.",
            hint='Write TENANTKIT_BASE_DOMAIN = "example.com" with your domain in the settings of production.',
            id="tenantkit.W206",
        )
