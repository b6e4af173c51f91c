"""One migration in many homes: planned once, recorded once, and the same in each as Django's own way makes it."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from django_tenantkit.lifecycle.migrating.homely import run_step
from django_tenantkit.lifecycle.places import make_place
from tests.migrating.project import Project, add_thing, ask, catalog, recorded, run

TENANT_MODEL = """fields=[
        ("id", models.BigAutoField(primary_key=True)), ("text", models.TextField(unique=True)),
        ("tenant", django_tenantkit.fields.TenantField()),
        ("thing", models.ForeignKey("evolving.thing", models.CASCADE)),
        ("groups", models.ManyToManyField("evolving.group")),
    ], bases=(django_tenantkit.fields.TenantScoped, models.Model), options={"constraints": [
        django_tenantkit.constraints.TenantPolicy(name="evolving_%(class)s_policy"),
        models.CheckConstraint(condition=~models.Q(text=""), name="not_empty"),
    ]}"""

#: What Django does in the first home and we replay in the others: one migration after the other.
SHARED = {
    "add": """migrations.AddField("thing", "size", models.IntegerField(default=5)),
        migrations.AddIndex("thing", models.Index(fields=["name"], name="thing_name")),""",
    "remove": """migrations.AddField("thing", "size", models.IntegerField(default=5)),
        migrations.RemoveField("thing", "name"),""",
    "alter": """migrations.AlterField("thing", "name", models.CharField(max_length=90, null=True, db_index=True)),
        migrations.AlterField("thing", "name", models.TextField(default="it is 100%")),""",
    "rename": """migrations.RenameField("thing", "name", "title"), migrations.RenameModel("group", "circle"),
        migrations.AlterModelTable("thing", "evolving_item"),""",
    "create": f"""migrations.CreateModel("Remark", {TENANT_MODEL}),""",
    "delete": """migrations.RemoveField("thing", "group"), migrations.DeleteModel("Group"),""",
    "many": """migrations.AddField("thing", "groups", models.ManyToManyField("evolving.group", related_name="+")),
        migrations.AddField("thing", "parent", models.ForeignKey("self", models.CASCADE, null=True)),""",
    "shared": """migrations.AddField("kind", "rank", models.IntegerField(default=0)),
        migrations.AddField("thing", "kind", models.ForeignKey("evolving.kind", models.CASCADE, null=True)),
        migrations.RunPython(lambda apps, editor: apps.get_model("evolving", "Kind").objects.create(name="first"),
            hints={"homes": False}),""",
    "constraints": """migrations.AddConstraint("thing",
        models.UniqueConstraint(fields=["tenant", "name"], name="one_name", condition=models.Q(group=None))),
        migrations.AddConstraint("thing", models.CheckConstraint(condition=~models.Q(name="?"), name="no_riddle")),
        migrations.RemoveConstraint("thing", "no_riddle"),""",
    "sql": """migrations.RunSQL(["ALTER TABLE evolving_thing ADD weight int", ("COMMENT ON TABLE evolving_thing IS %s",
        ["100% 'mine'"])], migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RunSQL("CREATE VIEW all_things AS SELECT * "
        "FROM evolving_thing -- all")], state_operations=[]),""",
}

#: Each would be a trigger on the shared table, for each tenant.
REFERENCES_TO_SHARED_TABLES = """
SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = confrelid
WHERE starts_with(connamespace::regnamespace::text, 't_') AND NOT starts_with(relnamespace::regnamespace::text, 't_')
"""


@pytest.mark.parametrize("kind", SHARED)
def test_a_replayed_home_is_as_a_migrated_one(project: Project, kind: str) -> None:
    tenants = project.tenants(3)
    name = project.write(SHARED[kind])
    project.migrate()
    assert f"evolving.{name}: recorded once" in run("--plan").out
    before = catalog(tenants[0].uid)
    with patch("django_tenantkit.lifecycle.migrating.homely.run_step", wraps=run_step) as ran_by_django:
        ran = run("--all-tenants", "--workers", "1")
    assert ran_by_django.call_count == 1
    assert (ran.code, ran.out) == (0, "Migrated 3 homes.\n"), ran.complaint
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first, first]
    assert catalog(make_place("schema").uid) == first
    assert first != before
    assert ask(REFERENCES_TO_SHARED_TABLES) == []
    assert [name in recorded(tenant.uid) for tenant in tenants] == [True] * 3
    assert run("--check").code == 0


def test_a_chain_with_rows_between_tables(project: Project) -> None:
    """Deferred references wait for the end of a transaction, and tables cannot be altered before."""
    tenants = project.tenants(3)
    for tenant in tenants:
        add_thing(tenant)
    project.write("""migrations.AddField("thing", "parent", models.ForeignKey("self", models.CASCADE, null=True)),""")
    project.write("""migrations.RunSQL("UPDATE evolving_thing SET parent_id = id"),""")
    project.write("""migrations.AddField("thing", "size", models.IntegerField(null=True)),""")
    project.write("""migrations.AlterField("thing", "size", models.IntegerField(default=7)),""")
    project.migrate()
    assert run("--all-tenants", "--workers", "1").code == 0
    for tenant in tenants:
        assert ask(f"SELECT name, size, parent_id = id FROM t_{tenant.uid.hex}.evolving_thing") == [
            (tenant.slug, 7, True)
        ]
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first, first]
