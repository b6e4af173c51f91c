"""Migrations of guarded tables: detected, written, run, reversed and run again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, migrations, models
from django.db.migrations.optimizer import MigrationOptimizer
from django.test import override_settings

from django_tenantkit.constraints import TenantPolicy, TenantUniqueConstraint
from django_tenantkit.fields import TenantField, TenantReference, uuid7
from django_tenantkit.models import AbstractTenant
from django_tenantkit.sql import own_tables
from django_tenantkit.sql.roles import Roles, roles_of
from tests.guard.migrating import Project, Version, catalog, policies, references, superuser

CASCADE = models.CASCADE
GUARD = {"tenantkit_rows", "tenantkit_limit", "tenantkit_operator", "tenantkit_owner"}


def reference(column: str, table: str, key: str = "id", tenant: str = "tenant_id") -> str:
    return f"FOREIGN KEY ({tenant}, {column}) REFERENCES {table}({tenant}, {key}) DEFERRABLE INITIALLY DEFERRED"


def plain(column: str, table: str, key: str = "id") -> str:
    return f"FOREIGN KEY ({column}) REFERENCES {table}({key}) DEFERRABLE INITIALLY DEFERRED"


def invoices(**more: object) -> Version:
    """DESIGN.md's own example: a child with a `class Meta` of its own."""
    version = Version()
    version.model("Customer", name=models.CharField(max_length=200))
    version.model(
        "Invoice",
        customer=models.ForeignKey("guarded.Customer", on_delete=models.RESTRICT),
        number=models.CharField(max_length=20),
        meta={"constraints": [TenantUniqueConstraint(fields=["number"], name="unique_number")], **more},
    )
    return version


def all_shapes() -> Version:
    """Every way in which a row of a tenant refers to another row."""
    version = Version()
    version.shared("Region", name=models.CharField(max_length=50))
    version.model("Party", name=models.CharField(max_length=50))
    version.model("Company", version.models[-1], vat=models.CharField(max_length=20))
    version.model("Listed", version.models[-1])
    version.model(
        "Order",
        party=models.ForeignKey("guarded.Party", CASCADE),
        company=models.ForeignKey("guarded.Company", CASCADE, null=True, related_name="+"),
        region=models.ForeignKey("guarded.Region", CASCADE),
        replaces=models.OneToOneField("self", CASCADE, null=True),
        invited_by=TenantReference(null=True, related_name="+"),
        regions=models.ManyToManyField("guarded.Region", related_name="+"),
        guests=models.ManyToManyField("guarded.Party", related_name="+"),
        similar=models.ManyToManyField("self"),
        team=models.ManyToManyField("guarded.Party", through="guarded.Role", related_name="+"),
    )
    version.model(
        "Role", order=models.ForeignKey("guarded.Order", CASCADE), party=models.ForeignKey("guarded.Party", CASCADE)
    )
    version.model("Detail", order=models.OneToOneField("guarded.Order", CASCADE, primary_key=True), id=None)
    version.model("Remark", detail=models.ForeignKey("guarded.Detail", CASCADE))
    version.shared("Offer", parties=models.ManyToManyField("guarded.Party", related_name="+"))
    return version


#: What each column refers to, written out.
SHAPES = {
    "guarded_company.party_ptr_id": reference("party_ptr_id", "guarded_party"),
    "guarded_listed.company_ptr_id": reference("company_ptr_id", "guarded_company", "party_ptr_id"),
    "guarded_order.party_id": reference("party_id", "guarded_party"),
    "guarded_order.company_id": reference("company_id", "guarded_company", "party_ptr_id"),
    "guarded_order.region_id": plain("region_id", "guarded_region"),
    "guarded_order.replaces_id": reference("replaces_id", "guarded_order"),
    "guarded_order.invited_by_id": plain("invited_by_id", "django_tenantkit_tenant"),
    "guarded_order.tenant_id": plain("tenant_id", "django_tenantkit_tenant"),
    "guarded_order_regions.order_id": reference("order_id", "guarded_order"),
    "guarded_order_regions.region_id": plain("region_id", "guarded_region"),
    "guarded_order_guests.order_id": reference("order_id", "guarded_order"),
    "guarded_order_guests.party_id": reference("party_id", "guarded_party"),
    "guarded_order_similar.from_order_id": reference("from_order_id", "guarded_order"),
    "guarded_order_similar.to_order_id": reference("to_order_id", "guarded_order"),
    "guarded_role.order_id": reference("order_id", "guarded_order"),
    "guarded_role.party_id": reference("party_id", "guarded_party"),
    "guarded_detail.order_id": reference("order_id", "guarded_order"),
    "guarded_remark.detail_id": reference("detail_id", "guarded_detail", "order_id"),
    "guarded_offer_parties.offer_id": plain("offer_id", "guarded_offer"),
    "guarded_offer_parties.party_id": reference("party_id", "guarded_party"),
}

