"""Archives of other deployments, of other times, and databases restored beside the live one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.models import Domain, Membership, Tenant
from tests.archives import other
from tests.archives.conftest import postgresql
from tests.archives.forging import change_manifest, change_rows, forged
from tests.archives.graph import graph
from tests.archives.test_files import contents, paper
from tests.databases import HANDED_DOWN, ISOLATION, as_admin
from tests.databases import _set_up as set_up
from tests.isolation.world import World
from tests.lifecycle.helpers import child
from tests.testapp.models import Customer, Invoice, Line, Note, Plan, Region

pytestmark = postgresql


class TestAnotherDeployment:
    """The same database once everything in it is gone, and other rows have come before."""

    @pytest.fixture
    def foreign(self, two: World, tmp_path: Path, settings: Any) -> Path:
        with tenant_context(two.acme):
            Note.objects.create(subject=two.user, text="of the user")
        with unscoped(reason="test"):
            Domain.objects.create(tenant=two.acme, domain="shop.acme.org", verified_at="2020-01-01T00:00:00Z")
            Membership.objects.create(tenant=two.acme, user=two.user, role="admin")
        export_tenant(two.acme, tmp_path / "acme.tar")
        call_command("flush", interactive=False, verbosity=0)
        settings.SECRET_KEY = "another deployment's"
        with unscoped(reason="test", rows_only=True):
            ContentType.objects.all().delete()
        for model in (Line, Note, Customer, get_user_model()):
            ContentType.objects.get_for_model(model)
        ContentType.objects.clear_cache()
        for number in range(3):
            Plan.objects.create(name=f"other {number}")
            Region.objects.create(name=f"other {number}")
            get_user_model().objects.create(username=f"other {number}", is_superuser=True)
        return tmp_path / "acme.tar"

    def test_shared_rows_that_are_missing_are_listed(self, foreign: Path) -> None:
        with pytest.raises(ArchiveRefused, match=r"not here: testapp.Plan \['basic'\], testapp.Region \['north'\]"):
            import_tenant(foreign, trust_unsigned=True)
        assert not Tenant.objects.exists()
        assert not get_user_model().objects.filter(username="user").exists()

    def test_shared_rows_are_found_by_name_and_users_arrive_without_rights(self, foreign: Path) -> None:
        plan, region = Plan.objects.create(name="basic"), Region.objects.create(name="north")
        job = import_tenant(foreign, trust_unsigned=True)
        user = get_user_model().objects.get(username="user")
        assert job.result["users"] == ["user"]
        assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (False, False, False)
        assert [(one.user, one.role) for one in job.tenant.memberships.all()] == [(user, "admin")]
        with tenant_context(job.tenant):
            assert Customer.objects.get(name="acme 0").plan == plan
            assert Invoice.objects.get().owner == user
            assert Note.objects.get(text="of the user").subject == user
            assert Note.objects.get(text="acme 0").subject == Customer.objects.get(name="acme 0")
            assert region.products.count() == 1

    def test_a_domain_is_to_be_proved_anew(self, foreign: Path) -> None:
        Plan.objects.create(name="basic")
        Region.objects.create(name="north")
        tenant = import_tenant(foreign, trust_unsigned=True).tenant
        assert [(one.domain, one.verified_at) for one in tenant.domains.all()] == [("shop.acme.org", None)]

    def test_shared_rows_of_the_same_name_are_not_chosen_from(self, foreign: Path) -> None:
        for _ in range(2):
            Plan.objects.create(name="basic")
            Region.objects.create(name="north")
        with pytest.raises(ArchiveRefused, match=r"testapp.Plan \['basic'\] \(several\)"):
            import_tenant(foreign, trust_unsigned=True)


@pytest.fixture
def elsewhere() -> Iterator[dict[str, str]]:
    """The environment of a deployment with an empty database of its own."""
    name, given = f"{connection.settings_dict['NAME']}_other", json.loads(os.environ[HANDED_DOWN])
    with as_admin() as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    with as_admin(name) as admin:
        set_up(admin, given)
    yield {"DJANGO_SETTINGS_MODULE": "tests.archives.other_settings", HANDED_DOWN: json.dumps({**given, "NAME": name})}
    with as_admin() as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.skipif(ISOLATION not in ("row", "mixed"), reason="once is enough")
def test_a_real_other_deployment(two: World, tmp_path: Path, settings: Any, elsewhere: dict[str, str]) -> None:
    """Another process, database and secret key; and back again."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    with tenant_context(two.acme):
        Note.objects.create(subject=two.user, text="of the user")
        Note.objects.create(subject=two.region, text="of the region")
    paper(two.acme, "papers/a.txt", b"a")
    with unscoped(reason="test"):
        Domain.objects.create(tenant=two.acme, domain="shop.acme.org", verified_at="2020-01-01T00:00:00Z")
    before, here = graph(two.acme, by_name=True), other.keys()
    export_tenant(two.acme, tmp_path / "acme.tar.gz", files=True)
    paths = [str(tmp_path / name) for name in ("acme.tar.gz", "back.tar", "media there")]
    process = child("tests.archives.other", *paths, env=elsewhere)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    found = json.loads(printed)
    assert found["database"] != connection.settings_dict["NAME"]
    assert "was not signed by this deployment" in found["unsigned"]
    assert "not here: testapp.Plan ['basic']" in found["missing"]
    assert found["nothing"]
    assert {name for name, key in found["keys"].items() if key == here[name]} == set()
    assert (found["graph"], found["files"]) == (before, {"papers/a.txt": "a"})
    assert (found["user"], found["domains"], found["others"]) == ([False] * 3, [["shop.acme.org", None]], 5)
    back = import_tenant(tmp_path / "back.tar", "back", trust_unsigned=True).tenant
    assert graph(back, by_name=True) == before
    assert contents(back) == {"papers/a.txt": b"a"}


class TestOlderArchives:
    def test_columns_since_then_get_their_default(self, two: World, archive: Path) -> None:
        def change(entries: dict[str, bytes]) -> None:
            change_manifest(entries, lambda found: found["models"]["testapp.Line"]["columns"].pop("quantity"))
            change_rows(entries, "testapp.Line", lambda row: row.pop("quantity"))

        copy = import_tenant(forged(archive, change), "copy").tenant
        with tenant_context(copy):
            assert Line.objects.get().quantity == 1

    def test_columns_that_are_gone_are_left_out_and_noted(self, two: World, archive: Path) -> None:
        def change(entries: dict[str, bytes]) -> None:
            change_manifest(entries, lambda found: found["models"]["testapp.Line"]["columns"].update(colour="text"))
            change_rows(entries, "testapp.Line", lambda row: row.update(colour="red"))

        job = import_tenant(forged(archive, change), "copy")
        assert job.result["notes"] == ["testapp.Line has no column colour any more; it was left out."]
        assert graph(job.tenant) == graph(two.acme)

    def test_models_that_were_not_there_are_empty(self, two: World, archive: Path) -> None:
        def change(entries: dict[str, bytes]) -> None:
            change_manifest(entries, lambda found: found["models"].pop("testapp.Note"))
            entries.pop("data/testapp.Note/00001.jsonl")

        copy = import_tenant(forged(archive, change), "copy").tenant
        with tenant_context(copy):
            assert not Note.objects.exists()

    def test_fewer_migrations_are_an_older_state(self, two: World, archive: Path) -> None:
        def change(entries: dict[str, bytes]) -> None:
            change_manifest(entries, lambda found: found["migrations"]["django_tenantkit"].pop())

        import_tenant(forged(archive, change), "copy")
        assert Tenant.objects.filter(slug="copy").exists()
