"""A tenant as it was: what differs, and what is put back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.restoring import compare, restore_beside, restore_tenant
from django_tenantkit.models import Domain, Tenant
from django_tenantkit.signals import tenant_restored, tenant_restoring
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.isolation.world import World
from tests.lifecycle.helpers import Ran
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Tag, Vip

pytestmark = postgresql


@pytest.fixture
def damaged(two: World, archive: Path) -> World:
    """After the archive was made: one row is new, one changed, and some are gone."""
    with tenant_context(two.acme):
        Customer.objects.filter(name="acme 0").update(email="changed@example.com")
        Customer.objects.create(name="new")
        Line.objects.all().delete()
        Note.objects.all().delete()
        Category.objects.filter(parent=None).update(name="changed")
    return two


def counted(tenant: Any, source: Any) -> dict[str, tuple[int, int, int]]:
    return {one.label: (one.missing, one.new, one.changed) for one in compare(tenant, source)}


def test_nothing_differs_at_first(two: World, archive: Path) -> None:
    assert compare(two.acme, archive) == []


def test_what_differs_is_shown_by_model_and_row(damaged: World, archive: Path) -> None:
    assert counted(damaged.acme, archive) == {
        "testapp.Category": (0, 0, 1),
        "testapp.Customer": (0, 1, 1),
        "testapp.Line": (1, 0, 0),
        "testapp.Note": (1, 0, 0),
    }
    customers = next(one for one in compare(damaged.acme, archive) if one.label == "testapp.Customer")
    changed = next(row for row in customers.rows if row["is"] == "changed")
    assert changed["columns"] == ["email"]
    assert (changed["today"]["email"], changed["past"]["email"]) == ("changed@example.com", "c0@example.com")


def test_comparing_changes_nothing(damaged: World, archive: Path) -> None:
    before = damaged.snapshot(damaged.acme)
    compare(damaged.acme, archive)
    assert damaged.snapshot(damaged.acme) == before


def test_all_is_put_back(two: World, archive: Path) -> None:
    before, others = two.snapshot(two.acme), two.snapshot(two.globex)
    with tenant_context(two.acme):
        Tag.objects.filter(label="red0").update(label="x")
        Vip.objects.all().delete()
        Invoice.objects.all().delete()
        Tag.objects.create(label="red0")
    restore_tenant(two.acme, archive, ["all"])
    assert two.snapshot(two.acme) == before
    assert two.snapshot(two.globex) == others


def test_receivers_hear_of_it_before_and_after(damaged: World, archive: Path) -> None:
    was = graph(damaged.acme)
    heard: list[Any] = []

    def hear(tenant: Any, signal: Any, **_: Any) -> None:
        heard.append((signal is tenant_restoring, graph(tenant)))

    with ExitStack() as stack:
        for signal in (tenant_restoring, tenant_restored):
            signal.connect(hear)
            stack.callback(signal.disconnect, hear)
        restore_tenant(damaged.acme, archive, ["all"])
    assert graph(damaged.acme) != was
    assert heard == [(True, was), (False, graph(damaged.acme))]


def test_chosen_models_are_put_back_and_others_are_not(damaged: World, archive: Path) -> None:
    job = restore_tenant(damaged.acme, archive, ["testapp.Customer"])
    assert set(counted(damaged.acme, archive)) == {"testapp.Category", "testapp.Line", "testapp.Note"}
    assert job.result["applied"] == ["testapp.Customer", "testapp.Vip"]


def test_tables_of_many_to_many_fields_go_with_their_model(two: World, archive: Path) -> None:
    with tenant_context(two.acme):
        Invoice.objects.get().tags.clear()
    restore_tenant(two.acme, archive, ["testapp.Invoice"])
    with tenant_context(two.acme):
        assert Invoice.objects.get().tags.count() == 1


def test_what_others_refer_to_is_not_removed(damaged: World, archive: Path) -> None:
    with tenant_context(damaged.acme):
        Invoice.objects.create(customer=Customer.objects.get(name="new"), number="new")
    before = damaged.snapshot(damaged.acme)
    with pytest.raises(ArchiveRefused, match="violates foreign key"):
        restore_tenant(damaged.acme, archive, ["testapp.Customer"])
    assert damaged.snapshot(damaged.acme) == before


def test_rows_of_shared_tables(two: World, tmp_path: Path) -> None:
    from django_tenantkit.lifecycle.archive.exporting import export_tenant

    with unscoped(reason="test"):
        Domain.objects.create(tenant=two.acme, domain="shop.acme.org")
        Domain.objects.create(tenant=two.globex, domain="globex.org")
    export_tenant(two.acme, tmp_path / "domains.tar")
    with unscoped(reason="test"):
        Domain.objects.filter(tenant=two.acme).delete()
    restore_tenant(two.acme, tmp_path / "domains.tar", ["django_tenantkit.Domain"])
    assert set(Domain.objects.values_list("domain", flat=True)) == {"shop.acme.org", "globex.org"}


def test_another_tenants_archive(two: World, archive: Path) -> None:
    with pytest.raises(ArchiveRefused, match="is of the tenant 'acme', not of 'globex'"):
        compare(two.globex, archive)


def test_a_model_that_is_none(two: World, archive: Path) -> None:
    with pytest.raises(ArchiveRefused, match=r"has no rows of auth\.User"):
        restore_tenant(two.acme, archive, ["auth.User"])


def test_the_command(damaged: World, archive: Path) -> None:
    shown = Ran("restore_tenant", "acme", "--from", str(archive))
    assert "testapp.Customer: 0 missing, 1 new, 1 changed" in shown.out
    assert "testapp.Line: 1 missing, 0 new, 0 changed" in shown.out
    assert "those of all, in about " in shown.out
    assert Ran("restore_tenant", "acme", "--from", str(archive), "--apply", "all").code == 0
    assert Ran("restore_tenant", "acme", "--from", str(archive)).out == "acme is what it was.\n"
    assert connections["default"].in_atomic_block is False


class TestBeside:
    def test_the_past_is_a_tenant_to_look_at(self, damaged: World, archive: Path) -> None:
        before, others = damaged.snapshot(damaged.acme), damaged.snapshot(damaged.globex)
        past = restore_beside(damaged.acme, archive, "past").tenant
        assert (past.slug, past.isolation) == ("past", damaged.acme.isolation)
        with tenant_context(past):
            assert set(Customer.objects.values_list("email", flat=True)) == {"c0@example.com", ""}
            assert (Line.objects.count(), Note.objects.count()) == (1, 1)
        assert (damaged.snapshot(damaged.acme), damaged.snapshot(damaged.globex)) == (before, others)

    def test_what_differs_is_as_before_and_can_be_applied(self, damaged: World, archive: Path) -> None:
        found = counted(damaged.acme, archive)
        past = restore_beside(damaged.acme, archive, "past").tenant
        assert counted(damaged.acme, archive) == found
        restore_tenant(damaged.acme, archive, ["all"])
        assert graph(damaged.acme) == graph(past)

    def test_a_slug_that_is_taken(self, damaged: World, archive: Path) -> None:
        before = damaged.snapshot(damaged.globex)
        with pytest.raises(ArchiveRefused, match="is taken"):
            restore_beside(damaged.acme, archive, "globex")
        assert damaged.snapshot(damaged.globex) == before

    def test_another_tenants_archive(self, two: World, archive: Path) -> None:
        with pytest.raises(ArchiveRefused, match="is of the tenant 'acme', not of 'globex'"):
            restore_beside(two.globex, archive, "past")

    def test_the_command(self, damaged: World, archive: Path) -> None:
        done = Ran("restore_tenant", "acme", "--from", str(archive), "--as", "past")
        assert done.out.startswith("past: acme as it was, 19 rows (uid ")
        both = Ran("restore_tenant", "acme", "--from", str(archive), "--as", "x", "--apply", "all")
        assert (both.code, Tenant.objects.filter(slug="x").exists()) == (2, False)
