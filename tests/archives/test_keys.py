"""Keys: kept where they are free, new ones otherwise, and every reference follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.lifecycle.archive.restoring import restore_tenant
from django_tenantkit.models import TenantStatus
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.databases import ISOLATION
from tests.isolation.world import TENANT_MODELS, World
from tests.testapp.models import Customer, Line, Note, Product, Tag

pytestmark = postgresql


def empty(tenant) -> None:
    """Nothing of the tenant is left, and its slug is free."""
    with connection.as_system(), connection.cursor() as cursor:
        for model in reversed(TENANT_MODELS):
            cursor.execute(f'DELETE FROM "{model._meta.db_table}" WHERE tenant_id = %s', [tenant.pk])
    with unscoped(reason="test"):
        type(tenant).objects.filter(pk=tenant.pk).update(slug="former", status=TenantStatus.ERASED)


def keys(tenant) -> dict[str, set]:
    with tenant_context(tenant):
        return {model._meta.label: set(model._base_manager.values_list("pk", flat=True)) for model in TENANT_MODELS}


@pytest.mark.skipif(ISOLATION != "row", reason="rows of other tenants are in other tables")
def test_free_keys_are_kept(two: World, archive: Path) -> None:
    before, rows = keys(two.acme), graph(two.acme)
    empty(two.acme)
    job = import_tenant(archive, "acme")
    assert keys(job.tenant) == before
    assert graph(job.tenant) == rows
    assert job.result["remapped"] == {}


@pytest.mark.skipif(ISOLATION != "row", reason="rows of other tenants are in other tables")
def test_taken_keys_are_replaced(two: World, archive: Path) -> None:
    job = import_tenant(archive, "copy")
    assert job.result["remapped"]["testapp.Customer"] == 3
    assert not keys(job.tenant)["testapp.Line"] & keys(two.acme)["testapp.Line"]
    assert graph(job.tenant) == graph(two.acme)


@pytest.mark.skipif(ISOLATION != "row", reason="rows of other tenants are in other tables")
def test_keys_of_rows_that_a_tenant_lost_are_kept_for_it(two: World, archive: Path) -> None:
    before = keys(two.acme)
    with tenant_context(two.acme):
        Line.objects.all().delete()
    copy = import_tenant(archive, "copy").tenant
    assert not keys(copy)["testapp.Line"] & before["testapp.Line"]
    restore_tenant(two.acme, archive, ["all"])
    assert keys(two.acme) == before


def test_every_key_is_new_with_remap(two: World, archive: Path) -> None:
    copy = import_tenant(archive, "copy", remap=True).tenant
    for label, found in keys(copy).items():
        assert not found & keys(two.acme)[label] or ISOLATION != "row", label
    assert graph(copy) == graph(two.acme)


def test_generic_references_lead_to_the_new_rows(two: World, archive: Path) -> None:
    copy = import_tenant(archive, "copy", remap=True).tenant
    with tenant_context(copy):
        note = Note.objects.get()
        assert note.subject == Customer.objects.get(name="acme 0")


def test_a_generic_reference_to_a_shared_row_leads_to_it(two: World, tmp_path: Path) -> None:
    with tenant_context(two.acme):
        Note.objects.create(subject=two.user, text="of the user")
    export_tenant(two.acme, tmp_path / "acme.tar")
    copy = import_tenant(tmp_path / "acme.tar", "copy").tenant
    with tenant_context(copy):
        assert Note.objects.get(text="of the user").subject == two.user


def test_sequences_are_behind_the_keys(two: World, archive: Path) -> None:
    empty(two.acme)
    copy = import_tenant(archive, "acme").tenant
    with tenant_context(copy):
        tag = Tag.objects.create(label="next")
        assert tag.pk == max(Tag.objects.values_list("pk", flat=True))


@pytest.mark.skipif(ISOLATION != "row", reason="a sequence of its own is the tenant's own affair")
def test_a_great_key_does_not_use_up_the_sequence(two: World, tmp_path: Path) -> None:
    with tenant_context(two.acme):
        Tag.objects.create(pk=2**63 - 1, label="greatest")
    export_tenant(two.acme, tmp_path / "acme.tar")
    copy = import_tenant(tmp_path / "acme.tar", "copy").tenant
    with tenant_context(copy):
        assert Tag.objects.get(label="greatest").pk < 1000
        assert Tag.objects.create(label="next").pk < 1000


def test_rows_that_are_there_are_refused(two: World, archive: Path) -> None:
    before = graph(two.acme)
    with pytest.raises(ArchiveRefused, match=r"has \d of the archive's rows of testapp.\w+ already"):
        import_tenant(archive)
    assert graph(two.acme) == before


def test_rows_that_are_there_are_replaced_on_request(two: World, archive: Path) -> None:
    before = graph(two.acme)
    with tenant_context(two.acme):
        Line.objects.update(quantity=99)
        Product.objects.filter(active=False).delete()
    import_tenant(archive, on_conflict="update")
    assert graph(two.acme) == before


def test_another_tenants_rows_stay_as_they_are(two: World, archive: Path) -> None:
    before = two.snapshot(two.globex)
    import_tenant(archive, "copy")
    import_tenant(archive, on_conflict="update")
    assert two.snapshot(two.globex) == before


class TestASecondTime:
    def test_rows_that_got_new_keys_are_not_there_twice(self, two: World, archive: Path) -> None:
        copy = import_tenant(archive, "copy", remap=True).tenant
        before = graph(copy)
        for how in ("update", "refuse"):
            with pytest.raises(ArchiveRefused, match=r"were given new keys .* they would be there twice"):
                import_tenant(archive, "copy", on_conflict=how)
        assert graph(copy) == before

    def test_nor_those_of_a_clone(self, two: World, archive: Path) -> None:
        clone_tenant(two.acme, "copy")
        with pytest.raises(ArchiveRefused, match="would be there twice"):
            import_tenant(archive, "copy", on_conflict="update")

    def test_a_later_archive_of_the_copy_has_the_new_keys(self, two: World, archive: Path, tmp_path: Path) -> None:
        copy = import_tenant(archive, "copy").tenant
        export_tenant(copy, tmp_path / "copy.tar")
        before = graph(copy)
        with tenant_context(copy):
            Line.objects.update(quantity=99)
        import_tenant(tmp_path / "copy.tar", on_conflict="update")
        assert graph(copy) == before

    def test_the_tenants_own_archive_as_often_as_you_like(self, two: World, archive: Path) -> None:
        before = graph(two.acme)
        for _ in range(2):
            import_tenant(archive, on_conflict="update")
        assert graph(two.acme) == before