TENANT_TABLES = sorted({name.partition(".")[0] for name in SHAPES} | {"guarded_party"})


def test_a_model_with_constraints_of_its_own_has_all_of_the_guard(project: Project) -> None:
    project.migrate(invoices())
    assert references("guarded_invoice")["customer_id"] == reference("customer_id", "guarded_customer")
    assert set(policies("guarded_invoice")) == GUARD
    found = catalog()
    assert any("UNIQUE (tenant_id, number)" in row for row in found["constraints"])
    assert any("'guarded_invoice_tenant_key', 'UNIQUE (tenant_id, id)'" in row for row in found["constraints"])
    assert "('guarded_invoice', True, True)" in found["guard"]


def test_what_is_written_names_the_policy_where_it_can_be_imported_from(project: Project) -> None:
    written = project.migrate(invoices())
    assert "django_tenantkit.constraints.TenantPolicy(name='guarded_invoice_tenant_policy', version=1)" in written
    assert "db_constraint" not in written


def test_every_reference_within_the_tenant_contains_it(project: Project) -> None:
    project.migrate(all_shapes())
    found = {f"{table}.{column}": text for table in TENANT_TABLES for column, text in references(table).items()}
    assert {name: found.get(name) for name in SHAPES} == SHAPES
    others = {name for name in found if name not in SHAPES and not name.endswith(".tenant_id")}
    assert others == set()


def test_every_tenant_table_has_a_key_and_is_guarded(project: Project) -> None:
    project.migrate(all_shapes())
    found = catalog()
    keyed = {eval(row)[0] for row in found["constraints"] if eval(row)[1].endswith("_tenant_key")}
    guarded = {eval(row)[0] for row in found["guard"] if eval(row)[1:] == (True, True)}
    assert sorted(keyed) == sorted(guarded) == TENANT_TABLES
    assert all(set(policies(table)) == GUARD for table in TENANT_TABLES)
    assert len(found["triggers"]) == len(TENANT_TABLES)


def test_all_of_it_is_reversed_and_made_again(project: Project) -> None:
    project.migrate(all_shapes())
    made = catalog()
    project.back()
    assert catalog() == {kind: [] for kind in made}
    project.operate(*project_operations(project, all_shapes()))
    assert catalog() == made


def project_operations(project: Project, version: Version) -> list[migrations.operations.base.Operation]:
    return [operation for migration in project.changes(version) for operation in migration.operations]


def squashed(project: Project, version: Version) -> list[migrations.operations.base.Operation]:
    """The operations with each constraint in the CREATE TABLE of its model."""
    operations = project_operations(project, version)
    moved = [operation for operation in operations if isinstance(operation, migrations.AddConstraint)]
    for operation in moved:
        operations.remove(operation)
        place = next(n for n, one in enumerate(operations) if getattr(one, "name_lower", "") == operation.model_name)
        operations.insert(place + 1, operation)
    return MigrationOptimizer().optimize(operations, "guarded")


def test_squashed_it_makes_the_same(project: Project) -> None:
    project.migrate(all_shapes())
    made = catalog()
    project.back()
    operations = squashed(project, all_shapes())
    assert not any(isinstance(operation, migrations.AddConstraint) for operation in operations)
    project.operate(*operations)
    assert catalog() == made
    project.back()
    assert catalog()["columns"] == []


def test_tables_that_refer_to_each_other(project: Project) -> None:
    version = Version()
    version.model("Head", body=models.ForeignKey("guarded.Body", CASCADE))
    version.model("Body", head=models.ForeignKey("guarded.Head", CASCADE))
    project.migrate(version)
    assert references("guarded_head")["body_id"] == reference("body_id", "guarded_body")
    assert references("guarded_body")["head_id"] == reference("head_id", "guarded_head")


