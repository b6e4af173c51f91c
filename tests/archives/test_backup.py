"""A tenant put back out of a database that was restored from a backup beside the live one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections
from psycopg import sql

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.restoring import compare, restore_beside, restore_tenant
from django_tenantkit.models import Tenant
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.databases import ISOLATION, as_admin
from tests.isolation.world import World
from tests.testapp.models import Customer, Line

pytestmark = [
    postgresql,
    pytest.mark.skipif(ISOLATION != "row", reason="a tenant's database would be restored by itself"),
]


@pytest.fixture
def backup(lasting: tuple[World, Path]) -> Iterator[str]:
    name = connection.settings_dict["NAME"]
    connections.close_all()
    with as_admin() as admin:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        admin.execute(end, [name])  # a connection of a thread of an earlier test
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(copy.format(sql.Identifier(f"{name}_backup"), sql.Identifier(name)))
    connections.settings["backup"] = {**connection.settings_dict, "NAME": f"{name}_backup"}
    yield "backup"
    connections["backup"].close()
    del connections["backup"], connections.settings["backup"]
    with as_admin() as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(f"{name}_backup")))


def test_a_tenant_is_put_back_from_it(lasting: tuple[World, Path], backup: str) -> None:
    two = lasting[0]
    before = two.snapshot(two.acme)
    with tenant_context(two.acme):
        Line.objects.all().delete()
        Customer.objects.update(email="")
    with tenant_context(two.globex):
        Line.objects.all().delete()
    others = two.snapshot(two.globex)
    assert {one.label: one.missing for one in compare(two.acme, backup)} == {
        "testapp.Customer": 0,
        "testapp.Line": 1,
    }
    restore_tenant(two.acme, backup, ["all"])
    assert two.snapshot(two.acme) == before
    assert two.snapshot(two.globex) == others


def test_the_past_of_a_tenant_is_made_beside(lasting: tuple[World, Path], backup: str) -> None:
    two = lasting[0]
    before = graph(two.acme)
    with tenant_context(two.acme):
        Line.objects.update(quantity=77)
    past = restore_beside(two.acme, backup, "past").tenant
    assert graph(past) == before != graph(two.acme)
    with tenant_context(two.acme):
        assert Line.objects.get().quantity == 77
    restore_tenant(two.acme, backup, ["all"])
    assert graph(two.acme) == before


def test_a_backup_has_no_files(lasting: tuple[World, Path], backup: str) -> None:
    with pytest.raises(ArchiveRefused, match="has no files"):
        restore_tenant(lasting[0].acme, backup, ["all"], files=True)


def test_a_tenant_that_it_does_not_have(lasting: tuple[World, Path], backup: str) -> None:
    later = Tenant.objects.create(slug="later", name="Later")
    with pytest.raises(ArchiveRefused, match="has no tenant with the uid"):
        compare(later, backup)
