"""A tenant goes out of one isolation and into another, and comes back as it was."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from django_tenantkit import tenant_context
from django_tenantkit.isolation.entries import SHARED
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.databases import ISOLATION, WITH_DATABASES
from tests.isolation.world import World
from tests.testapp.models import Customer, Note

KINDS = ["row", "schema", *(["database"] if ISOLATION in WITH_DATABASES else [])]

pytestmark = [
    postgresql,
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=mixed"),
]


@pytest.fixture(autouse=True)
def places(transactional_db: None) -> Any:
    """All that were ready are so again."""
    yield
    call_command("flush", interactive=False, verbosity=0)


@pytest.mark.parametrize(("one", "other"), list(permutations(KINDS, 2)))
def test_there_and_back(tmp_path: Path, one: str, other: str) -> None:
    world = World((one, "row"))
    world.add_globex()
    with tenant_context(world.acme):
        Note.objects.create(subject=world.user, text="of the user")
    rows, others = graph(world.acme), world.snapshot(world.globex)
    export_tenant(world.acme, tmp_path / "one.tar")
    there = import_tenant(tmp_path / "one.tar", "there", isolation=other).tenant
    assert (there.isolation, graph(there)) == (other, rows)
    export_tenant(there, tmp_path / "other.tar")
    back = import_tenant(tmp_path / "other.tar", "back", isolation=one).tenant
    assert (back.isolation, graph(back)) == (one, rows)
    assert world.snapshot(world.globex) == others


@pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed")
def test_a_tenants_database_gets_the_shared_rows_that_it_needs(tmp_path: Path) -> None:
    world = World(("row", "row"))
    export_tenant(world.acme, tmp_path / "acme.tar")
    copy = import_tenant(tmp_path / "acme.tar", "copy", isolation="database").tenant
    with tenant_context(copy):
        assert Customer.objects.get(plan__name="basic", name="acme 0").plan == world.plan
        assert world.plan._meta.model.objects.using(SHARED).count() == 1


@pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=mixed")
def test_a_tenants_database_is_copied_after_shared_rows_were_written(tmp_path: Path) -> None:
    world = World(("row", "schema"))
    world.add_globex()
    export_tenant(world.acme, tmp_path / "acme.tar")
    there = import_tenant(tmp_path / "acme.tar", "there", isolation="database").tenant
    assert graph(clone_tenant(there, "back", isolation="row").tenant) == graph(world.acme)
