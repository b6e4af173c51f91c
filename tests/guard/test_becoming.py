"""Tables with rows that come under guard, and leave it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest
from django.db import IntegrityError, NotSupportedError, connection, migrations, models
from django.db.migrations.writer import MigrationWriter
from django.db.models import Case, OuterRef, Subquery, Value, When
from django.test import override_settings

from django_tenantkit.constraints import GlobalRows
from django_tenantkit.exceptions import TenantkitError
from django_tenantkit.fields import TenantField, TenantReference
from django_tenantkit.operations import MakeSharedModel, MakeTenantModel
from tests.guard.migrating import Project, Version, catalog, key_of, references, rows, superuser

CASCADE = models.CASCADE
ACME, GLOBEX = 1, 2


def countries(tenant: bool) -> Version:
    """Regions, which are to become tenants' rows; orders, which are already; and everything between."""
    version = Version()
    version.shared("Country", name=models.CharField(max_length=20))
    make = version.model if tenant else version.shared
    make(
        "Region",
        id=models.BigAutoField(primary_key=True),
        name=models.CharField(max_length=20),
        country=models.ForeignKey("guarded.Country", CASCADE),
        home=models.ForeignKey("guarded.Order", CASCADE, null=True, related_name="+"),
        larger=models.ForeignKey("self", CASCADE, null=True),
        countries=models.ManyToManyField("guarded.Country", related_name="+"),
        near=models.ManyToManyField("self"),
    )
    version.model(
        "Order",
        id=models.BigAutoField(primary_key=True),
        region=models.ForeignKey("guarded.Region", CASCADE),
        regions=models.ManyToManyField("guarded.Region", related_name="+"),
    )
    return version


ROWS = """
INSERT INTO django_tenantkit_tenant (id, uid, slug, name, plan, status, settings, created_at)
    SELECT id, gen_random_uuid(), slug, '', '', '', '{}', now()
    FROM (VALUES (1, 'acme'), (2, 'globex')) AS t (id, slug);
INSERT INTO guarded_country (id, name) VALUES (1, 'x');
INSERT INTO guarded_region (id, name, country_id, larger_id)
    VALUES (1, 'a', 1, NULL), (2, 'a2', 1, 1), (3, 'g', 1, NULL);
INSERT INTO guarded_order (id, tenant_id, region_id) VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3);
INSERT INTO guarded_order_regions (tenant_id, order_id, region_id) VALUES (1, 1, 1), (2, 3, 3);
INSERT INTO guarded_region_countries (region_id, country_id) VALUES (1, 1), (3, 1);
INSERT INTO guarded_region_near (from_region_id, to_region_id) VALUES (1, 2), (2, 1);
UPDATE guarded_region SET home_id = id;
"""


@pytest.fixture
def regions(project: Project) -> Project:
    project.migrate(countries(tenant=False))
    with superuser() as admin:
        admin.execute(ROWS)
    return project


def by_name(apps: Any, schema_editor: Any) -> None:
    region = apps.get_model("guarded", "Region")
    region.objects.filter(name__startswith="a").update(tenant_id=ACME)
    region.objects.filter(name="g").update(tenant_id=GLOBEX)


WAYS: dict[str, Any] = {
    "reference": "home",
    "references": "larger__home",
    "expression": Case(When(name="g", then=Value(GLOBEX)), default=Value(ACME)),
    "function": by_name,
}


@pytest.mark.parametrize("way", ["reference", "expression", "function"])
def test_rows_get_their_tenant(regions: Project, way: str) -> None:
    regions.operate(MakeTenantModel("Region", WAYS[way]))
    assert rows("application", "SELECT name FROM guarded_region", ACME) == ["a", "a2"]
    assert rows("application", "SELECT name FROM guarded_region", GLOBEX) == ["g"]
    assert rows("application", "SELECT region_id FROM guarded_region_countries", ACME) == [1]
    assert rows("application", "SELECT from_region_id FROM guarded_region_near", ACME) == [1, 2]


