"""Tables without a tenant's column go out and come in like others: users, groups, books, notes on whatever there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.db import connection

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.lifecycle.archive.restoring import compare, restore_tenant
from django_tenantkit.lifecycle.kinds import fill_home
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.models import Place
from tests.databases import as_admin
from tests.drift import turn_round
from tests.owners.books.models import Book, Note


@pytest.fixture
def filled(transactional_db: None) -> Any:
    """Homes with the rows that Django makes: the tests here commit, and what they leave is flushed, those too."""
    if Place.objects.count() < 4:
        make_place("schema")
    uids = sorted(Place.objects.values_list("uid", flat=True))
    with connection.as_system():
        for uid in uids:
            with connection.in_home(schema_name(uid)):
                fill_home(connection, [])
    with as_admin(connection.settings_dict["NAME"]) as admin:
        for uid in uids[1::2]:
            turn_round(admin, schema_name(uid), "django_content_type", by=0)
            turn_round(admin, schema_name(uid), "auth_permission", by=3)
    yield
    call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def acme(filled: None, request: Any) -> Any:
    """Somebody in a group with permissions, and notes on a book, on a user and on a permission."""
    tenant = request.getfixturevalue("tenants")["acme"]
    with tenant_context(tenant):
        ann = User.objects.get(username="ann")
        group = Group.objects.create(name="readers")
        group.permissions.set(Permission.objects.filter(codename__in=["add_book", "change_user"]))
        ann.groups.add(group)
        ann.user_permissions.set(Permission.objects.filter(codename="delete_note"))
        book = Book.objects.create(title="Emma")
        book.readers.add(ann)
        for about in (book, ann, Permission.objects.get(codename="add_book")):
            Note.objects.create(text=f"of {about}", writer=ann, about=about)
        Site.objects.all().delete()
        Site.objects.create(domain="example.com", name="under another key")
        User.objects.create_user("late", password="late's secret")
    return tenant


@pytest.fixture
def archive(acme: Any, tmp_path: Path) -> Path:
    export_tenant(acme, tmp_path / "acme.tar")
    return tmp_path / "acme.tar"


def said(tenant: Any) -> dict[str, Any]:
    """What the rows say, without keys."""
    with tenant_context(tenant):
        return {
            "users": set(User.objects.values_list("username", "password", "is_superuser", "is_staff", "email")),
            "groups": {
                (group.name, *sorted(group.permissions.values_list("codename", flat=True)))
                for group in Group.objects.all()
            },
            "of users": set(User.objects.values_list("username", "groups__name", "user_permissions__codename")),
            "readers": set(Book.objects.values_list("title", "readers__username")),
            "notes": {(note.text, note.writer.username, repr(note.about)) for note in Note.objects.all()},
            "sites": set(Site.objects.values_list("pk", "domain", "name")),
        }


def test_a_new_tenant_has_the_same_rows(acme: Any, archive: Path) -> None:
    before = said(acme)
    copy = import_tenant(archive, "copy").tenant
    assert said(copy) == said(acme) == before
    assert len(before["notes"]) == 3


def test_homes_with_other_content_types(acme: Any, archive: Path, tmp_path: Path) -> None:
    """Of four homes every second one has its content types the other way round."""
    first = import_tenant(archive, "first").tenant
    export_tenant(first, tmp_path / "first.tar")
    acme_was = said(acme)
    second = import_tenant(tmp_path / "first.tar", "second").tenant
    assert said(second) == said(first) == said(acme) == acme_was


def test_keys_stay_what_they_are(acme: Any, archive: Path) -> None:
    copy = import_tenant(archive, "copy").tenant
    found = []
    for tenant in (acme, copy):
        with tenant_context(tenant):
            found.append(set(User.objects.values_list("pk", "username")))
    assert found[0] == found[1]
    with tenant_context(copy):
        assert User.objects.create_user("next").pk > max(pk for pk, _ in found[0])


def test_a_clone_has_the_same_rows(acme: Any) -> None:
    assert said(clone_tenant(acme, "copy").tenant) == said(acme)


def test_rows_that_are_there_are_refused_or_replaced(acme: Any, archive: Path) -> None:
    before = said(acme)
    with tenant_context(acme):
        Book.objects.update(title="changed")
        User.objects.get(username="late").delete()
    with pytest.raises(ArchiveRefused, match="already"):
        import_tenant(archive)
    import_tenant(archive, on_conflict="update")
    assert said(acme) == before


def test_a_tenant_is_put_back(acme: Any, archive: Path) -> None:
    before = said(acme)
    assert compare(acme, archive) == []
    with tenant_context(acme):
        Book.objects.all().delete()
        Book.objects.create(title="new")
        User.objects.get(username="late").delete()
    assert {(one.label, one.missing, one.new) for one in compare(acme, archive)} == {
        ("auth.User", 1, 0),
        ("books.Book", 1, 1),
        ("books.Book_readers", 1, 0),
    }
    restore_tenant(acme, archive, ["all"])
    assert said(acme) == before


def test_other_tenants_stay_as_they_are(acme: Any, archive: Path, tenants: Any) -> None:
    before = said(tenants["globex"])
    import_tenant(archive, "copy")
    import_tenant(archive, on_conflict="update")
    restore_tenant(acme, archive, ["all"])
    assert said(tenants["globex"]) == before


def test_sessions_stay_behind(acme: Any, clients: Any, tmp_path: Path) -> None:
    export_tenant(acme, tmp_path / "with.tar")
    copy = import_tenant(tmp_path / "with.tar", "copy").tenant
    with tenant_context(acme):
        assert Session.objects.exists()
    with tenant_context(copy):
        assert not Session.objects.exists()
