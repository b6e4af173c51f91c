"""One tenant's failure is its own: noted, reported, and gone on with."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from django.db import connection

from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.models import Place
from tests.migrating.project import Project, add_thing, ask, catalog, recorded, run, tell, things

UNIQUE = """migrations.AddConstraint("thing", models.UniqueConstraint(fields=["tenant", "name"], name="one_name")),"""


def places() -> dict[str, Place]:
    """The places by their tenant's slug."""
    slugs = dict(ask("SELECT uid, slug FROM django_tenantkit_tenant"))
    with connection.as_system():
        return {slugs[place.uid]: place for place in Place.objects.filter(state="taken")}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_others_are_migrated_all_the_same(project: Project, which: int) -> None:
    """Also where the first one fails, in which the others' SQL is recorded."""
    tenants = sorted(project.tenants(3), key=lambda tenant: tenant.uid)
    bad = tenants.pop(which)
    for _ in range(2):
        add_thing(bad, "same")
    name = project.write(UNIQUE)
    project.migrate()
    ran = run("--all-tenants", "--format", "json")
    assert ran.code == 3
    assert ran.complaint.startswith(f"1 of 3 homes failed: {bad.slug} (IntegrityError: could not create unique index")
    assert {home["name"]: bool(home["error"]) for home in ran.json["homes"]} == {
        bad.slug: True,
        **{tenant.slug: False for tenant in tenants},
    }
    assert [name in recorded(tenant.uid) for tenant in tenants] == [True, True]
    assert name not in recorded(bad.uid)
    failed = places()[bad.slug]
    assert "one_name" in failed.error
    assert (failed.attempts, failed.seconds is None) == (2, False)
    assert [places()[tenant.slug].error for tenant in tenants] == ["", ""]

    tell(f"UPDATE {schema_name(bad.uid)}.evolving_thing SET name = id::text")
    ran = run("--resume")
    assert (ran.code, ran.out) == (0, "Migrated 1 home.\n")
    assert catalog(bad.uid) == catalog(tenants[0].uid)
    assert places()[bad.slug].error == ""


def test_what_was_done_before_the_failure_is_kept(project: Project) -> None:
    tenant, _ = project.tenants(2)
    for _ in range(2):
        add_thing(tenant, "same")
    first = project.write("""migrations.AddField("thing", "size", models.IntegerField(default=5)),""")
    project.write(UNIQUE)
    project.migrate()
    assert run("--tenant", tenant.slug).code == 3
    assert recorded(tenant.uid)[-1] == first
    assert things(tenant, "size") == [5, 5]
    assert run("--all-tenants").code == 3
    assert recorded(tenant.uid)[-1] == first


def test_a_missing_schema_is_refused_and_not_made_empty(project: Project) -> None:
    tenants = project.tenants(3)
    gone = tenants[1]
    tell(f"DROP SCHEMA {schema_name(gone.uid)} CASCADE")
    project.write("""migrations.AddField("thing", "size", models.IntegerField(default=5)),""")
    project.migrate()
    ran = run("--all-tenants")
    assert ran.code == 3
    assert f"{gone.slug} (HomeMissing: The schema {schema_name(gone.uid)} of {gone.slug} is not there" in ran.complaint
    assert ask(f"SELECT to_regnamespace('{schema_name(gone.uid)}')") == [None]
    assert [recorded(t.uid)[-1] for t in tenants if t != gone] == [project.last] * 2
    assert run("--tenant", gone.slug).code == 3
    assert ask(f"SELECT to_regnamespace('{schema_name(gone.uid)}')") == [None]


def test_a_home_that_is_not_what_its_place_says(project: Project) -> None:
    """The home's own record is believed: nothing is done twice, and nothing left out."""
    tenants = project.tenants(3)
    project.write("""migrations.AddField("thing", "size", models.IntegerField(default=5)),""")
    project.migrate()
    before = ask("SELECT DISTINCT migrations FROM django_tenantkit_place")[0]
    assert run("--tenant", tenants[0].slug).code == 0
    tell(f"UPDATE django_tenantkit_place SET migrations = '{before}'")
    tell(f"UPDATE django_tenantkit_place SET migrations = 'nonsense' WHERE uid = '{tenants[1].uid}'")
    ran = run("--all-tenants")
    assert (ran.code, ran.out) == (0, "Migrated 3 homes.\n"), ran.complaint
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first, first]
    assert run("--check").code == 0


def test_a_home_that_differs_is_migrated_by_django(project: Project) -> None:
    """What was recorded does not fit: a name that Django finds in the catalog is another one there."""
    tenants = sorted(project.tenants(3), key=lambda tenant: tenant.uid)
    schema = schema_name(tenants[2].uid)
    name = ask(
        f"SELECT conname FROM pg_constraint WHERE conrelid = '{schema}.evolving_thing'::regclass AND contype = 'p'"
    )[0]
    tell(f"ALTER TABLE {schema}.evolving_thing RENAME CONSTRAINT {name} TO other_pkey")
    project.write("""migrations.RunSQL("ALTER TABLE evolving_thing RENAME CONSTRAINT evolving_thing_pkey TO mine"),""")
    project.migrate()
    ran = run("--all-tenants", "--workers", "1")
    assert ran.code == 3
    assert 'constraint "evolving_thing_pkey" for table "evolving_thing" does not exist' in ran.complaint


def test_first_rows_are_looked_after_by_the_next_run(project: Project, settings) -> None:
    """A run that ends between the last migration and what follows it leaves the home behind."""
    settings.TENANTKIT_TENANT_APPS = ["evolving"]
    tenants = project.tenants(3)
    project.write("""migrations.AddField("thing", "size", models.IntegerField(default=5)),""")
    project.write("""migrations.AddField("thing", "rank", models.IntegerField(default=5)),""")
    project.migrate()
    called = "django_tenantkit.lifecycle.migrating.homely.fill_home"
    with patch("django_tenantkit.lifecycle.migrating.plans.heard", set):
        with patch(called, side_effect=RuntimeError("killed")):
            assert run("--all-tenants").code == 3
        assert [recorded(tenant.uid)[-1] for tenant in tenants] == [project.last] * 3
        assert run("--check").code == 1
        with patch(called) as fill_home:
            assert run("--all-tenants").code == 0
    assert [call.args[2] for call in fill_home.call_args_list] == [["evolving"]] * 3
    assert run("--check").code == 0
