"""The names of the roles."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_tenantkit.conf import Settings
from django_tenantkit.sql.roles import ORIGINAL_NAME, Roles, roles_of, usual_roles

ROLES = ("OWNER", "APPLICATION", "OPERATOR", "SYSTEM")


@pytest.fixture(autouse=True)
def usual(settings: Any) -> None:
    """No project has named them otherwise."""
    for role in ROLES:
        setattr(settings, f"TENANTKIT_{role}_ROLE", getattr(Settings, f"{role}_ROLE").default)


def test_they_contain_the_databases() -> None:
    assert roles_of({"NAME": "saas"}) == Roles("saas_owner", "saas_app", "saas_operator", "saas_system")


def test_a_test_database_has_those_of_the_database_it_stands_for() -> None:
    assert roles_of({"NAME": "test_saas", ORIGINAL_NAME: "saas"}) == roles_of({"NAME": "saas"})


def test_a_project_may_name_them(settings: Any) -> None:
    settings.TENANTKIT_APPLICATION_ROLE = "web"
    settings.TENANTKIT_OWNER_ROLE = "{database}-{database}"
    assert roles_of({"NAME": "saas"}) == Roles("saas-saas", "web", "saas_operator", "saas_system")


def test_the_usual_ones_are_those_of_a_project_that_names_none(settings: Any) -> None:
    expected = roles_of({"NAME": "saas"})
    settings.TENANTKIT_APPLICATION_ROLE = "web"
    assert usual_roles("saas") == expected


@pytest.mark.parametrize("name", ["x" * 55, "x" * 63, "ä" * 31, "x" + "€" * 20])
def test_long_names_are_cut_to_what_postgresql_takes_and_stay_apart(name: str) -> None:
    roles = roles_of({"NAME": name})
    assert all(len(role.encode()) <= 63 for role in roles)
    assert len(set(roles)) == 4
    assert not set(roles) & set(roles_of({"NAME": name[:-1] + "z"}))
    assert all(role.startswith(name[:10]) for role in roles)


@pytest.mark.parametrize("name", ["", "public", "none", "pg_web", "x" * 64, "{database}" + "x" * 60, "a\0b"])
def test_names_that_cannot_be_had_are_refused(name: str, settings: Any) -> None:
    settings.TENANTKIT_APPLICATION_ROLE = name
    with pytest.raises(ImproperlyConfigured, match="TENANTKIT_APPLICATION_ROLE"):
        roles_of({"NAME": "saas"})


def test_two_roles_are_never_one(settings: Any) -> None:
    settings.TENANTKIT_APPLICATION_ROLE = "saas_owner"
    with pytest.raises(ImproperlyConfigured, match="Two roles of the database 'saas' are one"):
        roles_of({"NAME": "saas"})
