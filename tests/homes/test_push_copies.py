"""`push_copies`: what an operator runs where copies of shared rows are not up to date."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connections

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.audit.run import chosen
from django_tenantkit.lifecycle.audit.tenants import audit_databases
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.lifecycle.helpers import Ran
from tests.testapp.models import Customer, Plan

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def acme(db: None) -> Any:
    return with_copy("acme")


@pytest.fixture
def globex(db: None) -> Any:
    return with_copy("globex")


def with_copy(slug: str) -> Any:
    tenant = make_tenant(slug, isolation="database")
    with tenant_context(tenant):
        Customer.objects.create(name="first", plan=Plan.objects.create(name=slug))
    return tenant


def by_system(alias: str, statement: str) -> None:
    with connections[alias].as_system(), connections[alias].cursor() as cursor:
        cursor.execute(statement)


def plans(tenant: Any) -> list[str]:
    with tenant_context(tenant):
        return sorted(Customer.objects.values_list("plan__name", flat=True))


def push(*arguments: str) -> Ran:
    return Ran("push_copies", *arguments)


def test_what_another_program_changed_is_pushed(acme: Any) -> None:
    by_system("default", "UPDATE testapp_plan SET name = 'by hand'")
    assert push("--dry-run").out == "1 changes wait for 1 databases.\n"
    assert plans(acme) == ["acme"]
    assert push().out == "Copies in 1 databases are up to date.\n"
    assert (plans(acme), push("--dry-run").out) == (["by hand"], "0 changes wait for 0 databases.\n")


def test_one_that_is_out_of_reach_is_named_and_the_others_are_done(acme: Any, globex: Any) -> None:
    name = connections[acme.home.database].settings_dict["NAME"]
    connections[acme.home.database].close()
    by_system("default", "UPDATE testapp_plan SET name = 'by hand'")
    with as_admin() as admin:
        admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{name[:50]}"')
        try:
            ran = push()
        finally:
            admin.execute(f'ALTER DATABASE "{name[:50]}" RENAME TO "{name}"')
    assert ran.code == 3
    assert "1 databases are not up to date, 1 changes are left: acme: " in ran.complaint
    assert plans(globex) == ["by hand"]
    told = {"dry_run": False, "databases": 1, "left": 0, "removed": 0, "failed": {}}
    assert json.loads(push("--format", "json").out) == told
    assert plans(acme) == ["by hand"]


def test_what_was_changed_in_the_tenants_database_is_put_right(acme: Any, globex: Any) -> None:
    by_system(acme.home.database, "UPDATE testapp_plan SET name = 'forged'")
    by_system(acme.home.database, "DELETE FROM django_content_type WHERE app_label = 'sessions'")
    by_system(globex.home.database, "UPDATE testapp_plan SET name = 'forged'")
    assert push().code == 0
    assert {finding.id for finding in audit_databases(chosen()).findings} == {"copy.stale"}
    assert push("--all", "--tenant", "acme").code == 0
    assert {finding.tenant for finding in audit_databases(chosen()).findings} == {"globex"}
    assert push("--all").code == 0
    assert audit_databases(chosen()).findings == ()
    assert (plans(acme), plans(globex)) == (["acme"], ["globex"])


def test_an_unknown_tenant_is_named(db: None) -> None:
    ran = push("--tenant", "nobody")
    assert (ran.code, "There is no tenant 'nobody'" in ran.complaint) == (2, True)