def test_the_tenant_may_be_several_references_away(regions: Project) -> None:
    with superuser() as admin:
        admin.execute(
            "UPDATE guarded_region SET larger_id = 3 WHERE id = 3; UPDATE guarded_region SET larger_id = 1 WHERE id = 1"
        )
    regions.operate(MakeTenantModel("Region", "larger__home"))
    assert rows("application", "SELECT id FROM guarded_region", ACME) == [1, 2]


def test_a_subquery_may_name_the_tenant(regions: Project) -> None:
    order = regions.historical("Order")
    first = order.objects.filter(region=OuterRef("pk")).values("tenant_id")[:1]
    regions.operate(MakeTenantModel("Region", Subquery(first)))
    assert rows("application", "SELECT id FROM guarded_region", GLOBEX) == [3]


def test_the_tables_are_those_of_a_new_database(regions: Project) -> None:
    regions.operate(MakeTenantModel("Region", "home"))
    found = catalog()
    regions.drop()
    fresh = Project()
    fresh.migrate(countries(tenant=True))
    expected = catalog()
    assert found == expected


def test_nothing_is_left_to_detect(regions: Project) -> None:
    regions.operate(MakeTenantModel("Region", "home"))
    assert regions.changes(countries(tenant=True)) == []


def test_back_and_again(regions: Project) -> None:
    before, content = catalog(), rows("owner", "SELECT * FROM guarded_region")
    regions.operate(MakeTenantModel("Region", "home"))
    made = catalog()
    regions.back()
    assert catalog() == before
    assert rows("owner", "SELECT * FROM guarded_region") == content
    regions.operate(MakeTenantModel("Region", "home"))
    assert catalog() == made


def test_it_is_written_to_a_file_and_read_back(regions: Project) -> None:
    migration = migrations.Migration("0002", "guarded")
    migration.operations = [MakeTenantModel("Region", Value(GLOBEX), concurrently=False)]
    text = MigrationWriter(migration).as_string()
    with superuser() as admin:
        admin.execute(
            "DELETE FROM guarded_order_regions; UPDATE guarded_region SET home_id = NULL; DELETE FROM guarded_order"
        )
    regions.run(text)
    assert rows("application", "SELECT id FROM guarded_region", GLOBEX) == [1, 2, 3]


def test_rows_that_nobody_names_a_tenant_for_are_refused(regions: Project) -> None:
    before = catalog()
    with superuser() as admin:
        admin.execute("UPDATE guarded_region SET home_id = NULL WHERE id = 2")
    with pytest.raises(TenantkitError, match="1 rows of guarded_region have no tenant"):
        regions.operate(MakeTenantModel("Region", "home"))
    assert catalog() == before


CROSSING = {
    "a reference from it": "UPDATE guarded_region SET larger_id = 3 WHERE id = 2",
    "a reference to it": "UPDATE guarded_order SET region_id = 3 WHERE id = 1",
    "its own many-to-many": "INSERT INTO guarded_region_near (from_region_id, to_region_id) VALUES (1, 3)",
    "a many-to-many to it": "INSERT INTO guarded_order_regions (tenant_id, order_id, region_id) VALUES (1, 2, 3)",
}


@pytest.mark.parametrize("what", CROSSING)
@pytest.mark.parametrize("atomic", [True, False])
def test_rows_that_cross_the_line_are_refused(regions: Project, what: str, atomic: bool) -> None:
    before = catalog()
    with superuser() as admin:
        admin.execute(CROSSING[what])
    with pytest.raises(IntegrityError, match="violates foreign key constraint"):
        regions.operate(MakeTenantModel("Region", "home"), atomic=atomic)
    assert not atomic or catalog() == before


def test_a_reference_leads_to_a_row_with_a_tenant(regions: Project) -> None:
    with pytest.raises(TenantkitError, match="Country, where 'country' leads, has no tenant"):
        regions.operate(MakeTenantModel("Region", "country"))


def test_while_the_table_is_in_use(regions: Project) -> None:
    regions.operate(MakeTenantModel("Region", "home"))
    made = catalog()
    regions.back()
    regions.operate(MakeTenantModel("Region", "home", concurrently=True), atomic=False)
    assert catalog() == made
    assert rows("application", "SELECT name FROM guarded_region", ACME) == ["a", "a2"]


