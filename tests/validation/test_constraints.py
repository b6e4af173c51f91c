"""TenantUniqueConstraint with everything that UniqueConstraint takes: in SQL, in Python, in migrations."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models.functions import Lower

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.fields import TenantField
from django_tenantkit.models import TenantModel
from tests.testapp.models import Customer

# Tables are made outside of transactions: SQLite cannot otherwise, and on PostgreSQL the system makes them.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("planted")]

#: A constraint, what the database must be able to do for it, the taken row and one that collides.
KINDS = {
    "field": ((), {"fields": ["a"]}, None, {"a": "x"}, {"a": "x"}),
    "two fields": ((), {"fields": ["a", "b"]}, None, {"a": "x", "b": "y"}, {"a": "x", "b": "y"}),
    "condition": (
        (),
        {"fields": ["a"], "condition": models.Q(on=True)},
        "supports_partial_indexes",
        {"a": "x", "on": True},
        {"a": "x", "on": True},
    ),
    "expression": ((Lower("a"),), {}, "supports_expression_indexes", {"a": "X"}, {"a": "x"}),
    "two expressions": (
        (Lower("a"), models.F("b").desc()),
        {},
        "supports_expression_indexes",
        {"a": "X", "b": "y"},
        {"a": "x", "b": "y"},
    ),
    "one row": ((models.Value(1),), {}, "supports_expression_indexes", {}, {"a": "other"}),
    "nulls": (
        (),
        {"fields": ["a"], "nulls_distinct": False},
        "supports_nulls_distinct_unique_constraints",
        {"a": None},
        {"a": None},
    ),
    "deferred": (
        (),
        {"fields": ["a"], "deferrable": models.Deferrable.DEFERRED},
        "supports_deferrable_unique_constraints",
        {"a": "x"},
        {"a": "x"},
    ),
    "include": (
        (),
        {"fields": ["a"], "include": ["b"]},
        "supports_covering_indexes",
        {"a": "x", "b": "1"},
        {"a": "x", "b": "2"},
    ),
    "operator class": (
        (),
        {"fields": ["a"], "opclasses": ["text_pattern_ops"]},
        "postgresql",
        {"a": "x"},
        {"a": "x"},
    ),
    "message": (
        (),
        {"fields": ["a"], "violation_error_message": "Taken."},
        None,
        {"a": "x"},
        {"a": "x"},
    ),
}


def constraint(expressions, options):
    return TenantUniqueConstraint(*expressions, name="planted", **options)


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    """A model with the constraint and its table, with a taken row's values and colliding ones."""
    expressions, options, feature, taken, colliding = request.param
    if feature and feature != connection.vendor and not getattr(connection.features, feature, False):
        pytest.skip(f"{connection.vendor} cannot")

    class Planted(TenantModel):
        a = models.CharField(max_length=20, null=True, blank=True)
        b = models.CharField(max_length=20, blank=True)
        on = models.BooleanField(default=False)

        class Meta:
            app_label = "testapp"
            constraints = [constraint(expressions, options)]

    with table(Planted):
        yield Planted, taken, colliding


@contextmanager
def table(model):
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def is_valid(row):
    try:
        row.full_clean()
    except ValidationError:
        return False
    return True


@transaction.atomic
def create_at_once(model, **values):
    model.objects.create(**values)
    connection.check_constraints()  # those that are deferred


def columns_of(model, name="planted"):
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return found[name]["columns"] if name in found else None


def test_a_duplicate_is_invalid(kind, in_acme):
    model, taken, colliding = kind
    model.objects.create(**taken)
    assert not is_valid(model(**colliding))


def test_a_duplicate_is_refused_by_the_database(kind, in_acme):
    model, taken, colliding = kind
    model.objects.create(**taken)
    with pytest.raises(IntegrityError):
        create_at_once(model, **colliding)