def test_one_migration_after_another_makes_what_one_makes(project: Project) -> None:
    operations = project_operations(project, all_shapes())
    project.operate(*operations)
    at_once = catalog()
    project.back()
    for operation in operations:
        project.operate(operation)
    assert catalog() == at_once
    for _ in operations:
        project.back()
    assert catalog()["columns"] == []


def test_outside_of_a_transaction_it_is_the_same(project: Project) -> None:
    project.migrate(all_shapes())
    made = catalog()
    project.back()
    project.operate(*project_operations(project, all_shapes()), atomic=False)
    assert catalog() == made


def test_the_tenants_column_that_comes_later_changes_nothing(project: Project) -> None:
    """As where the tenant model is in the same app, or in one that depends on this one."""
    operations = project_operations(project, all_shapes())
    project.operate(*operations)
    made = catalog()
    project.back()
    first, later = [], []
    for operation in operations:
        fields = getattr(operation, "fields", ())
        tenant = next((pair for pair in fields if isinstance(pair[1], TenantField)), None)
        if tenant is not None:
            operation.fields = [pair for pair in fields if pair is not tenant]
            later.append(migrations.AddField(operation.name, *tenant))
        first.append(operation)
    constraints = [operation for operation in first if isinstance(operation, migrations.AddConstraint)]
    first = [operation for operation in first if operation not in constraints]
    project.operate(*first, *later, *constraints)
    found = catalog()
    assert {kind: found[kind] for kind in ("constraints", "policies", "triggers", "guard")} == {
        kind: made[kind] for kind in ("constraints", "policies", "triggers", "guard")
    }


def party(**fields: models.Field) -> Version:
    version = Version()
    version.model("Party", id=models.AutoField(primary_key=True), **fields)
    version.model("Order", party=models.ForeignKey("guarded.Party", CASCADE))
    return version


def renamed_field() -> Version:
    version = Version()
    version.model("Party", id=models.AutoField(primary_key=True))
    version.model("Order", buyer=models.ForeignKey("guarded.Party", CASCADE))
    return version


def renamed_model() -> Version:
    version = Version()
    version.model("Buyer", id=models.AutoField(primary_key=True))
    version.model("Order", party=models.ForeignKey("guarded.Buyer", CASCADE))
    return version


def other_table() -> Version:
    version = party()
    version.models[0] = Version().model("Party", id=models.AutoField(primary_key=True), meta={"db_table": "guarded_x"})
    return version


def bigger_key() -> Version:
    version = Version()
    version.model("Party", id=models.BigAutoField(primary_key=True))
    version.model("Order", party=models.ForeignKey("guarded.Party", CASCADE))
    return version


def other_target() -> Version:
    version = Version()
    version.model("Party", id=models.AutoField(primary_key=True))
    version.model("Order", party=models.ForeignKey("guarded.Order", CASCADE))
    return version


def shared_target() -> Version:
    version = party()
    version.shared("Region", id=models.AutoField(primary_key=True))
    version.models[1] = Version().model("Order", party=models.ForeignKey("guarded.Region", CASCADE))
    return version


def one_to_one() -> Version:
    version = party()
    version.models[1] = Version().model("Order", party=models.OneToOneField("guarded.Party", CASCADE))
    return version


def empty() -> Version:
    version = party()
    version.models[1] = Version().model("Order", party=models.ForeignKey("guarded.Party", CASCADE, null=True))
    return version


def other_column() -> Version:
    version = party()
    version.models[1] = Version().model("Order", party=models.ForeignKey("guarded.Party", CASCADE, db_column="buyer"))
    return version


def other_tenant_column() -> Version:
    version = Version()
    version.model("Party", id=models.AutoField(primary_key=True), tenant=TenantField(db_column="owner"))
    version.model("Order", party=models.ForeignKey("guarded.Party", CASCADE))
    return version


def removed_field() -> Version:
    version = party()
    version.models[1] = Version().model("Order")
    return version


def removed_model() -> Version:
    version = party()
    version.models[1:] = [Version().model("Order")]
    version.models.pop(0)
    return version


def other_key() -> Version:
    version = Version()
    version.model("Party", id=None, number=models.IntegerField(primary_key=True, editable=False))
    version.model("Order")
    return version


