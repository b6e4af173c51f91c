"""Tenant models in migrations: what is written, what is built, and data migrations."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import NoCurrentTenant, TenantImmutable
from django_tenantkit.fields import TenantField, TenantScoped
from django_tenantkit.models import Tenant, TenantModel
from django_tenantkit.registry import table_map, tenant_field
from tests.isolation.world import over_rows
from tests.testapp.models import Category, Customer, Invoice, Plan, Product, Vip

#: All that RunPython takes from a schema editor.
EDITOR = SimpleNamespace(connection=SimpleNamespace(alias="default"))


@pytest.fixture
def state():
    return ProjectState.from_apps(apps)


def written(state: ProjectState) -> str:
    """The first migration of the test app, as makemigrations writes it."""
    before = ProjectState.from_apps(apps)
    for key in [key for key in before.models if key[0] == "testapp"]:
        del before.models[key]
    questioner = MigrationQuestioner({"ask_initial": True})
    changes = MigrationAutodetector(before, state, questioner).changes(graph=MigrationGraph())
    return "".join(MigrationWriter(m).as_string() for m in changes["testapp"])


def test_the_field_names_no_tenant_model(state):
    assert "('tenant', django_tenantkit.fields.TenantField())" in written(state)


def test_a_childs_own_field_is_written(state):
    assert "('vip_tenant', django_tenantkit.fields.TenantField(db_column='tenant_id'))" in written(state)


def test_the_mark_of_tenant_models_is_written(state):
    assert "bases=(django_tenantkit.fields.TenantScoped, models.Model)" in written(state)


def test_what_is_written_is_what_the_models_are(state):
    assert MigrationAutodetector(state, ProjectState.from_apps(apps)).changes(graph=MigrationGraph()) == {}


def test_our_own_migrations_are_complete(db):
    printed = StringIO()
    call_command("makemigrations", "django_tenantkit", dry_run=True, stdout=printed)
    assert printed.getvalue() == "No changes detected in app 'django_tenantkit'\n"


@pytest.mark.parametrize("model", [Customer, Vip, Product, Category])
def test_historical_models_are_scoped(two, state, model):
    historical = state.apps.get_model("testapp", model.__name__)
    assert not issubclass(historical, Customer)
    with tenant_context(two.acme):
        assert historical.objects.count() == model.objects.count()
    with pytest.raises(NoCurrentTenant):
        historical.objects.count()


def test_historical_through_tables_are_scoped(two, state):
    for name in ("Invoice", "Plan"):
        model = state.apps.get_model("testapp", name)
        for field in model._meta.local_many_to_many:
            assert tenant_field(field.remote_field.through) is not None
            with tenant_context(two.acme):
                assert field.remote_field.through.objects.count() == 1


def test_a_data_migration_runs_with_no_tenant(two, state):
    def forwards(historical_apps, editor):
        historical_apps.get_model("testapp", "Customer").objects.update(name="x")

    operation = migrations.RunPython(forwards)
    with pytest.raises(NoCurrentTenant):
        operation.database_forwards("testapp", EDITOR, state, state)


def test_a_data_migration_can_say_unscoped(together, state):
    def forwards(historical_apps, editor):
        with over_rows("data migration"):
            historical_apps.get_model("testapp", "Customer").objects.update(name="x")

    migrations.RunPython(forwards).database_forwards("testapp", EDITOR, state, state)
    with over_rows():
        assert set(Customer.objects.values_list("name", flat=True)) == {"x"}


THROUGH = [
    Invoice.tags.through,
    Product.regions.through,
    Plan.featured_tags.through,
    Category.related.through,
]


@pytest.mark.parametrize("through", THROUGH)
def test_automatic_through_tables_carry_the_tenant(through):
    assert isinstance(tenant_field(through), TenantField)


def test_a_through_table_between_shared_models_carries_none():
    group = apps.get_model("auth", "Group")
    assert tenant_field(group.permissions.through) is None


def orderings(reverse: bool):
    """The same model made by two orders of operations: the tenant's field before or after the M2M."""
    tenant = ("tenant", TenantField())
    tags = ("tags", models.ManyToManyField("testapp.Tag"))
    later = [tags, tenant] if reverse else [tenant, tags]
    return [
        migrations.CreateModel(
            "Ordered",
            fields=[("id", models.BigAutoField(primary_key=True))],
            bases=(TenantScoped, models.Model),
        ),
        *(migrations.AddField("ordered", name, field) for name, field in later),
    ]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_order_of_fields_does_not_change_the_through_table(transactional_db, state, reverse):
    current = state.clone()
    applied = []
    try:
        for operation in orderings(reverse):
            after = current.clone()
            operation.state_forwards("testapp", after)
            with connection.schema_editor() as editor:
                operation.database_forwards("testapp", editor, current, after)
            applied.append((operation, current, after))
            current = after
        with connection.cursor() as cursor:
            columns = connection.introspection.get_table_description(cursor, "testapp_ordered_tags")
        assert "tenant_id" in {column.name for column in columns}
    finally:
        for operation, before, after in reversed(applied):
            with connection.schema_editor() as editor:
                operation.database_backwards("testapp", editor, after, before)