def test_another_tenants_value_is_free(kind, in_acme, globex):
    model, taken, colliding = kind
    with tenant_context(globex):
        model.objects.create(**taken)
    row = model(**colliding)
    assert is_valid(row)
    row.save()


def test_a_row_is_no_duplicate_of_itself(kind, in_acme):
    model, taken, _ = kind
    assert is_valid(model.objects.create(**taken))


def test_unscoped_code_compares_within_the_tenant_of_the_row(kind, acme, globex):
    model, taken, colliding = kind
    with tenant_context(globex):
        model.objects.create(**taken)
    with unscoped(reason="test"):
        assert is_valid(model(tenant=acme, **colliding))
        assert not is_valid(model(tenant=globex, **colliding))


def test_the_tenant_leads_the_index(kind):
    model, _, _ = kind
    assert columns_of(model)[0] == "tenant_id"


def test_it_can_be_removed_and_added(kind):
    model, _, _ = kind
    (declared,) = [found for found in model._meta.constraints if isinstance(found, TenantUniqueConstraint)]
    model._meta.constraints = []
    with connection.schema_editor() as editor:
        editor.remove_constraint(model, declared)
    assert columns_of(model) is None
    model._meta.constraints = [declared]
    with connection.schema_editor() as editor:
        editor.add_constraint(model, declared)
    assert columns_of(model)[0] == "tenant_id"


@pytest.mark.parametrize(("expressions", "options"), [kind[:2] for kind in KINDS.values()], ids=KINDS)
def test_it_survives_being_written_into_a_migration(expressions, options):
    original = constraint(expressions, options)
    path, args, kwargs = original.deconstruct()
    assert path == "django_tenantkit.constraints.TenantUniqueConstraint"
    assert TenantUniqueConstraint(*args, **kwargs) == original == original.clone()


def test_it_is_not_equal_to_the_plain_constraint():
    plain = models.UniqueConstraint(fields=["a"], name="planted")
    own = TenantUniqueConstraint(fields=["a"], name="planted")
    assert own != plain
    assert plain != own


def test_nulls_are_distinct_unless_told_otherwise(in_acme):
    Customer.objects.create(name="a")
    declared = TenantUniqueConstraint(fields=["plan"], name="planted")
    assert declared.validate(Customer, Customer(name="b")) is None


def test_a_new_row_of_a_child_is_compared_within_the_tenant_that_its_parent_names(acme):
    class Planted(Customer):
        code = models.CharField(max_length=20)

        class Meta:
            app_label = "testapp"
            constraints = [TenantUniqueConstraint(fields=["code"], name="planted")]

    with table(Planted), unscoped(reason="test"):
        Planted.objects.create(tenant=acme, name="a", code="x")
        assert not is_valid(Planted(tenant=acme, name="b", code="x"))


def test_unscoped_code_that_names_no_tenant_is_left_to_the_insert(acme):
    with unscoped(reason="test"):
        assert is_valid(Customer(name="a", email="a@x.org"))


def test_a_shared_model_is_told_what_to_write(acme):
    declared = TenantUniqueConstraint(fields=["slug"], name="planted")
    with pytest.raises(ValueError, match="has no tenant field"):
        declared.with_tenant(type(acme))


@pytest.mark.parametrize(
    ("key", "opclass"),
    [
        (models.BigAutoField, "int8_ops"),
        (models.AutoField, "int4_ops"),
        (models.SmallAutoField, "int2_ops"),
        (models.UUIDField, "uuid_ops"),
        (models.CharField, "text_ops"),
    ],
)
def test_the_tenants_key_gets_an_operator_class_of_its_type(key, opclass, monkeypatch):
    monkeypatch.setattr(TenantField, "target_field", key(primary_key=True))
    declared = TenantUniqueConstraint(fields=["email"], name="planted", opclasses=["text_pattern_ops"])
    assert declared.with_tenant(Customer).opclasses == [opclass, "text_pattern_ops"]
