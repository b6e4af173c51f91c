"""The content types and permissions of a home are those that Django would make."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, migrations
from django.db.migrations import Migration
from django.db.models.signals import post_migrate

from django_tenantkit import tenant_context
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.kinds import announce_renamed, fill_home
from tests.databases import as_admin


def kinds():
    return set(ContentType.objects.values_list("app_label", "model"))


def permissions():
    return set(Permission.objects.values_list("content_type__app_label", "content_type__model", "codename", "name"))


def test_a_home_has_what_django_made_in_the_main_database(tenants):
    expected = kinds(), permissions()
    assert expected[0]
    assert expected[1]
    for tenant in tenants.values():
        with tenant_context(tenant):
            assert (kinds(), permissions()) == expected


@pytest.fixture
def ready():
    """The schema of a place that nobody took; what a test does there is undone."""
    with as_admin(connection.settings_dict["NAME"]) as admin:
        uids = sorted(uid for (uid,) in admin.execute("SELECT uid FROM django_tenantkit_place"))
    return schema_name(uids[-1])


@pytest.mark.django_db(transaction=False)
class TestInAHome:
    @pytest.fixture(autouse=True)
    def _as_the_system(self, ready, django_db_blocker):
        with django_db_blocker.unblock():
            yield

    def test_what_is_missing_is_made_and_nothing_twice(self, ready, heard):
        with as_admin(connection.settings_dict["NAME"]) as admin:
            admin.execute(f"DELETE FROM {ready}.auth_permission WHERE codename = 'add_book'")
            admin.execute(f"DELETE FROM {ready}.auth_permission WHERE codename LIKE '%_note'")
            admin.execute(f"DELETE FROM {ready}.django_content_type WHERE model = 'note'")
            counts = f"SELECT (SELECT count(*) FROM {ready}.auth_permission), count(*) FROM {ready}.django_content_type"
            for _ in range(2):
                self.fill(ready)
                found = admin.execute(counts).fetchone()
        assert found == (Permission.objects.count(), ContentType.objects.count())
        assert heard == ["books", "books"]

    def fill(self, ready):

        alone = connections.create_connection("default")  # the test's own is in a transaction
        try:
            with alone.as_system(), alone.in_home(ready):
                fill_home(alone, [], {"books"})
        finally:
            alone.close()


@pytest.fixture
def heard():
    """The apps that heard `post_migrate`."""
    labels = []

    def hear(app_config, **kwargs):
        labels.append(app_config.label)

    post_migrate.connect(hear, sender=apps.get_app_config("books"))
    yield labels
    post_migrate.disconnect(hear, sender=apps.get_app_config("books"))


def test_content_types_of_models_that_are_renamed_are_renamed():
    """As Django's `migrate` does; `contenttypes` is in each home here."""
    first = Migration("0001_initial", "contenttypes")
    renaming = Migration("0002_rename", "books")
    renaming.operations = [migrations.RenameModel("Book", "Volume")]
    announce_renamed([(first, False), (renaming, False)])
    assert [type(operation).__name__ for operation in renaming.operations] == ["RenameModel", "RenameContentType"]
