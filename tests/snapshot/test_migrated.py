"""Schemas that Django's migrations made, and their copies: the same now, and after the next migration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.postgres.indexes import GinIndex
from django.db import connection, migrations, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower

from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.fields import TenantReference
from django_tenantkit.lifecycle.homes import migrate_home
from django_tenantkit.lifecycle.snapshot import Snapshot, differences, take
from tests.guard.migrating import Project, Version, key_of, superuser

CASCADE = models.CASCADE

MIGRATED, AGAIN, COPY = "migrated_0001", "migrated_0002", "copied_0003"


def shop(later: bool = False) -> Version:
    """Every shape that a tenant's table has; `later`, as the next migration makes it."""
    version = Version()
    version.shared("Region", name=models.CharField(max_length=50))
    version.model(
        "Party",
        name=models.CharField(max_length=80 if later else 50, db_comment="who"),
        born=models.DateField(db_default="2020-01-01"),
        label=models.CharField(max_length=9, default=""),
        lower=models.GeneratedField(expression=Lower("label"), output_field=models.TextField(), db_persist=True),
        **({"late": models.IntegerField(default=5)} if later else {}),
        meta={
            "db_table_comment": "parties",
            "indexes": [
                models.Index(Lower("name"), name="party_lower"),
                *([] if later else [models.Index(fields=["-born"], name="party_born", condition=Q(name="x"))]),
            ],
            "constraints": [
                models.CheckConstraint(condition=~Q(name="") | Q(born__gt="2000-01-01"), name="party_named"),
                *([] if later else [TenantUniqueConstraint(fields=["name"], name="party_name", condition=~Q(name=""))]),
                TenantUniqueConstraint(fields=["born"], name="party_late", deferrable=models.Deferrable.DEFERRED),
            ],
        },
    )
    version.model("Company", version.models[-1], vat=models.CharField(max_length=20, db_collation="C"))
    version.model(
        "Order",
        party=models.ForeignKey("guarded.Party", CASCADE, null=later),
        company=models.ForeignKey("guarded.Company", CASCADE, null=True, related_name="+"),
        region=models.ForeignKey("guarded.Region", CASCADE),
        replaces=models.OneToOneField("self", CASCADE, null=True),
        invited_by=TenantReference(null=True, related_name="+"),
        regions=models.ManyToManyField("guarded.Region", related_name="+"),
        guests=models.ManyToManyField("guarded.Party", related_name="+"),
        data=models.JSONField(default=dict),
        number=models.BigIntegerField() if later else models.SmallIntegerField(),
        total=models.DecimalField(max_digits=10, decimal_places=2, default=0),
        meta={
            "indexes": [GinIndex(fields=["data"], name="order_data")],
            "constraints": [
                TenantUniqueConstraint(fields=["number"], name="order_number", include=["total"]),
                models.CheckConstraint(condition=Q(total__gte=0) & ~Q(total=F("number")), name="order_total"),
            ],
        },
    )
    if not later:
        version.model("Remark", order=models.ForeignKey("guarded.Order", CASCADE), text=models.TextField())
    return version


@contextmanager
def inside(schema: str) -> Iterator[Any]:
    """The system at work in a schema, as migrations of a tenant's schema are."""
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(f"SET search_path = {schema}, public")
        yield cursor


def migrated(schema: str, operations: Callable[[Project], None]) -> Project:
    """A new schema in which operations ran."""
    project = Project()
    with inside("public") as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
    with inside(schema):
        operations(project)
    return project


@pytest.fixture(autouse=True)
def schemas(transactional_db: None) -> Iterator[None]:
    if connection.vendor != "postgresql":
        pytest.skip("schemas are PostgreSQL's")
    yield
    with superuser() as admin:
        for schema in (MIGRATED, AGAIN, COPY):
            admin.execute(f"SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE")


def copied(**arguments: Any) -> Snapshot:
    """The snapshot of the migrated schema, after a copy of it was made."""
    with inside("public") as cursor, transaction.atomic():
        snapshot = take(cursor, MIGRATED, **arguments)
    with inside("public") as cursor:
        cursor.execute(snapshot.script(COPY, tenant=arguments.get("tenant")))
    return snapshot


def found(one: str, other: str) -> list[str]:
    with inside("public") as cursor, transaction.atomic():
        return differences(cursor, one, other)


def test_a_copy_is_what_migrations_make() -> None:
    for schema in (MIGRATED, AGAIN):
        migrated(schema, lambda project: project.migrate(shop()))
    assert found(MIGRATED, AGAIN) == []
    copied()
    assert found(AGAIN, COPY) == []


def test_the_next_migration_makes_the_same_of_both() -> None:
    project = migrated(MIGRATED, lambda project: project.migrate(shop()))
    copied()
    (change,) = project.changes(shop(later=True))
    assert {type(operation).__name__ for operation in change.operations} >= {
        "RemoveConstraint", "RemoveIndex", "AlterField", "AddField", "DeleteModel",
    }  # fmt: skip
    before = project.state.clone()
    for schema in (MIGRATED, COPY):
        project.state = before.clone()
        with inside(schema):
            project.operate(*change.operations)
    assert found(MIGRATED, COPY) == []
    for schema in (MIGRATED, COPY):
        project.applied[:] = [(before, change)]
        change.atomic = True
        with inside(schema):
            project.back()
    assert found(MIGRATED, COPY) == []


def test_what_went_through_migrations_is_copied_too() -> None:
    """Columns that came and went, tables that were renamed, and rows that were written on the way."""
    tenants = {slug: key_of(slug) for slug in ("reference", "globex")}

    def there_and_back(project: Project) -> None:
        project.migrate(shop())
        project.migrate(shop(later=True))
        project.operate(
            migrations.RenameField("party", "late", "later"),
            migrations.RenameModel("Company", "Firm"),
            migrations.AlterModelTable("region", "regions_of_us"),
            migrations.RunSQL(f"INSERT INTO regions_of_us (name) VALUES ('of {MIGRATED}'), ('{MIGRATED}')"),
            migrations.RunSQL(
                f"INSERT INTO guarded_party (id, tenant_id, name, later, label) "
                f"VALUES (gen_random_uuid(), '{tenants['reference']}', 'x', 1, '')"
            ),
        )

    migrated(MIGRATED, there_and_back)
    copied(tenant_columns={"guarded_party": "tenant_id"}, tenant=tenants["reference"])
    assert found(MIGRATED, COPY) == []
    with superuser() as admin:
        assert admin.execute(f"SELECT name FROM {COPY}.regions_of_us ORDER BY id").fetchall() == [
            (f"of {COPY}",),
            (COPY,),
        ]
        assert admin.execute(f"INSERT INTO {COPY}.regions_of_us (name) VALUES ('new') RETURNING id").fetchall() == [
            (3,)
        ]


def test_a_tenants_home_is_copied() -> None:
    """With the guard of tables that have no tenant's column, whose policies say the home's name."""
    with connection.as_system():
        migrate_home(connection, MIGRATED)
        migrate_home(connection, AGAIN)
    assert found(MIGRATED, AGAIN) == []
    copied()
    assert found(AGAIN, COPY) == []
    with superuser() as admin:
        counts = [
            admin.execute(f"SELECT count(*) FROM {schema}.django_migrations").fetchone() for schema in (MIGRATED, COPY)
        ]
    assert counts[0] == counts[1] != (0,)
