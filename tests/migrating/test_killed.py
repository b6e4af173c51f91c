"""kill -9 at random points of a run, again and again; and two runs at once: nothing is done twice, nothing is lost."""

from __future__ import annotations

import json

from django.db import connection

from django_tenantkit.lifecycle.migrating.survey import run_lock
from tests.migrating.project import Project, add_thing, ask, catalog, recorded, run, tell, things

KILLS = 50

COUNT = """
def up(apps, editor):
    Thing = apps.get_model("evolving", "Thing")
    with unscoped(reason="count"):
        for thing in Thing.objects.all():
            thing.size += 1
            thing.save()

def down(apps, editor):
    Thing = apps.get_model("evolving", "Thing")
    with unscoped(reason="count"):
        for thing in Thing.objects.all():
            thing.size -= 1
            thing.save()
"""


def test_fifty_kills(project: Project) -> None:
    tenants = project.tenants(6)
    for tenant in tenants:
        add_thing(tenant)
        tell(f"ALTER TABLE t_{tenant.uid.hex}.evolving_thing ADD size int NOT NULL DEFAULT 100")
    tell("ALTER TABLE rows.evolving_thing ADD size int NOT NULL DEFAULT 100")
    field = 'migrations.AddField("thing", "size", models.IntegerField(default=100))'
    project.write(f"migrations.SeparateDatabaseAndState(state_operations=[{field}]),")
    project.write("migrations.RunPython(up, down),", extra=COUNT)
    project.write(
        'migrations.RunSQL("UPDATE evolving_thing SET size = size + 10", "UPDATE evolving_thing SET size = size - 10"),'
    )
    project.write("""migrations.AddField("thing", "parent", models.ForeignKey("self", models.CASCADE, null=True)),
        migrations.AddIndex("thing", models.Index(fields=["name"], name="thing_name")),""")
    project.write("migrations.RunPython(up, down),", extra=COUNT)
    project.migrate()
    with project.child("tests.migrating.killed", str(KILLS), "7") as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    numbers = json.loads(printed.splitlines()[-1])
    assert sum(numbers.get(moment, 0) for moment in ("before", "sent", "after")) == KILLS
    ran = run("--all-tenants", "--wait", "60")
    assert ran.code == 0, ran.complaint
    assert run("--check").code == 0
    assert [things(tenant, "size") for tenant in tenants] == [[112]] * 6
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first] * 5
    assert [len(recorded(tenant.uid)) for tenant in tenants] == [6] * 6


def test_a_second_run_waits_and_then_refuses(project: Project) -> None:
    project.tenants(1)
    project.write("""migrations.AddField("thing", "rank", models.IntegerField(default=5)),""")
    project.migrate()
    with project.child("tests.migrating.holding") as process:
        assert process.stdout.readline() == "held\n"
        ran = run("--all-tenants", "--wait", "0")
        process.kill()
    assert (ran.code, ran.complaint) == (2, "Another `migrate_tenants` is at work. Wait for its end.")
    assert run("--all-tenants", "--wait", "60").code == 0


def test_two_runs_at_once(project: Project) -> None:
    """The second one waits for the first, and finds that nothing is left."""
    tenants = project.tenants(4)
    project.write("""migrations.RunSQL("CREATE TABLE once (id int)"),""")
    project.migrate()
    with (
        project.child("django", "migrate_tenants", "--all-tenants") as one,
        project.child("django", "migrate_tenants", "--all-tenants") as two,
    ):
        printed = [one.communicate()[0], two.communicate()[0]]
    assert [one.returncode, two.returncode] == [0, 0], printed
    assert [recorded(tenant.uid)[-1] for tenant in tenants] == [project.last] * 4
    assert ask("SELECT max(attempts) FROM django_tenantkit_place") == [2]


def test_the_lock_ends_with_the_run(project: Project) -> None:
    with connection.as_system(), run_lock(0):
        assert len(ask("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")) == 1
    assert ask("SELECT pid FROM pg_locks WHERE locktype = 'advisory'") == []