class Killed(Exception):
    """Stands for whatever ends a program in the middle."""


@contextmanager
def ends_before(statement: int | str) -> Iterator[None]:
    """The statement of that number among those that change something, counted from 1, or the first one that begins
    so, is not sent, nor is any after it."""
    sent = 0

    def send(execute: Any, query: Any, *arguments: Any) -> Any:
        nonlocal sent
        if str(query).lstrip().startswith("SELECT"):
            return execute(query, *arguments)
        sent += 1
        if sent >= statement if isinstance(statement, int) else str(query).startswith(statement):
            raise Killed
        return execute(query, *arguments)

    with connection.execute_wrapper(send):
        yield


@pytest.mark.parametrize("step", range(4))
def test_where_it_ended_in_the_middle_it_goes_on(regions: Project, step: int) -> None:
    becomes = MakeTenantModel("Region", "home", concurrently=True)
    regions.operate(becomes, atomic=False)
    made = catalog()
    for statement in count(step + 1, 12):
        regions.back()
        try:
            with ends_before(statement):
                regions.operate(becomes, atomic=False)
            break
        except Killed:
            connection.close()
        regions.operate(becomes, atomic=False)
        assert (statement, catalog()) == (statement, made)
    assert statement > 60
    assert rows("application", "SELECT name FROM guarded_region", ACME) == ["a", "a2"]


def test_an_index_that_was_being_built_is_built_again(regions: Project) -> None:
    becomes = MakeTenantModel("Region", "home", concurrently=True)
    regions.operate(becomes, atomic=False)
    made = catalog()
    regions.back()
    with suppress(Killed), ends_before('DROP INDEX CONCURRENTLY IF EXISTS "guarded_region_country_id'):
        regions.operate(becomes, atomic=False)
    with superuser() as admin:
        index = "guarded_region_tenant_id_country_id_f7174196"
        admin.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [index])
    regions.operate(becomes, atomic=False)
    assert catalog() == made


def test_while_the_table_is_in_use_there_is_no_transaction(regions: Project) -> None:
    with pytest.raises(NotSupportedError, match="atomic = False"):
        regions.operate(MakeTenantModel("Region", "home", concurrently=True))


def test_made_shared_it_is_as_if_it_had_never_been_a_tenants(regions: Project) -> None:
    before = catalog()
    regions.operate(MakeTenantModel("Region", "home"))
    made = catalog()
    regions.operate(MakeSharedModel("Region", "home"))
    assert catalog() == before
    assert regions.changes(countries(tenant=False)) == []
    regions.back()
    assert catalog() == made


def firms(hand_made: bool) -> Version:
    version = Version()
    if hand_made:
        version.shared(
            "Item",
            id=models.BigAutoField(primary_key=True),
            firm=TenantReference(on_delete=CASCADE),
            tags=models.ManyToManyField("guarded.Tag"),
        )
    else:
        version.model("Item", id=models.BigAutoField(primary_key=True), tags=models.ManyToManyField("guarded.Tag"))
    version.shared("Tag")
    return version


def test_a_reference_to_the_tenant_that_is_there_already_is_kept(project: Project) -> None:
    project.migrate(firms(hand_made=True))
    with superuser() as admin:
        acme = key_of("acme")
        admin.execute("INSERT INTO guarded_item (id, firm_id) VALUES (1, %s)", [acme])
        admin.execute(
            "INSERT INTO guarded_tag (id) VALUES (1); INSERT INTO guarded_item_tags (item_id, tag_id) VALUES (1, 1)"
        )
    before = catalog()
    project.operate(migrations.RenameField("Item", "firm", "tenant"), MakeTenantModel("Item"))
    assert project.changes(firms(hand_made=False)) == []
    assert rows("application", "SELECT id FROM guarded_item", acme) == [1]
    assert rows("application", "SELECT tag_id FROM guarded_item_tags", acme) == [1]
    assert references("guarded_item_tags")["item_id"].startswith("FOREIGN KEY (tenant_id, item_id)")
    project.back()
    assert catalog() == before