def test_the_index_of_a_foreign_key_is_led_by_the_tenant(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Invoice._meta.db_table)
    indexes = [c["columns"] for c in constraints.values() if c["index"] and not c["unique"]]
    assert ["tenant_id", "customer_id"] in indexes
    assert ["customer_id"] not in indexes


def test_the_index_goes_with_db_index(transactional_db, state):
    """The schema editor finds its own index again when `db_index` is taken away."""
    historical = state.apps.get_model("testapp", "Invoice")
    old = historical._meta.get_field("customer")
    new = models.ForeignKey(state.apps.get_model("testapp", "Customer"), models.RESTRICT, db_index=False)
    new.set_attributes_from_name("customer")
    new.model = historical

    def indexed():
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, Invoice._meta.db_table).values()
        return ["tenant_id", "customer_id"] in [c["columns"] for c in found if c["index"]]

    if connection.vendor == "sqlite":
        pytest.skip("SQLite makes the table again from the model")
    with connection.schema_editor() as editor:
        editor.alter_field(historical, old, new)
    assert not indexed()
    with connection.schema_editor() as editor:
        editor.alter_field(historical, new, old)
    assert indexed()


def test_unique_constraints_contain_the_tenant(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Invoice._meta.db_table)
    assert constraints["unique_invoice_number"]["columns"] == ["tenant_id", "number"]


def test_dynamic_models_are_found(two):
    """A model made at run time, after every map was made."""
    with tenant_context(two.acme):
        Customer.objects.count()
    state = ModelState.from_model(Customer)
    assert table_map(apps).tenant_fields["testapp_customer"].column == "tenant_id"
    dynamic = ProjectState.from_apps(apps).apps.get_model("testapp", state.name)
    with tenant_context(two.acme):
        assert dynamic.objects.count() == 3


def test_a_tenant_model_whose_tenant_was_replaced_is_refused_when_it_is_made():
    with pytest.raises(ImproperlyConfigured, match="has no TenantField"):
        type("Replaced", (TenantModel,), {"__module__": __name__, "tenant": None, "Meta": _Meta})


class _Meta:
    app_label = "testapp"


@pytest.fixture
def nullable(transactional_db, state):
    """A historical model in the middle of becoming a tenant model: its tenant may still be empty."""
    before = state.clone()
    create = migrations.CreateModel(
        "Becoming",
        fields=[("id", models.BigAutoField(primary_key=True)), ("tenant", TenantField(null=True))],
        bases=(models.Model,),
    )
    create.state_forwards("testapp", state)
    with connection.schema_editor() as editor:
        create.database_forwards("testapp", editor, before, state)
    yield state.apps.get_model("testapp", "Becoming")
    with connection.schema_editor() as editor:
        create.database_backwards("testapp", editor, state, before)


def test_rows_of_nobody_get_their_first_tenant_unscoped(nullable):
    acme = Tenant.objects.create(slug="acme", name="Acme")
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {nullable._meta.db_table} (tenant_id) VALUES (NULL), (NULL)")
    with over_rows("data migration"):
        assert nullable.objects.update(tenant_id=acme.pk) == 2
    with tenant_context(acme):
        assert nullable.objects.count() == 2


def test_rows_of_somebody_keep_their_tenant(nullable):
    acme, globex = (Tenant.objects.create(slug=slug, name=slug) for slug in ("acme", "globex"))
    with tenant_context(acme):
        nullable.objects.create()
    with over_rows("data migration"), pytest.raises(TenantImmutable):
        nullable.objects.update(tenant_id=globex.pk)
    with tenant_context(acme):
        assert nullable.objects.count() == 1
