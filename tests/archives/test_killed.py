"""kill -9 in the middle of each: done again it ends complete, and nothing is there twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.models import Job, JobState, Tenant, TenantStatus
from tests.archives import works
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.isolation.world import World
from tests.lifecycle.helpers import child
from tests.testapp.models import Line

pytestmark = postgresql

ARCHIVE = "django_tenantkit.lifecycle.archive"


def killed(work: str, function: str, moment: str, **arguments: Any) -> None:
    """Do `work` in a process, and kill it there."""
    given = json.dumps({name: str(value) for name, value in arguments.items()})
    with child("tests.archives.killable", work, given, f"{ARCHIVE}.{function}", moment) as process:
        assert process.stdout.readline() == "stopped\n", process.communicate()[1]
        process.kill()
    with transaction.atomic():  # the server has noticed when the dead connection's locks are gone
        list(Job.objects.select_for_update())


@pytest.mark.parametrize("moment", ["begin", "end"])
@pytest.mark.parametrize(
    "function",
    ["taking._manifest", "taking._write_named", "taking.signed", "exporting.os.replace", "exporting.described"],
)
def test_an_export(two: World, tmp_path: Path, function: str, moment: str) -> None:
    file = tmp_path / "acme.tar"
    killed("write", function, moment, file=file)
    if file.exists():
        file.unlink()
    works.write(str(file))
    assert [path.name for path in tmp_path.iterdir()] == ["acme.tar"]
    assert {job.state for job in Job.objects.all()} == {JobState.DONE}
    works.load(str(file))
    assert graph(Tenant.objects.get(slug="copy")) == graph(two.acme)


@pytest.mark.parametrize("moment", ["begin", "end"])
@pytest.mark.parametrize(
    "function",
    [
        "importing.make_tenant",
        "loading.Load.stage",
        "loading.Load.find_keys",
        "loading.Load._insert",
        "loading.Load.check_constraints",
        "importing.change_status",
    ],
)
def test_an_import_of_a_new_tenant(two: World, archive: Path, function: str, moment: str) -> None:
    before = two.snapshot(two.globex)
    killed("load", function, moment, file=archive)
    assert not Tenant.objects.filter(slug="copy", status=TenantStatus.ACTIVE).exists()
    works.load(str(archive))
    assert graph(Tenant.objects.get(slug="copy")) == graph(two.acme)
    assert Job.objects.get(kind="import").state == JobState.DONE
    assert two.snapshot(two.globex) == before


@pytest.mark.parametrize("function", ["loading.Load._insert", "loading.Load.check_constraints"])
def test_an_import_into_a_tenant(two: World, archive: Path, function: str) -> None:
    before = graph(two.acme)
    with tenant_context(two.acme):
        Line.objects.update(quantity=99)
    changed = two.snapshot(two.acme)
    killed("update", function, "end", file=archive)
    assert two.snapshot(two.acme) == changed
    works.update(str(archive))
    assert graph(two.acme) == before


@pytest.mark.parametrize("moment", ["begin", "end"])
@pytest.mark.parametrize("function", ["cloning.write_archive", "cloning.load_into"])
def test_a_clone(two: World, function: str, moment: str) -> None:
    killed("clone", function, moment)
    works.clone()
    assert graph(Tenant.objects.get(slug="copy")) == graph(two.acme)
    assert Job.objects.get(kind="clone").state == JobState.DONE


@pytest.mark.parametrize("function", ["restoring._Past.put_back", "restoring._Past.__init__"])
def test_a_restore(two: World, archive: Path, function: str) -> None:
    before = two.snapshot(two.acme)
    with tenant_context(two.acme):
        Line.objects.all().delete()
    changed = two.snapshot(two.acme)
    killed("restore", function, "end", file=archive)
    assert two.snapshot(two.acme) == changed
    works.restore(str(archive))
    assert two.snapshot(two.acme) == before


def test_nothing_of_a_dead_process_is_in_the_way(two: World, archive: Path) -> None:
    for function in ("loading.Load.stage", "loading.Load.find_keys", "importing.change_status"):
        killed("load", function, "end", file=archive)
    works.load(str(archive))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'tenantkit_rows%%'")
        assert cursor.fetchone() == (0,)
