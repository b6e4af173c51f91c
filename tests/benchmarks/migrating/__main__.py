"""`python -m tests.benchmarks.migrating`: what `migrate_tenants` takes, by what the bare DDL takes that is sent in one
message for each schema, over the same schemas in the same run, forth and back. Ends with 1 where a target is missed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import django
import psycopg
from django.db import connection, connections
from psycopg import sql

from tests import databases

#: A model of a shop: three columns, a reference, and the tenant.
MODEL = """migrations.CreateModel("Model{0}", fields=[
    ("id", models.UUIDField(primary_key=True)), ("name", models.CharField(max_length=100)),
    ("amount", models.DecimalField(max_digits=10, decimal_places=2)), ("made_at", models.DateTimeField(null=True)),
    ("thing", models.ForeignKey("evolving.thing", models.CASCADE)),
    ("tenant", django_tenantkit.fields.TenantField()),
    ], bases=(django_tenantkit.fields.TenantScoped, models.Model), options={{"constraints": [
    django_tenantkit.constraints.TenantPolicy(name="evolving_%(class)s_policy")]}}),"""

ONE = """migrations.AddField("thing", "a{0}", models.IntegerField(null=True)),
    migrations.AddIndex("thing", models.Index(fields=["a{0}"], name="index_{0}")),"""
ONE_BARE = """ALTER TABLE "evolving_thing" ADD COLUMN "a{0}" integer NULL;
    CREATE INDEX "index_{0}" ON "evolving_thing" ("a{0}")"""

CHAIN = (
    """migrations.AddField("model1", "b{0}", models.CharField(max_length=20, null=True)),""",
    """migrations.AlterField("model1", "b{0}", models.TextField(null=True)),""",
    """migrations.AddField("model2", "c{0}", models.IntegerField(default=5)),""",
    """migrations.AddIndex("model2", models.Index(fields=["c{0}"], name="chain_{0}")),""",
    """migrations.RenameField("model1", "b{0}", "d{0}"),""",
)
CHAIN_BARE = """ALTER TABLE "evolving_model1" ADD COLUMN "b{0}" varchar(20) NULL;
    ALTER TABLE "evolving_model1" ALTER COLUMN "b{0}" TYPE text USING "b{0}"::text;
    ALTER TABLE "evolving_model2" ADD COLUMN "c{0}" integer DEFAULT 5 NOT NULL;
    ALTER TABLE "evolving_model2" ALTER COLUMN "c{0}" DROP DEFAULT;
    CREATE INDEX "chain_{0}" ON "evolving_model2" ("c{0}");
    ALTER TABLE "evolving_model1" RENAME COLUMN "b{0}" TO "d{0}\""""


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.migrating", description=__doc__)
    options.add_argument("--schemas", type=int, default=200, metavar="N")
    options.add_argument("--blocks", type=int, default=3, metavar="N", help="each is A B B A")
    options.add_argument("--workers", type=int, default=1, metavar="N")
    options.add_argument("--idle", type=int, default=1000, metavar="N", help="places for which there is nothing to do")
    arguments = options.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    run = databases.begin_run()
    try:
        return measured(arguments)
    finally:
        connections.close_all()
        databases.end_run(run)


def measured(arguments: argparse.Namespace) -> int:
    django.setup()
    from tests.migrating.project import Project, database, in_project

    databases.clone(connection, "benchmarks")
    template = connection.settings_dict["TEST"]["NAME"]
    with tempfile.TemporaryDirectory() as folder, database(template):
        project = Project(Path(folder))
        with in_project(project.package):
            project.write("".join(map(MODEL.format, range(10))))
            project.migrate()
            schemas = make_homes(arguments.schemas)
            missed = [
                compare(project, schemas, name, way, bare, target, arguments)
                for name, way, bare, target in (
                    ("one migration: AddField, AddIndex", (ONE,), ONE_BARE, 2.3),
                    ("a chain of five", CHAIN, CHAIN_BARE, 1.4),
                )
            ]
            missed.append(nothing_to_do(arguments.idle - len(schemas)))
        project.close()
    return int(any(missed))


def make_homes(number: int) -> list[str]:
    """So many homes; their names."""
    from django_tenantkit.isolation.schema import schema_name
    from django_tenantkit.lifecycle.places import make_place

    names = [schema_name(make_place("schema").uid) for _ in range(number)]
    connections.close_all()
    return names


def compare(project, schemas: list[str], name: str, way, bare: str, target: float, arguments) -> bool:
    """Print the ratio over blocks of A B B A, and whether it misses the target."""
    from django_tenantkit.lifecycle.migrating.run import Options, migrate_tenants

    ratios, number = [], 0

    def ours() -> float:
        nonlocal number
        number += 1
        for text in way:
            project.write(text.format(f"_ours_{number}"))
        project.migrate()
        with timer() as taken:
            report = migrate_tenants(options=Options(workers=arguments.workers))
        assert len(report.done) == len(schemas), report
        return taken()

    def by_hand() -> float:
        nonlocal number
        number += 1
        with session() as physical, timer() as taken:
            for schema in schemas:
                physical.execute(f'SET search_path TO "{schema}", public; {bare.format(f"_bare_{number}")}')
        return taken()

    by_hand(), ours()  # warm
    for _ in range(arguments.blocks):
        a, b, b_again, a_again = by_hand(), ours(), ours(), by_hand()
        ratios.append((b + b_again) / (a + a_again))
    print(
        f"{name}, {len(schemas)} schemas, {arguments.workers} workers: {median(ratios):.2f} "
        f"({min(ratios):.2f}-{max(ratios):.2f}) x the bare DDL, {a_again:.3f} s; target {target}",
        flush=True,
    )
    return min(ratios) > target


@contextmanager
def timer() -> Iterator[Callable[[], float]]:
    """Seconds between entering and leaving."""
    begin = time.perf_counter()
    ended: list[float] = []
    yield lambda: ended[0] - begin
    ended.append(time.perf_counter())


@contextmanager
def session() -> Iterator[psycopg.Connection]:
    """A plain connection of the tables' owner."""
    with databases.as_admin(connection.settings_dict["NAME"]) as physical:
        physical.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(databases.ROLES.owner)))
        yield physical


def nothing_to_do(more: int) -> bool:
    """Count the statements over so many more places that are as wanted."""
    from django_tenantkit.lifecycle.migrating.run import migrate_tenants
    from django_tenantkit.models import Place
    from tests.migrating.test_command import messages

    with connection.as_system():
        digest = Place.objects.values_list("migrations", flat=True).first()
        Place.objects.bulk_create(
            [Place(isolation="schema", state="taken", migrations=digest) for _ in range(max(more, 0))]
        )
        with messages() as sent, timer() as taken:
            report = migrate_tenants()
    assert not report.outcomes
    places = sum(state.places for state in report.states)
    print(f"nothing to do over {places} places: {len(sent)} statements, {taken() * 1000:.0f} ms; target 1")
    return len(sent) != 1


if __name__ == "__main__":
    sys.exit(main())