def parties(tenant: bool) -> Version:
    version = Version()
    make = version.model if tenant else version.shared
    make("Party", id=models.BigAutoField(primary_key=True))
    version.model("Vip", version.models[-1], points=models.IntegerField(default=0))
    return version


def test_a_child_in_multi_table_inheritance_follows_its_parent(project: Project) -> None:
    project.migrate(parties(tenant=False))
    acme = key_of("acme")
    with superuser() as admin:
        admin.execute("INSERT INTO guarded_party (id) VALUES (1); INSERT INTO guarded_vip VALUES (1, 0)")
    project.operate(
        MakeTenantModel("Party", Value(acme)),
        MakeTenantModel("Vip", "party_ptr", field_name="vip_tenant", field=TenantField(db_column="tenant_id")),
    )
    assert project.changes(parties(tenant=True)) == []
    assert references("guarded_vip")["party_ptr_id"].startswith("FOREIGN KEY (tenant_id, party_ptr_id)")
    assert rows("application", "SELECT party_ptr_id FROM guarded_vip", acme) == [1]


def rates(tenant: bool) -> Version:
    version = Version()
    if tenant:
        version.model(
            "Rate",
            id=models.BigAutoField(primary_key=True),
            tenant=TenantField(null=True),
            meta={"constraints": [GlobalRows()]},
        )
    else:
        version.shared("Rate", id=models.BigAutoField(primary_key=True))
    version.model("Sale", id=models.BigAutoField(primary_key=True), rate=models.ForeignKey("guarded.Rate", CASCADE))
    return version


def test_rows_may_stay_everybodys(project: Project) -> None:
    project.migrate(rates(tenant=False))
    acme = key_of("acme")
    with superuser() as admin:
        admin.execute("INSERT INTO guarded_rate (id) VALUES (1)")
        admin.execute("INSERT INTO guarded_sale (id, rate_id, tenant_id) VALUES (1, 1, %s)", [acme])
    before = catalog()
    project.operate(MakeTenantModel("Rate", field=TenantField(null=True), policy=GlobalRows()))
    assert project.changes(rates(tenant=True)) == []
    assert rows("application", "SELECT id FROM guarded_rate", acme) == [1]
    found = catalog()
    assert any("tenantkit.check_reference" in trigger for trigger in found["triggers"])
    project.back()
    assert catalog() == before
    project.drop()
    fresh = Project()
    fresh.migrate(rates(tenant=True))
    assert catalog() == found


def test_rows_that_refer_to_another_tenants_keep_a_table_from_being_everybodys(project: Project) -> None:
    project.migrate(rates(tenant=False))
    acme, globex = key_of("acme"), key_of("globex")
    with superuser() as admin:
        admin.execute("INSERT INTO guarded_rate (id) VALUES (1)")
        admin.execute("INSERT INTO guarded_sale (id, rate_id, tenant_id) VALUES (1, 1, %s)", [acme])
    with pytest.raises(IntegrityError, match="refer to rows of another tenant"):
        project.operate(MakeTenantModel("Rate", Value(globex), field=TenantField(null=True), policy=GlobalRows()))


def test_a_table_that_was_everybodys_becomes_each_tenants_own(project: Project) -> None:
    project.migrate(rates(tenant=True))
    before = catalog()
    version = Version()
    version.model("Rate", id=models.BigAutoField(primary_key=True))
    version.model("Sale", id=models.BigAutoField(primary_key=True), rate=models.ForeignKey("guarded.Rate", CASCADE))
    project.migrate(version)
    assert references("guarded_sale")["rate_id"].startswith("FOREIGN KEY (tenant_id, rate_id)")
    assert not any("check_reference" in trigger for trigger in catalog()["triggers"])
    project.back()
    assert catalog() == before


