"""What depends on rows, or cannot be sent together with others, runs in each home by itself."""

from __future__ import annotations

import pytest

from django_tenantkit.isolation.schema import schema_name
from tests.migrating.project import Project, add_thing, ask, catalog, recorded, run, tell, things

MARK = """
def mark(apps, editor):
    from django_tenantkit import get_current_tenant
    tenant = get_current_tenant()
    if tenant is not None:
        for thing in apps.get_model("evolving", "Thing").objects.all():
            thing.name = f"{thing.name} of {tenant.slug}"
            thing.save()

class OfItsOwn(migrations.RunSQL):
    pass
"""

ALONE = {
    "migrations.RunPython(mark, migrations.RunPython.noop),": "RunPython",
    "migrations.SeparateDatabaseAndState([migrations.RunPython(mark, migrations.RunPython.noop)]),": "RunPython",
    'OfItsOwn("ALTER TABLE evolving_thing ADD size int"),': "OfItsOwn is not one of Django's operations",
    """migrations.AddField("thing", "at", models.DateTimeField(default=django.utils.timezone.now)),""": (
        "the default of at is called for each"
    ),
    """migrations.AddField("thing", "at", models.DateTimeField(auto_now=True, null=True)),""": (
        "the default of at is called for each"
    ),
}


@pytest.mark.parametrize("operations", ALONE)
def test_it_says_so_and_runs_in_each(project: Project, operations: str) -> None:
    tenants = project.tenants(3)
    name = project.write(operations, extra=MARK)
    project.migrate()
    assert f"evolving.{name}: in each by itself, as {ALONE[operations]}" in run("--plan").out
    assert run("--all-tenants").code == 0
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first, first]
    assert [name in recorded(tenant.uid) for tenant in tenants] == [True] * 3


def test_a_data_migration_runs_once_as_each_tenant(project: Project) -> None:
    tenants = project.tenants(3)
    for tenant in tenants:
        add_thing(tenant)
    project.write("migrations.RunPython(mark),", extra=MARK)
    project.migrate()
    assert run("--all-tenants").code == 0
    assert [things(tenant) for tenant in tenants] == [[f"{t.slug} of {t.slug}"] for t in tenants]
    assert run("--all-tenants").out == "Nothing to do: all homes are as the migrations say.\n"
    assert [things(tenant) for tenant in tenants] == [[f"{t.slug} of {t.slug}"] for t in tenants]


def test_between_recorded_ones(project: Project) -> None:
    tenants = project.tenants(3)
    for tenant in tenants:
        add_thing(tenant)
    project.write("""migrations.AddField("thing", "size", models.IntegerField(default=5)),""")
    project.write("migrations.RunPython(mark),", extra=MARK)
    project.write("""migrations.RenameField("thing", "name", "title"),""")
    project.migrate()
    assert run("--all-tenants", "--workers", "1").code == 0
    for tenant in tenants:
        found = ask(f"SELECT title, size FROM {schema_name(tenant.uid)}.evolving_thing")
        assert found == [(f"{tenant.slug} of {tenant.slug}", 5)]


@pytest.mark.parametrize(
    ("operation", "because"),
    [
        ('"CREATE INDEX CONCURRENTLY thing_name ON evolving_thing (name)"', "it is not atomic"),
        ('"INSERT INTO evolving_thing SELECT * FROM evolving_thing WHERE false"', ""),
    ],
)
def test_outside_of_transactions(project: Project, operation: str, because: str) -> None:
    tenants = project.tenants(3)
    project.write(f"migrations.RunSQL({operation}),", atomic=not because)
    project.migrate()
    assert (because or "recorded once") in run("--plan").out
    assert run("--all-tenants").code == 0
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first, first]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM evolving_thing",
        "DO $$ BEGIN PERFORM 1; END $$",
        "ALTER TYPE public.mood ADD VALUE IF NOT EXISTS 'fine'",
    ],
)
def test_sql_that_is_not_sent_to_others(project: Project, statement: str) -> None:
    """Found when it is recorded: each home runs it then."""
    tenants = project.tenants(3)
    project.write('migrations.RunSQL("CREATE TYPE public.mood AS ENUM ()", hints={"homes": False}),')
    project.write(f'migrations.RunSQL("{statement}"),')
    project.migrate()
    assert run("--all-tenants").code == 0
    assert [recorded(tenant.uid)[-1] for tenant in tenants] == [project.last] * 3


def test_an_index_that_a_killed_run_began(project: Project) -> None:
    """Built concurrently, so outside of transactions: kept where it is whole, made again where it is not."""
    tenants = project.tenants(3)
    for tenant in tenants[1:]:
        tell(f"CREATE INDEX thing_name ON {schema_name(tenant.uid)}.evolving_thing (name)")
    index = f"'{schema_name(tenants[2].uid)}.thing_name'::regclass"
    tell(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}")
    project.write(
        """AddIndexConcurrently("thing", models.Index(fields=["name"], name="thing_name")),""",
        extra="from django.contrib.postgres.operations import AddIndexConcurrently",
        atomic=False,
    )
    project.migrate()
    assert run("--all-tenants").code == 0
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first, first]
    assert ask(f"SELECT indisvalid FROM pg_index WHERE indexrelid = {index}") == [True]


def test_sql_that_names_the_tenant(project: Project) -> None:
    """A constraint class of the adopter's own asks who the tenant is: what one home was sent is not for another."""
    tenants = project.tenants(3)
    project.write(
        """migrations.AddConstraint("thing", Own(condition=~models.Q(name=""), name="own")),""",
        extra="""
class Own(models.CheckConstraint):
    def create_sql(self, model, editor):
        from django_tenantkit import get_current_tenant
        tenant = get_current_tenant()
        return f"COMMENT ON TABLE evolving_thing IS '{tenant.uid if tenant else ''}'"
""",
    )
    project.migrate()
    assert run("--all-tenants", "--workers", "1").code == 0
    for tenant in tenants:
        found = ask(f"SELECT obj_description('{schema_name(tenant.uid)}.evolving_thing'::regclass)")
        assert found == [str(tenant.uid)]
