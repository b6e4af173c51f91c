"""While rows are loaded into a tenant that works, the database refuses everybody else's, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused, TenantUnavailable
from django_tenantkit.lifecycle import fence as fences
from django_tenantkit.lifecycle.archive import fencing, importing, restoring
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.lifecycle.archive.restoring import restore_tenant
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Tenant
from tests.archives import works
from tests.archives.conftest import postgresql
from tests.archives.test_killed import killed
from tests.isolation.world import World
from tests.testapp.models import Line, Tag

pytestmark = postgresql

WORKS: dict[str, Callable[[Any, Path], Any]] = {
    "import": lambda tenant, file: import_tenant(file, on_conflict="update"),
    "restore": lambda tenant, file: restore_tenant(tenant, file, ["all"]),
}
#: Called when the rows are there and not committed.
LAST = {"import": importing.Load, "restore": restoring._Past}


def elsewhere(function: Callable[[], Any]) -> Any:
    """What a function returns or raises in another process: a thread with connections of its own."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(function())
        except Exception as error:
            found.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


def write(tenant: Any, label: str = "late") -> Any:
    with tenant_context(tenant):
        return Tag.objects.create(label=label)


def write_as_operator(tenant: Any) -> Any:
    with unscoped(reason="test", rows_only=True):
        return Line.objects.filter(tenant=tenant).update(quantity=50)


def labels(tenant: Any) -> set[str]:
    with tenant_context(tenant):
        return set(Tag.objects.values_list("label", flat=True))


@pytest.fixture(params=["import", "restore"])
def work(request: Any) -> str:
    return str(request.param)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_stale_process_cannot_write_meanwhile(
    two: World, archive: Path, work: str, moment: str, monkeypatch: Any
) -> None:
    stale, other, tried = Tenant.objects.get(pk=two.acme.pk), two.globex, list[Any]()
    name = "run" if work == "import" else "put_back"
    usual = getattr(LAST[work], name)

    def try_to_write(*given: Any) -> Any:
        done = usual(*given) if moment == "after" else None
        tried.append(elsewhere(lambda: write(stale)))
        if stale.home is None and moment == "before":  # afterwards it waits for rows that are being written
            tried.append(elsewhere(lambda: write_as_operator(stale)))
        assert isinstance(elsewhere(lambda: write(other)), Tag)
        return done if moment == "after" else usual(*given)

    monkeypatch.setattr(LAST[work], name, try_to_write)
    WORKS[work](two.acme, archive)
    assert tried
    assert {type(one) for one in tried} == {TenantUnavailable}
    assert isinstance(elsewhere(lambda: write(stale)), Tag)


def test_a_transaction_that_wrote_before_is_waited_for_and_not_lost(
    two: World, archive: Path, work: str, monkeypatch: Any
) -> None:
    waits, ended, found = threading.Event(), threading.Event(), list[Any]()
    monkeypatch.setattr(fences.time, "sleep", lambda seconds: waits.set())

    def load() -> None:
        try:
            found.append(WORKS[work](Tenant.objects.get(pk=two.acme.pk), archive))
        finally:
            ended.set()
            waits.set()
            connections.close_all()

    thread = threading.Thread(target=load)
    with transaction.atomic(), tenant_context(two.acme):
        written = Tag.objects.create(label="in time")
        Line.objects.update(quantity=98)
        thread.start()
        waits.wait()
        assert not ended.is_set()
    thread.join()
    if work == "import":
        assert "in time" in labels(two.acme)
    else:  # it is what is new, and counted as that
        counted = {one["model"]: one["new"] for one in found[0].result["differences"]}
        assert counted["testapp.Tag"] == 1
    with tenant_context(two.acme):
        assert Line.objects.get().quantity == 3
        assert Tag.objects.filter(pk=written.pk).exists() is (work == "import")


def test_what_is_refused_opens_the_fence(two: World, archive: Path, work: str, monkeypatch: Any) -> None:
    def refuse(*given: Any) -> None:
        raise ArchiveRefused("no")

    monkeypatch.setattr(LAST[work], "run" if work == "import" else "put_back", refuse)
    with pytest.raises(ArchiveRefused, match="no"):
        WORKS[work](two.acme, archive)
    assert not fences.is_fenced(two.acme)
    write(two.acme)


def test_a_fence_that_was_there_stays(two: World, archive: Path, work: str) -> None:
    before = two.snapshot(two.acme)
    suspend(two.acme, fenced=True)
    WORKS[work](two.acme, archive)
    assert two.snapshot(two.acme) == before
    assert fences.is_fenced(two.acme)
    fences.unfence(two.acme)


def test_a_killed_job_keeps_the_fence_until_it_is_done(two: World, archive: Path) -> None:
    for work, function in (("update", "fencing.work_inside"), ("restore", "restoring._Past.put_back")):
        killed(work, function, "end", file=archive)
        with pytest.raises(TenantUnavailable):
            write(two.acme)
        getattr(works, work)(str(archive))
        write(two.acme, f"after {work}")


def test_only_the_job_itself_writes(two: World) -> None:
    if two.acme.home is not None:
        pytest.skip("operators write in homes through the tenant alone")
    fences.fence(two.acme)
    with pytest.raises(TenantUnavailable):
        write_as_operator(two.acme)
    with transaction.atomic(), unscoped(reason="test", rows_only=True):
        fencing.work_inside(importing.Ground(two.acme))
        assert write_as_operator(two.acme) == 1
    with pytest.raises(TenantUnavailable):
        write_as_operator(two.acme)
    fences.unfence(two.acme)
