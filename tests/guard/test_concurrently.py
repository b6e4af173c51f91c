"""Django's operations for tables in use, and names that change under inheritance."""

from __future__ import annotations

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import models

from tests.guard.migrating import Project, Version, catalog, policies, references
from tests.guard.test_migrating import GUARD, reference

CASCADE = models.CASCADE


def party(**meta: object) -> Version:
    version = Version()
    version.model("Party", name=models.CharField(max_length=20), points=models.IntegerField(default=0), meta=meta)
    version.model("Order", party=models.ForeignKey("guarded.Party", CASCADE))
    return version


def test_indexes_are_added_and_removed_concurrently(project: Project) -> None:
    project.migrate(party())
    before = catalog()
    index = models.Index(fields=["tenant", "name"], name="party_name")
    project.operate(AddIndexConcurrently("party", index), atomic=False)
    assert any("(tenant_id, name)" in row and "True" in row for row in catalog()["indexes"])
    project.operate(RemoveIndexConcurrently("party", "party_name"), atomic=False)
    assert catalog() == before
    project.back()
    project.back()
    assert catalog() == before


def test_a_check_is_added_first_and_validated_later(project: Project) -> None:
    project.migrate(party())
    few = models.CheckConstraint(condition=models.Q(points__lt=9), name="few")
    project.operate(AddConstraintNotValid("party", few))
    project.operate(ValidateConstraint("party", "few"))
    assert any("CHECK ((points < 9))" in row and "True)" in row for row in catalog()["constraints"])


def test_a_child_in_inheritance_is_renamed(project: Project) -> None:
    def version(name: str) -> Version:
        version = party()
        version.model(name, version.models[0], vat=models.CharField(max_length=20, default=""))
        version.model("Visit", who=models.ForeignKey(f"guarded.{name}", CASCADE))
        return version

    project.migrate(version("Company"))
    before = catalog()
    project.migrate(version("Firm"))
    assert set(policies("guarded_firm")) == GUARD
    assert references("guarded_firm")["party_ptr_id"] == reference("party_ptr_id", "guarded_party")
    assert references("guarded_visit")["who_id"] == reference("who_id", "guarded_firm", "party_ptr_id")
    project.back()
    assert catalog() == before
