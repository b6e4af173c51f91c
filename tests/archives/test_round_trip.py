"""What comes out of an archive is what went in."""

from __future__ import annotations

import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive import taking
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.databases import ISOLATION
from tests.isolation.world import World
from tests.presets.models import Rate, Sale
from tests.testapp.models import Tag

pytestmark = postgresql


def test_a_new_tenant_has_the_same_rows(two: World, archive: Path) -> None:
    copy = import_tenant(archive, "copy").tenant
    assert graph(copy) == graph(two.acme)


@pytest.mark.skipif(ISOLATION != "row", reason="rows of nobody are copied to tenants' homes, see tests/homes")
def test_rows_of_nobody_are_named(two: World, tmp_path: Path, settings: Any) -> None:
    settings.TENANTKIT_ARCHIVE_KEYS |= {"presets.Rate": ["name"]}
    with unscoped(reason="test"):
        everybodys = Rate.objects.create(tenant=None, name="19 %")
    with tenant_context(two.acme):
        own = Rate.objects.create(name="own", parent=everybodys)
        for rate in (own, everybodys):
            Sale.objects.create(rate=rate).others.set([own, everybodys])
    export_tenant(two.acme, tmp_path / "acme.tar")
    copy = import_tenant(tmp_path / "acme.tar", "copy").tenant
    with tenant_context(copy):
        assert {sale.rate.name for sale in Sale.objects.all()} == {"own", "19 %"}
        assert Sale.objects.get(rate=everybodys).others.filter(pk=everybodys.pk).exists()
        copied = Rate.objects.get(name="own")
        assert (copied.parent, copied.pk != own.pk) == (everybodys, True)


def test_a_second_export_has_the_same_rows(two: World, archive: Path, tmp_path: Path) -> None:
    copy = import_tenant(archive, "copy").tenant
    export_tenant(copy, tmp_path / "copy.tar")
    assert rows_in(tmp_path / "copy.tar") == rows_in(archive)


def rows_in(file: Path) -> dict[str, int]:
    with tarfile.open(file) as found:
        listed: Any = json.load(found.extractfile("checksums.json"))
    counted: dict[str, int] = {}
    for entry in listed["entries"]:
        if entry["name"].startswith("data/"):
            counted[entry["name"]] = entry["rows"]
    return counted


def test_an_export_in_a_transaction_is_refused_and_leaves_nothing(two: World, tmp_path: Path) -> None:
    with transaction.atomic(), pytest.raises(ArchiveRefused, match=r"Leave atomic\(\)"):
        export_tenant(two.acme, tmp_path / "acme.tar")
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_meanwhile_is_not_in_it(two: World, tmp_path: Path, monkeypatch: Any) -> None:
    before, found = graph(two.acme), taking._manifest

    def write_and_go_on(*given: Any) -> Any:
        with ThreadPoolExecutor(1) as other:
            other.submit(in_thread, two.acme).result()
        return found(*given)

    monkeypatch.setattr(taking, "_manifest", write_and_go_on)
    export_tenant(two.acme, tmp_path / "acme.tar")
    copy = import_tenant(tmp_path / "acme.tar", "copy").tenant
    assert graph(copy) == before != graph(two.acme)


def in_thread(tenant: Any) -> None:
    try:
        with tenant_context(tenant):
            Tag.objects.create(label="meanwhile")
    finally:
        connections.close_all()


@pytest.mark.parametrize("name", ["acme.tar", "acme.tar.gz"])
def test_other_programs_read_it(two: World, tmp_path: Path, name: str) -> None:
    export_tenant(two.acme, tmp_path / name)
    with tarfile.open(tmp_path / name) as found:
        assert found.getnames()[0] == "manifest.json"
        assert found.getnames()[-2:] == ["checksums.json", "signature.json"]
        lines = found.extractfile("data/testapp.Customer/00001.jsonl").read().splitlines()
    assert {json.loads(line)["name"] for line in lines} == {"acme 0", "acme 0 idle", "acme 0 vip"}
