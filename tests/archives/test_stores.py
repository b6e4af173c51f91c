"""What is kept of a tenant beside the database travels in its archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from django_tenantkit import get_current_tenant
from django_tenantkit.exceptions import ArchiveRefused, JobFailed
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.container import CHUNK
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.lifecycle.stores import Store
from django_tenantkit.models import Job, JobState, Tenant, TenantStatus
from tests.archives.conftest import postgresql
from tests.archives.forging import forged
from tests.archives.graph import graph
from tests.isolation.world import World

pytestmark = postgresql

NAME = "tests.archives.test_stores.Shelf"


class Shelf(Store):
    """Things by the tenant's slug and by name."""

    things: ClassVar[dict[str, dict[str, bytes]]] = {}
    fails: ClassVar[bool] = False

    def export(self, tenant: Any, write: Any) -> None:
        assert get_current_tenant() == tenant
        for name, data in self.things.get(tenant.slug, {}).items():
            write(name, iter([data[: len(data) // 2], data[len(data) // 2 :]]))

    def load(self, tenant: Any, entries: Any) -> None:
        assert get_current_tenant() == tenant
        if self.fails:
            raise RuntimeError("the shelf is locked")
        self.things[tenant.slug] = {name: b"".join(chunks) for name, chunks in entries}

    def copy(self, source: Any, target: Any) -> None:
        self.things[target.slug] = dict(self.things[source.slug])


class Lazy(Shelf):
    """Reads nothing of what it is given."""

    def load(self, tenant: Any, entries: Any) -> None:
        next(entries)


@pytest.fixture(autouse=True)
def things(settings: Any) -> Iterator[dict[str, bytes]]:
    settings.TENANTKIT_STORES = [NAME]
    found = {"a/b ü.txt": b"text\n\n", "empty": b"", "large": bytes(range(256)) * (CHUNK // 100)}
    Shelf.things, Shelf.fails = {"acme": found}, False
    return found


def test_what_went_in_comes_out(two: World, archive: Path, things: Any) -> None:
    job = import_tenant(archive, "copy")
    assert Shelf.things["copy"] == things
    assert job.result["stores"] == {NAME: 3}
    assert graph(job.tenant) == graph(two.acme)


def test_an_empty_store(two: World, tmp_path: Path) -> None:
    Shelf.things = {}
    export_tenant(two.acme, tmp_path / "acme.tar")
    import_tenant(tmp_path / "acme.tar", "copy")
    assert Shelf.things == {"copy": {}} or Shelf.things == {}


def test_a_store_may_leave_the_rest(two: World, tmp_path: Path, settings: Any) -> None:
    settings.TENANTKIT_STORES = ["tests.archives.test_stores.Lazy", NAME]
    export_tenant(two.acme, tmp_path / "acme.tar")
    import_tenant(tmp_path / "acme.tar", "copy")
    assert Shelf.things["copy"] == Shelf.things["acme"]


def test_a_store_that_is_not_here_is_noted(two: World, archive: Path, settings: Any) -> None:
    settings.TENANTKIT_STORES = []
    assert import_tenant(archive, "copy").result["notes"] == [f"{NAME} is no store here; what it had was left out."]


def test_a_store_that_fails_is_tried_again(two: World, archive: Path, things: Any) -> None:
    Shelf.fails = True
    with pytest.raises(JobFailed, match="the shelf is locked"):
        import_tenant(archive, "copy")
    assert Tenant.objects.get(slug="copy").status == TenantStatus.PROVISIONING
    Shelf.fails = False
    import_tenant(archive, "copy")
    assert Shelf.things["copy"] == things
    assert Tenant.objects.get(slug="copy").status == TenantStatus.ACTIVE
    assert Job.objects.get(kind="import").state == JobState.DONE


def test_a_clone_has_a_copy(two: World, things: Any) -> None:
    clone_tenant(two.acme, "copy")
    assert Shelf.things["copy"] == things


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../b", "", "a//b", "a\\b", "a\0b", "x" * 2000, ".", 5, None]
)
def test_names_that_lead_elsewhere(two: World, archive: Path, name: Any) -> None:
    def change(entries: dict[str, bytes]) -> None:
        lines = [json.loads(line) for line in entries[f"stores/{NAME}/names.jsonl"].splitlines()]
        lines[0]["name"] = name
        entries[f"stores/{NAME}/names.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    with pytest.raises(ArchiveRefused):
        import_tenant(forged(archive, change), "copy")
    assert not Tenant.objects.filter(slug="copy").exists()


@pytest.mark.parametrize("parts", [0, 2, -1, 10**9, True, "1", None])
def test_parts_that_are_not_there(two: World, archive: Path, parts: Any) -> None:
    def change(entries: dict[str, bytes]) -> None:
        lines = [json.loads(line) for line in entries[f"stores/{NAME}/names.jsonl"].splitlines()]
        lines[0]["parts"] = parts
        entries[f"stores/{NAME}/names.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    with pytest.raises(ArchiveRefused):
        import_tenant(forged(archive, change), "copy")
    assert not Tenant.objects.filter(slug="copy").exists()