def test_what_makemigrations_writes_by_itself_does_for_one_tenant(project: Project) -> None:
    def version(tenant: bool) -> Version:
        version = Version()
        make = version.model if tenant else version.shared
        make("Region", id=models.BigAutoField(primary_key=True))
        version.model("Order", region=models.ForeignKey("guarded.Region", CASCADE))
        return version

    project.migrate(version(tenant=False))
    acme = key_of("acme")
    with superuser() as admin:
        admin.execute("INSERT INTO guarded_region (id) VALUES (1)")
    before = catalog()
    project.migrate(version(tenant=True), default=acme)
    assert rows("application", "SELECT id FROM guarded_region", acme) == [1]
    assert references("guarded_order")["region_id"].startswith("FOREIGN KEY (tenant_id, region_id)")
    project.back()
    assert catalog() == before


def test_with_a_many_to_many_field_it_says_what_to_write(project: Project) -> None:
    def version(tenant: bool) -> Version:
        version = Version()
        make = version.model if tenant else version.shared
        make("Region", id=models.BigAutoField(primary_key=True), near=models.ManyToManyField("self"))
        return version

    project.migrate(version(tenant=False))
    with pytest.raises(TenantkitError, match=r"guarded_region_near.*MakeTenantModel\('Region'"):
        project.migrate(version(tenant=True), default=1)


class Unguarded:
    """A database as it was before there were policies: plain references and no key."""

    def __init__(self, project: Project) -> None:
        version = Version()
        version.model("Party", id=models.BigAutoField(primary_key=True))
        version.model(
            "Order", id=models.BigAutoField(primary_key=True), party=models.ForeignKey("guarded.Party", CASCADE)
        )
        project.migrate(version)
        self.made = catalog()
        (_, migration) = project.applied[-1]
        self.constraints = [one for one in migration.operations if isinstance(one, migrations.AddConstraint)]
        project.back()
        tables = [one for one in migration.operations if one not in self.constraints]
        project.operate(*tables)
        with superuser() as admin:
            admin.execute(
                """ALTER TABLE guarded_order DROP CONSTRAINT guarded_order_party_id_tenant_fk,
                    DROP CONSTRAINT guarded_order_tenant_key,
                    ADD CONSTRAINT plain FOREIGN KEY (party_id) REFERENCES guarded_party DEFERRABLE INITIALLY DEFERRED;
                ALTER TABLE guarded_party DROP CONSTRAINT guarded_party_tenant_key"""
            )


def test_adding_the_policy_makes_up_for_what_a_table_lacks(project: Project) -> None:
    before = Unguarded(project)
    project.operate(*before.constraints)
    assert catalog() == before.made


def test_adding_the_policy_finds_rows_that_cross_the_line(project: Project) -> None:
    before = Unguarded(project)
    acme, globex = key_of("acme"), key_of("globex")
    with superuser() as admin:
        admin.execute("INSERT INTO guarded_party (id, tenant_id) VALUES (1, %s)", [acme])
        admin.execute("INSERT INTO guarded_order (id, tenant_id, party_id) VALUES (1, %s, 1)", [globex])
    with pytest.raises(IntegrityError, match="guarded_order_party_id_tenant_fk"):
        project.operate(*before.constraints)


def test_whoever_does_not_see_all_rows_validates_nothing(project: Project) -> None:
    """PostgreSQL would find no row that crosses the line among those it shows, and call the reference valid."""
    before = Unguarded(project)
    owner = f"{connection.settings_dict['NAME']}_blind"
    with superuser() as admin:
        admin.execute(
            f'CREATE ROLE "{owner}"; ALTER TABLE guarded_party ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'
        )
    try:
        with connection.schema_editor(), override_settings(TENANTKIT_OWNER_ROLE=owner), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            with pytest.raises(TenantkitError, match="is not shown the rows of all tenants"):
                editor_of_a_stranger(project, before)
    finally:
        with superuser() as admin:
            admin.execute(f'DROP ROLE "{owner}"')


def editor_of_a_stranger(project: Project, before: Unguarded) -> None:
    state = project.state.clone()
    editor = connection.SchemaEditorClass(connection)
    editor.deferred_sql = []
    editor._refuse_blind(state.apps.get_model("guarded", "Order")._meta.get_field("party"))
