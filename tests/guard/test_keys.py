"""References that contain the tenant, as the ORM meets them, and whoever reads the tables back."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.constraints import TenantPolicy
from django_tenantkit.keys import MAX_NAME, constraint_name
from django_tenantkit.models import Tenant
from django_tenantkit.registry import tenant_field
from tests.guard.migrating import by_system, catalog
from tests.isolation.world import APART
from tests.testapp.models import Category, Customer, Invoice, Line, Plan, Product, Profile, Tag, Vip

pytestmark = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="references with the tenant")

#: Each reference to a row of another tenant, by its key: what the ORM cannot see.
CROSSING = {
    "foreign key": lambda w: Invoice.objects.create(number="x", customer_id=w.foreign(Customer)),
    "one-to-one": lambda w: Profile.objects.create(customer_id=w.foreign(Vip)),
    "to itself": lambda w: Category.objects.create(name="x", parent_id=w.foreign(Category)),
    "bulk_create": lambda w: Line.objects.bulk_create(
        [Line(invoice_id=w.foreign(Invoice), product=Product.objects.first())]
    ),
    "update": lambda w: Invoice.objects.update(customer_id=w.foreign(Customer)),
    "bulk_update": lambda w: bulk_updated(w),
    "many-to-many": lambda w: Invoice.objects.first().tags.add(w.foreign(Tag)),
    "many-to-many to itself": lambda w: Category.objects.first().related.add(w.foreign(Category)),
    "many-to-many of a shared row": lambda w: w.plan.featured_tags.add(w.foreign(Tag)),
    "through table": lambda w: Product.regions.through.objects.create(
        product_id=w.foreign(Product), region_id=w.region.pk
    ),
    "parent": lambda w: Vip(customer_ptr_id=w.foreign(Vip)).save_base(raw=True, force_insert=True),
}


def bulk_updated(world) -> None:
    lines = list(Line.objects.all())
    for line in lines:
        line.product_id = world.foreign(Product)
    Line.objects.bulk_update(lines, ["product"])


class Crossing:
    """A world, and keys of globex."""

    def __init__(self, world) -> None:
        self.plan, self.region, self.acme = world.plan, world.region, world.acme
        with tenant_context(world.globex):
            self.keys = {model: model.objects.first().pk for model in (Customer, Category, Invoice, Product, Tag)}
            # Those that nothing refers to yet, so that nothing else is in the way.
            self.keys[Vip] = Customer.objects.get(name="globex 0 idle").pk
            self.keys[Tag] = Tag.objects.get(label="blue0").pk
            self.keys[Product] = Product.objects.get(sku="Q0").pk

    def foreign(self, model) -> object:
        return self.keys[model]


@pytest.fixture
def crossing(two):
    return Crossing(two)


@pytest.mark.parametrize("name", CROSSING)
def test_a_row_of_another_tenant_cannot_be_referred_to_by_its_key(crossing, name):
    with tenant_context(crossing.acme), pytest.raises(IntegrityError, match="_tenant_fk"), transaction.atomic():
        refer_and_compare(CROSSING[name], crossing)


def refer_and_compare(refer, crossing) -> None:
    refer(crossing)
    connection.check_constraints()


@pytest.mark.django_db(transaction=True)
def test_a_violation_appears_when_the_transaction_ends():
    acme, globex = (Tenant.objects.create(slug=slug) for slug in ("acme", "globex"))
    with tenant_context(globex):
        foreign = Category.objects.create(name="globex's")
    with tenant_context(acme):
        end = transaction.atomic()
        end.__enter__()
        Category.objects.create(name="x", parent_id=foreign.pk)
        with pytest.raises(IntegrityError, match="testapp_category_parent_id_tenant_fk"):
            end.__exit__(None, None, None)
        assert not Category.objects.exists()


def test_a_row_may_refer_to_one_that_comes_later(two):
    with tenant_context(two.acme):
        parent = Category(name="later")
        Category.objects.create(name="early", parent_id=parent.pk)
        parent.save()
        connection.check_constraints()
        assert parent.children.get().name == "early"


def test_a_fixture_may_refer_forwards(two, tmp_path):
    rows = [
        {"model": "testapp.line", "pk": 900, "fields": {"invoice": str(Invoice().pk), "product": 901, "quantity": 1}},
        {"model": "testapp.product", "pk": 901, "fields": {"sku": "X"}},
    ]
    invoice = {"model": "testapp.invoice", "pk": rows[0]["fields"]["invoice"], "fields": {"number": "900"}}
    with tenant_context(two.acme):
        invoice["fields"]["customer"] = str(Customer.objects.first().pk)
        (tmp_path / "rows.json").write_text(json.dumps([*rows, invoice]))
        call_command("loaddata", tmp_path / "rows.json", verbosity=0)
        assert Line.objects.get(pk=900).invoice.number == "900"


@pytest.mark.parametrize(
    ("model", "deleted"), [(Customer, models.RestrictedError), (Product, models.RestrictedError), (Invoice, None)]
)
def test_deletion_is_djangos_own(two, model, deleted):
    with tenant_context(two.acme):
        referred = Invoice.objects.values("customer") if model is Customer else model.objects.exclude(lines=None)
        rows = model.objects.filter(pk__in=referred)
        if deleted is None:
            assert rows.delete()[1]["testapp.Line"] == 1
        else:
            with pytest.raises(deleted):
                rows.delete()
        connection.check_constraints()


def test_a_row_that_is_referred_to_is_not_deleted_by_raw_sql(two):
    with tenant_context(two.acme), pytest.raises(IntegrityError, match="_tenant_fk"), transaction.atomic():
        delete_customers()


def delete_customers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM testapp_customer")
    connection.check_constraints()


def test_fields_stay_what_the_adopter_wrote():
    assert all(field.db_constraint for field in Invoice._meta.local_fields if field.remote_field)


@pytest.mark.skipif(
    APART, reason="inspectdb reads the first schema in the path, and what the tables refer to is in another"
)
def test_inspectdb_sees_the_references_that_the_models_have(db):
    said = StringIO()
    call_command("inspectdb", "testapp_line", "testapp_category", "testapp_invoice_tags", stdout=said)
    assert "tenant = models.ForeignKey('DjangoTenantkitTenant'" in said.getvalue()
    assert "invoice = models.ForeignKey('TestappInvoice'" in said.getvalue()
    assert "parent = models.ForeignKey('self'" in said.getvalue()
    assert "tag = models.ForeignKey('TestappTag'" in said.getvalue()


def test_neither_key_nor_policy_is_asked_by_validation(two, django_assert_num_queries):
    with tenant_context(two.acme):
        tag = Tag.objects.get(label="red0")
        with django_assert_num_queries(1):  # the TenantUniqueConstraint
            tag.validate_constraints()
        profile = Profile(bio="x")
        with django_assert_num_queries(0):
            profile.validate_constraints()


def test_a_policy_is_no_constraint_that_a_row_could_violate():
    assert TenantPolicy().validate(Customer, Customer()) is None


def test_names_are_no_longer_than_postgresql_keeps_them():
    name = constraint_name("x" * 60, ["y" * 60], "_tenant_fk")
    other = constraint_name("x" * 60, ["y" * 59], "_tenant_fk")
    assert len(name) == len(other) == MAX_NAME
    assert name != other
    assert name.endswith("_tenant_fk")
    assert constraint_name('"schema"."table"', ["id"], "_tenant_fk") == "table_id_tenant_fk"


@pytest.fixture
def in_another_schema(transactional_db):
    """The tables of the test app as its migrations make them, beside those that `run_syncdb` made."""
    with by_system(), connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA migrated; SET search_path = migrated, public")
        yield
        cursor.execute("RESET search_path; DROP SCHEMA migrated CASCADE")


@pytest.mark.skipif(APART, reason="compares two schemas that hold shared tables and tenants' ones together")
def test_migrations_make_what_the_models_say(in_another_schema):
    """Through models are built from historical models, which are no TenantModel; their tables are the same."""
    after = ProjectState.from_apps(apps)
    before = ProjectState({key: state for key, state in after.models.items() if key[0] != "testapp"})
    questioner = MigrationQuestioner({"ask_initial": True})
    (migration,) = MigrationAutodetector(before, after, questioner).changes(graph=MigrationGraph())["testapp"]
    with connection.schema_editor() as editor:
        migration.apply(before.clone(), editor)
    assert comparable("migrated") == comparable("public")
    assert len(comparable("public")["policies"]) == 4 * sum(
        tenant_field(model) is not None
        for model in apps.get_app_config("testapp").get_models(include_auto_created=True)
        if not model._meta.proxy
    )


def comparable(schema: str) -> dict[str, list[str]]:
    found = catalog("testapp_", schema)
    return {kind: sorted(row.replace(f"{schema}.", "") for row in rows) for kind, rows in found.items()}


@pytest.mark.skipif(APART, reason="unscoped code makes nothing where tenants live apart: tests/homes/test_unscoped.py")
def test_unscoped_code_is_bound_by_references_too(two):
    with unscoped(reason="test"):
        customer = Customer.objects.filter(tenant=two.globex).first()
        crossing = Invoice(tenant=two.acme, number="x", customer_id=customer.pk)
        with pytest.raises(IntegrityError, match="_tenant_fk"), transaction.atomic():
            refer_and_compare(lambda _: crossing.save(), None)
    assert Plan.objects.count() == 1
