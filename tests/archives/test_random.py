"""A random graph, with every kind of relation there or not, goes out, comes in, is copied and put back: each time the
rows are what they were, and other tenants' too."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.lifecycle.archive.restoring import compare, restore_tenant
from django_tenantkit.lifecycle.move.run import move
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.databases import ISOLATION, WITH_DATABASES
from tests.erasing.papers.models import Folder, Paper
from tests.isolation.world import World, kinds_of_test
from tests.moving.ground import drop_left, fresh, make_ready
from tests.moving.test_random import Filled, steps
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Product, Profile, Tag

pytestmark = postgresql

#: Which isolations copies have.
KINDS = ["row"] if ISOLATION == "row" else ["row", "schema"]
if ISOLATION in WITH_DATABASES:
    KINDS.append("database")
#: Folders whose covers are papers in folders: of which each paper is in which, and what is in its file, if it has one.
PAPERS = st.lists(st.tuples(st.integers(0, 3), st.none() | st.binary(max_size=20)), max_size=5)
WAYS = ["archive", "clone"]
if ISOLATION in WITH_DATABASES:
    WAYS += ["move", "move online"]
#: Where a tenant goes, and how.
JOURNEY = st.lists(st.tuples(st.sampled_from(WAYS), st.sampled_from(KINDS)), min_size=1, max_size=4)
DAMAGES = {
    "lines": lambda: Line.objects.all().delete(),
    "parents": lambda: Category.objects.update(parent=None),
    "relations": lambda: [one.related.clear() for one in Category.objects.all()],
    "tags": lambda: [one.tags.clear() for one in Invoice.objects.all()],
    "customers": lambda: Customer.objects.update(plan=None, name="changed"),
    "profiles": lambda: Profile.objects.all().delete(),
    "notes": lambda: Note.objects.all().delete(),
    "new": lambda: Product.objects.create(sku="new"),
    "a new circle": lambda: circle(Category.objects.create(name="one"), Category.objects.create(name="other")),
    "everything": lambda: [
        model.objects.all().delete() for model in (Line, Note, Profile, Invoice, Customer, Product, Category, Tag)
    ],
}
NUMBERS = itertools.count()


def circle(one: Any, other: Any) -> None:
    one.parent, other.parent = other, one
    one.save()
    other.save()


def fill_papers(papers: list[Any]) -> None:
    """Papers and folders in circles."""
    with transaction.atomic():
        made = [Paper(text=f"{number}", data={"number": number}) for number in range(len(papers))]
        folders = {which: Folder(name=f"{which}", cover_id=made[0].pk) for which, _ in papers}
        Folder.objects.bulk_create(folders.values())
        for paper, (which, data) in zip(made, papers, strict=True):
            paper.folder = folders[which]
            if data is not None:
                paper.file = default_storage.save(f"papers/{paper.text}.bin", ContentFile(data))
        Paper.objects.bulk_create(made)


def everything(tenant: Any) -> Any:
    """All rows of a tenant, without keys, and what is in its files."""
    with tenant_context(tenant):
        papers = [
            (one.text, one.data, one.folder.name, one.folder.cover.text, one.file.read() if one.file else None)
            for one in Paper.objects.order_by("text")
        ]
    return graph(tenant), papers


def sent(tenant: Any, way: str, kind: str, folder: Path) -> Any:
    """The tenant that has all of it then."""
    slug, file = f"copy{next(NUMBERS)}", folder / f"{next(NUMBERS)}.tar"
    if way == "clone":
        return clone_tenant(tenant, slug, isolation=kind).tenant
    if way == "archive":
        export_tenant(tenant, file, files=True)
        return import_tenant(file, slug, isolation=kind).tenant
    if tenant.isolation != kind:
        move(tenant, kind, online=way == "move online", remap=True)  # a copy may have the original's keys
    return fresh(tenant)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=steps,
    papers=PAPERS,
    journey=JOURNEY,
    damages=st.sets(st.sampled_from(sorted(DAMAGES))),
)
def test_it_comes_back_as_it_left(
    transactional_db: None,
    tmp_path: Path,
    settings: Any,
    steps: list[Any],
    papers: list[Any],
    journey: list[tuple[str, str]],
    damages: set[str],
) -> None:
    call_command("flush", verbosity=0, interactive=False)
    settings.MEDIA_ROOT = str(tmp_path / f"media{next(NUMBERS)}")
    make_ready(*kinds_of_test())
    world = World()
    world.add_globex()
    with tenant_context(world.acme):
        for model in (Line, Note, Profile, Invoice, Customer, Product, Category, Tag):
            model.objects.all().delete()
        filled = Filled()
        for number, step in enumerate(steps):
            filled.step(number, *step)
        fill_papers(papers)
    settings.TENANTKIT_ARCHIVE_KEYS = {"testapp.Plan": ["name"], "testapp.Region": ["name"]}
    acme, file = world.acme, tmp_path / f"{next(NUMBERS)}.tar"
    was, before, theirs = world.snapshot(acme), everything(acme), world.snapshot(world.globex)
    export_tenant(acme, file, files=True)
    tenant = acme
    with ExitStack() as stack:
        stack.callback(drop_left)
        for way, kind in journey:
            tenant = sent(fresh(tenant), way, kind, tmp_path)
            assert everything(tenant) == before
        acme = fresh(acme)
        assert world.snapshot(acme) == was
    with tenant_context(acme):
        for name in sorted(damages):
            DAMAGES[name]()
    restore_tenant(acme, file, ["all"], files=True)
    assert world.snapshot(acme) == was
    assert everything(acme) == before
    assert compare(acme, file, files=True) == []
    assert world.snapshot(world.globex) == theirs
