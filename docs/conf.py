"""Sphinx: Furo, MyST, and the docstrings of the package."""

import os
from importlib import import_module
from typing import Any

import django
from django.conf import settings
from django.core.management import get_commands, load_command_class

# autodoc imports models, which need Django set up. No database is connected to.
settings.configure(
    SECRET_KEY="documentation only",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django_tenantkit",
    ],
    DATABASES={"default": {"ENGINE": "django_tenantkit.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()


def settings_page() -> str:
    """Every setting as a definition list, from `conf.py`, so that the page cannot fall behind the code."""
    module = import_module("django_tenantkit.conf")
    entries: list[Any] = [value for value in vars(module.Settings).values() if isinstance(value, module.Setting)]
    return "\n\n".join(f"`{s.name}`\n: {s.__doc__}\n: Default: `{s.default!r}`" for s in entries)


def commands_page() -> str:
    """What each management command says of itself with `--help`, without the options that all of Django's
    commands have."""
    commands = sorted(get_commands_of("django_tenantkit"))
    return "\n\n".join(f"## {name}\n\n```text\n{_help(name)}\n```" for name in commands)


def get_commands_of(app: str) -> list[str]:
    return [name for name, owner in get_commands().items() if owner == app]


def _help(name: str) -> str:
    os.environ["COLUMNS"] = "110"
    command = load_command_class("django_tenantkit", name)
    parser = command.create_parser("manage.py", name)
    text: str = parser.format_help().partition("  --version")[0]
    return text.rstrip()


project = "django_tenantkit"
author = "django_tenantkit contributors"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "django_tenantkit"

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
myst_substitutions = {"settings": settings_page(), "commands": commands_page()}