#: A change, and what becomes of the reference of the order: its column, its table, its target's key.
CHANGES: dict[str, tuple[Callable[[], Version], tuple[str, str] | None]] = {
    "renamed field": (renamed_field, ("buyer_id", reference("buyer_id", "guarded_party"))),
    "renamed model": (renamed_model, ("party_id", reference("party_id", "guarded_buyer"))),
    "other table": (other_table, ("party_id", reference("party_id", "guarded_x"))),
    "type of the key": (bigger_key, ("party_id", reference("party_id", "guarded_party"))),
    "one-to-one": (one_to_one, ("party_id", reference("party_id", "guarded_party"))),
    "nullable": (empty, ("party_id", reference("party_id", "guarded_party"))),
    "other column": (other_column, ("buyer", reference("buyer", "guarded_party"))),
    "to a shared table": (shared_target, ("party_id", plain("party_id", "guarded_region"))),
    "removed field": (removed_field, None),
    "removed model": (removed_model, None),
    "the tenant's column": (
        other_tenant_column,
        ("party_id", reference("party_id", "guarded_party").replace("party(tenant_id", "party(owner")),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_the_guard_whole(project: Project, name: str) -> None:
    version, expected = CHANGES[name]
    project.migrate(party())
    before = catalog()
    project.migrate(version())
    changed = catalog()
    found = references("guarded_order")
    found.pop("tenant_id")
    assert found == (dict([expected]) if expected else {})
    for row in changed["guard"]:
        table, enabled, forced = eval(row)
        assert table == "guarded_region" or (enabled and forced and set(policies(table)) == GUARD)
    project.back()
    assert catalog() == before
    project.migrate(version())
    assert catalog() == changed


#: Changes in the migration that made the tables, while Django still puts the references off.
AT_ONCE: dict[str, tuple[list[migrations.operations.base.Operation], dict[str, str]]] = {
    "removed field": ([migrations.RemoveField("order", "party")], {}),
    "removed model": ([migrations.DeleteModel("Order"), migrations.DeleteModel("Party")], {}),
    "renamed field": (
        [migrations.RenameField("order", "party", "buyer")],
        {"buyer_id": reference("buyer_id", "guarded_party")},
    ),
    "renamed model": (
        [migrations.RenameModel("Party", "Buyer"), migrations.RenameModel("Order", "Purchase")],
        {"party_id": reference("party_id", "guarded_buyer")},
    ),
    "other table": (
        [migrations.AlterModelTable("Party", "guarded_x"), migrations.AlterModelTable("Order", "guarded_y")],
        {"party_id": reference("party_id", "guarded_x")},
    ),
    "type of the key": (
        [migrations.AlterField("party", "id", models.BigAutoField(primary_key=True))],
        {"party_id": reference("party_id", "guarded_party")},
    ),
    "policy removed": (
        [migrations.RemoveConstraint("order", "guarded_order_tenant_policy")],
        {"party_id": reference("party_id", "guarded_party")},
    ),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_tables_are_changed_in_the_migration_that_makes_them(project: Project, name: str) -> None:
    operations, expected = AT_ONCE[name]
    project.operate(*project_operations(project, party()), *operations)
    tables = [eval(row)[0] for row in catalog()["guard"]]
    found = {column: text for table in tables for column, text in references(table).items() if column != "tenant_id"}
    assert found == expected
    project.again()
    assert [eval(row)[0] for row in catalog()["guard"]] == tables
    project.back()
    assert catalog()["guard"] == []


def test_between_two_policies_a_table_is_shut(project: Project) -> None:
    project.operate(
        *project_operations(project, party()), migrations.RemoveConstraint("order", "guarded_order_tenant_policy")
    )
    assert "('guarded_order', True, True)" in catalog()["guard"]
    assert set(policies("guarded_order")) == {"tenantkit_owner"}


def test_a_policy_that_is_added_again_guards_as_before(project: Project) -> None:
    project.migrate(party())
    before = catalog()
    policy = TenantPolicy(name="guarded_order_tenant_policy")
    project.operate(
        migrations.RemoveConstraint("order", "guarded_order_tenant_policy"),
        migrations.AddConstraint("order", policy),
    )
    assert catalog() == before


def test_a_new_model_can_have_the_name_of_a_renamed_one(project: Project) -> None:
    project.migrate(party())
    project.migrate(renamed_model())
    version = renamed_model()
    version.model("Party", id=models.AutoField(primary_key=True))
    project.migrate(version)
    keys = [row for row in catalog()["constraints"] if "_tenant_key'" in row]
    assert [eval(row)[1] for row in keys] == [
        "guarded_buyer_tenant_key",
        "guarded_order_tenant_key",
        "guarded_party_tenant_key",
    ]


def test_another_primary_key_gets_a_key_with_the_tenant(project: Project) -> None:
    version = Version()
    version.model("Party", id=models.AutoField(primary_key=True))
    version.model("Order")
    project.migrate(version)
    project.migrate(other_key(), default=0)
    assert (
        "('guarded_party', 'guarded_party_tenant_key', 'UNIQUE (tenant_id, number)', True)" in catalog()["constraints"]
    )


def test_a_through_table_follows_its_many_to_many_field(project: Project) -> None:
    def version(target: str) -> Version:
        version = Version()
        version.shared("Region")
        version.model("Party")
        version.model("Guest")
        version.model("Order", guests=models.ManyToManyField(f"guarded.{target}"))
        return version

    project.migrate(version("Party"))
    before = catalog()
    project.migrate(version("Guest"))
    assert references("guarded_order_guests")["guest_id"] == reference("guest_id", "guarded_guest")
    project.back()
    assert catalog() == before


def test_a_through_table_is_renamed_with_its_model(project: Project) -> None:
    def version(name: str) -> Version:
        version = Version()
        version.model("Party")
        version.model(name, guests=models.ManyToManyField("guarded.Party"))
        return version

    project.migrate(version("Order"))
    before = catalog()
    project.migrate(version("Purchase"))
    assert references("guarded_purchase_guests")["purchase_id"] == reference("purchase_id", "guarded_purchase")
    assert set(policies("guarded_purchase_guests")) == GUARD
    project.back()
    assert catalog() == before


@pytest.mark.parametrize("types", [(models.AutoField, models.BigAutoField), (models.BigAutoField, models.AutoField)])
def test_the_type_of_the_tenants_key_changes_under_policies(project: Project, types: tuple[type, type]) -> None:
    """PostgreSQL alters no column that a policy or a trigger names."""

    def version(kind: type) -> Version:
        version = Version()
        version.model("Firm", AbstractTenant, id=kind(primary_key=True))
        version.model("Party")
        version.model("Vip", version.models[-1])
        version.model(
            "Order", party=models.ForeignKey("guarded.Party", CASCADE), guests=models.ManyToManyField("guarded.Party")
        )
        return version

    with override_settings(TENANTKIT_TENANT_MODEL="guarded.Firm"):
        project.migrate(version(types[0]))
        before = catalog()
        project.migrate(version(types[1]))
        changed = catalog()
        expected = {models.AutoField: "integer", models.BigAutoField: "bigint"}[types[1]]
        tenants = [eval(row) for row in changed["columns"] if "'tenant_id'" in row]
        assert {kind for _, _, kind, _ in tenants} == {expected}
        assert all(f"::{expected}" in policies(table)["tenantkit_rows"][1] for table, *_ in tenants)
        assert changed["triggers"] == before["triggers"]
        assert [row for row in changed["constraints"] if "tenant_fk" in row] == [
            row for row in before["constraints"] if "tenant_fk" in row
        ]
        project.back()
        back = catalog()
        del back["constraints"], before["constraints"]  # Django's own have other names
        assert back == before


def test_the_type_of_what_tenants_are_called_changes_under_the_guard_of_our_own_tables(project: Project) -> None:
    def version(length: int) -> Version:
        version = Version()
        version.model("Firm", AbstractTenant, name=models.CharField(max_length=length))
        return version

    roles = roles_of(connection.settings_dict)
    with override_settings(TENANTKIT_TENANT_MODEL="guarded.Firm"):
        project.migrate(version(100))
        with superuser() as admin:
            quoted = Roles(*(f'"{role}"' for role in roles))
            for statement in (
                *own_tables.guard("guarded_firm", "id", "bigint", {}, roles, quoted),
                *own_tables.protect("guarded_firm", ['"name"'], roles),
            ):
                admin.execute(statement)
        project.migrate(version(200))
    assert set(policies("guarded_firm")) == {"tenantkit_operator", "tenantkit_owner"}
    assert catalog()["guard"] == ["('guarded_firm', True, True)"]


def test_the_type_of_any_column_changes_under_policies(project: Project) -> None:
    def version(length: int) -> Version:
        version = Version()
        version.model("Party", name=models.CharField(max_length=length, db_comment=f"up to {length}"))
        return version

    project.migrate(version(10))
    before = policies("guarded_party")
    project.migrate(version(20))
    assert policies("guarded_party") == before


def test_constraints_of_other_kinds_are_made_beside(project: Project) -> None:
    def version(*constraints: models.BaseConstraint) -> Version:
        version = Version()
        version.model("Party", points=models.PositiveIntegerField(), meta={"constraints": constraints})
        return version

    few = models.CheckConstraint(condition=models.Q(points__lt=9), name="few")
    project.migrate(version(few))
    made = catalog()
    assert any("CHECK ((points < 9))" in row for row in made["constraints"])
    project.migrate(version())
    project.migrate(version(few))
    assert catalog() == made


def test_a_tenant_model_of_ones_own_with_another_key(project: Project) -> None:
    version = Version()
    version.model("Firm", AbstractTenant, uid=models.UUIDField(primary_key=True, default=uuid7))
    version.model("Party", guests=models.ManyToManyField("self"))
    with override_settings(TENANTKIT_TENANT_MODEL="guarded.Firm"):
        project.migrate(version)
        for table in ("guarded_party", "guarded_party_guests"):
            assert ", true), ''::text))::uuid" in policies(table)["tenantkit_rows"][1]
        project.again()


def test_a_column_with_a_default_in_the_database_changes_nothing(project: Project) -> None:
    version = Version()
    version.model("Party", name=models.CharField(max_length=10, db_default="x"))
    version.model(
        "Node", parent=models.ForeignKey("self", CASCADE), name=models.CharField(max_length=10, db_default="x")
    )
    project.operate(*squashed(project, version))
    assert references("guarded_node")["parent_id"] == reference("parent_id", "guarded_node")
    assert set(policies("guarded_party")) == GUARD


@pytest.mark.parametrize("table", ["guarded_100%", '"guarded_quoted"', "guarded_" + "x" * 55, "guarded_Größe"])
def test_names_may_be_odd(project: Project, table: str) -> None:
    version = Version()
    version.model("Party", meta={"db_table": table}, tenant=TenantField(db_column="the %tenant"))
    version.model("Order", party=models.ForeignKey("guarded.Party", CASCADE, db_column="a %s"))
    project.migrate(version)
    version = Version()
    version.model("Party", meta={"db_table": table}, tenant=TenantField(db_column="the %tenant"))
    version.model(
        "Order",
        party=models.ForeignKey("guarded.Party", CASCADE, db_column="a %s"),
        other=models.ForeignKey("guarded.Party", CASCADE, null=True, db_column="b %s", related_name="+"),
    )
    project.migrate(version)
    added = [row for row in catalog()["constraints"] if "tenant_fk" in row]
    assert len(added) == 2
    assert len(catalog()["policies"]) == 8


def test_the_sql_of_a_migration_is_printed_without_running_it(project: Project) -> None:
    (migration,) = project.changes(all_shapes())
    with connection.schema_editor(collect_sql=True) as editor:
        migration.apply(project.state.clone(), editor)
    printed = "\n".join(editor.collected_sql)
    assert 'CREATE POLICY tenantkit_limit ON "guarded_order" AS RESTRICTIVE' in printed
    assert 'FOREIGN KEY ("tenant_id", "party_id") REFERENCES "guarded_party" ("tenant_id", "id")' in printed
    assert catalog()["columns"] == []


class Stricter(TenantPolicy):
    """What the policy says in the next version of a package."""

    version = 2

    def write(self, row: object) -> str:
        return "true"


def test_another_version_of_a_policy_is_detected(project: Project) -> None:
    def version(constraint: TenantPolicy) -> Version:
        version = Version()
        version.model("Party", guests=models.ManyToManyField("self"), meta={"constraints": [constraint]})
        return version

    project.migrate(version(TenantPolicy(version=1)))
    before = catalog()
    written = project.migrate(version(TenantPolicy(version=2)))
    assert "RemoveConstraint" in written
    assert "AddConstraint" in written
    assert catalog() == before
    project.migrate(version(Stricter()))
    assert "tenantkit_rows_insert" in policies("guarded_party")
    assert set(policies("guarded_party_guests")) == GUARD
    project.back()
    assert catalog() == before


def test_the_name_of_a_policy_is_no_change(project: Project) -> None:
    project.migrate(invoices())
    version = invoices()
    version.models[0]._meta.constraints[-1].name = "another"
    assert project.changes(version) == []
