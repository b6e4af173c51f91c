"""What pg_stat_statements shows of the application: one entry for a statement, whichever tenants send it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connections

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.models import Tenant
from tests.roles import servers
from tests.roles.conftest import ALIAS, Project, make_project
from tests.testapp.models import Tag

pytestmark = pytest.mark.services

ENTRIES = """
SELECT query, calls FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
WHERE datname = current_database() AND query LIKE %s ORDER BY query
"""

#: Of no importance but for their keys: no row of theirs is in the database.
TENANTS = [Tenant(pk=number, slug=f"tenant{number}") for number in (1, 2, 30_000)]


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    if (binaries := servers.find()) is None:
        pytest.skip(servers.HOW_TO_INSTALL)
    with servers.postgresql(binaries, shared_preload_libraries="pg_stat_statements") as running:
        yield running


@pytest.fixture
def project(server: servers.Server, settings: Any, django_db_blocker: Any) -> Iterator[Project]:
    """A database with one table of tenants, whose statements are counted. Its tables are in `public`."""
    settings.TENANTKIT_ISOLATIONS, settings.TENANTKIT_ROW_SCHEMA = ["row"], None
    with server.place() as place, django_db_blocker.unblock():
        place.set_up()
        with place.connect() as superuser:
            superuser.execute("CREATE EXTENSION pg_stat_statements")
        for project in make_project(place, settings):
            settings.TENANTKIT_SYSTEM_DATABASE = {"USER": place.roles.system, "PASSWORD": servers.PASSWORD}
            settings.TENANTKIT_OPERATOR_DATABASE = settings.TENANTKIT_SYSTEM_DATABASE
            project.log_in(place.roles.application)
            with connections[ALIAS].schema_editor() as editor:
                for model in (ContentType, Tenant, Tag):
                    editor.create_model(model)
            with place.connect() as superuser:
                superuser.execute("SELECT pg_stat_statements_reset()")
            yield project


def entries(project: Project, part: str) -> dict[str, int]:
    """How often which statement was called, of those with `part` in them."""
    with project.place.connect() as superuser:
        return dict(superuser.execute(ENTRIES, [f"%{part}%"]).fetchall())


@pytest.mark.parametrize("bound_by_server", [False, True])
def test_a_statement_has_one_entry_for_all_tenants(bound_by_server: bool, project: Project) -> None:
    project.log_in(project.place.roles.application, OPTIONS={"server_side_binding": bound_by_server})
    for tenant in TENANTS:
        with tenant_context(tenant):
            assert list(Tag.objects.using(ALIAS).filter(label="red")) == []
    ((statement, calls),) = entries(project, "testapp_tag").items()
    assert calls == len(TENANTS)
    assert statement.startswith("SELECT ")
    assert "set_config" not in statement


def test_the_context_has_one_entry_for_each_role_whatever_is_said(project: Project) -> None:
    for number, tenant in enumerate(TENANTS):
        with tenant_context(tenant, user=number, roles=["admin"][:number]):
            assert Tag.objects.using(ALIAS).count() == 0
    with tenant_context(None), connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT 1")
    with unscoped(reason="test"):
        assert Tag.objects.using(ALIAS).count() == 0
    assert sorted(entries(project, "set_config(").values()) == [1, len(TENANTS) + 1]  # the operator's, everybody's
