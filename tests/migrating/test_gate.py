"""TENANTKIT_VERSION_GATE: a tenant whose home lags behind the code waits, and nobody else."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from django_tenantkit import gate, lookup
from django_tenantkit.testing.tenants import make_tenant
from tests.migrating.project import Project, run
from tests.migrating.test_command import messages

ADD = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""

urlpatterns = [path("ping/", lambda request: HttpResponse("pong"))]


@pytest.fixture(autouse=True)
def gated(project: Project, settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.TENANTKIT_VERSION_GATE = True
    lookup.forget()
    gate.is_behind.cache_clear()


def get(tenant) -> int:
    return Client().get("/ping/", headers={"host": f"{tenant.slug}.example.com"}).status_code


def test_a_tenant_that_lags_gets_503_for_itself(project: Project) -> None:
    first, second = project.tenants(2)
    shared = make_tenant("shared")
    project.write(ADD)
    project.migrate()
    run("--tenant", second.slug)
    assert [get(tenant) for tenant in (first, second, shared)] == [503, 200, 200]


def test_it_works_again_as_soon_as_it_was_migrated(project: Project) -> None:
    [tenant] = project.tenants(1)
    project.write(ADD)
    project.migrate()
    assert get(tenant) == 503
    run("--all-tenants")
    assert get(tenant) == 200


def test_without_the_setting_nobody_waits(project: Project, settings) -> None:
    settings.TENANTKIT_VERSION_GATE = False
    [tenant] = project.tenants(1)
    project.write(ADD)
    project.migrate()
    assert get(tenant) == 200


def test_a_home_that_is_ahead_does_not_wait(project: Project) -> None:
    [tenant] = project.tenants(1)
    name = project.write(ADD)
    project.migrate()
    run("--all-tenants")
    (project.folder / f"{name}.py").unlink()
    assert get(tenant) == 200


def test_requests_ask_nothing_more(project: Project) -> None:
    [tenant] = project.tenants(1)
    get(tenant)
    with messages() as sent:
        assert get(tenant) == 200
    assert sent == []
