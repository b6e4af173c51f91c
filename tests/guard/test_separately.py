"""A policy that shares rows, added by an operation of its own: the table is what it is if made at once."""

from __future__ import annotations

from django.db import migrations, models

from django_tenantkit.constraints import GlobalRows
from django_tenantkit.fields import TenantField
from tests.guard.migrating import Project, Version, catalog
from tests.guard.test_migrating import project_operations, squashed

CASCADE = models.CASCADE


def rates() -> Version:
    version = Version()
    version.model(
        "Rate",
        tenant=TenantField(null=True),
        base=models.ForeignKey("self", CASCADE, null=True),
        similar=models.ManyToManyField("self"),
        meta={"constraints": [GlobalRows(name="%(app_label)s_%(class)s_policy")]},
    )
    version.model("Special", version.models[-1])
    version.model(
        "Sale",
        rate=models.ForeignKey("guarded.Rate", CASCADE),
        others=models.ManyToManyField("guarded.Rate", related_name="+"),
    )
    return version


def made_at_once(project: Project) -> dict[str, list]:
    project.operate(*squashed(project, rates()))
    found = catalog()
    project.back()
    return found


def separate(project: Project) -> list:
    operations = project_operations(project, rates())
    split = []
    for operation in operations:
        split.append(operation)
        for constraint in list(getattr(operation, "options", {}).get("constraints", [])):
            operation.options["constraints"].remove(constraint)
            split.append(migrations.AddConstraint(operation.name, constraint))
    assert sum(isinstance(operation, migrations.AddConstraint) for operation in split) == 3
    return split


def test_in_one_migration(project: Project) -> None:
    expected = made_at_once(project)
    operations = separate(project)
    project.operate(*operations)
    assert catalog() == expected
    project.again()
    assert catalog() == expected


def test_each_in_a_migration_of_its_own(project: Project) -> None:
    expected = made_at_once(project)
    for operation in separate(project):
        project.operate(operation)
    assert catalog() == expected


def test_the_policies_last(project: Project) -> None:
    expected = made_at_once(project)
    operations = separate(project)
    project.operate(*sorted(operations, key=lambda operation: isinstance(operation, migrations.AddConstraint)))
    assert catalog() == expected


def test_the_tenants_column_after_the_tables(project: Project) -> None:
    expected = made_at_once(project)
    tables, later, policies = [], [], []
    for operation in separate(project):
        if isinstance(operation, migrations.AddConstraint):
            policies.append(operation)
            continue
        for pair in [pair for pair in operation.fields if isinstance(pair[1], TenantField)]:
            operation.fields.remove(pair)
            later.append(migrations.AddField(operation.name, *pair))
        tables.append(operation)
    for operation in (*tables, *later, *policies):
        project.operate(operation)
    found = catalog()
    for kind in ("constraints", "policies", "triggers", "guard"):
        assert found[kind] == expected[kind]


def own(**more: object) -> Version:
    version = Version()
    version.model("Rate", similar=models.ManyToManyField("self"), **more)
    version.model("Sale", rate=models.ForeignKey("guarded.Rate", CASCADE))
    return version


def shared() -> Version:
    return own(tenant=TenantField(null=True), meta={"constraints": [GlobalRows()]})


def test_rows_are_shared_later_and_no_more(project: Project) -> None:
    project.migrate(shared())
    expected = catalog()
    project.back()
    project.migrate(own())
    before = catalog()
    project.migrate(shared())
    assert catalog() == expected
    project.back()
    assert catalog() == before
    project.migrate(shared())
    project.migrate(own())
    assert catalog() == before
    assert "('guarded_rate', 'guarded_rate_tenant_key', 'UNIQUE (tenant_id, id)', True)" in expected["constraints"]
