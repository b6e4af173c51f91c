"""Each fault of a model that a check can see, and shapes that are no fault."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower

from django_tenantkit.checks.indexes import check_indexes
from django_tenantkit.checks.ownership import check_ownership
from django_tenantkit.checks.references import check_references
from django_tenantkit.checks.uniqueness import check_uniqueness
from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.fields import TenantField, TenantReference
from django_tenantkit.models import Tenant, TenantModel
from tests.testapp.models import Customer, Invoice, Plan, Region, Tag

pytestmark = pytest.mark.usefixtures("planted")


class Here:
    app_label = "testapp"


def found():
    checks = (check_uniqueness, check_ownership, check_references, check_indexes)
    return [message for check in checks for message in check(None)]


def found_ids():
    return {message.id.removeprefix("tenantkit.") for message in found()}


def model(*bases, meta=None, name="Planted", **fields):
    """Define a model as a class statement would."""
    inner = type("Meta", (Here,), meta or {})
    return type(name, bases or (TenantModel,), {"__module__": __name__, "Meta": inner, **fields})


def text(**options):
    return models.CharField(max_length=20, **options)


def to(target, on_delete=models.CASCADE, **options):
    return models.ForeignKey(target, on_delete, **{"related_name": "+", **options})


def many(target, **options):
    return models.ManyToManyField(target, related_name="+", **options)


def one(target, **options):
    return models.OneToOneField(target, models.CASCADE, related_name="+", **options)


def unique(**options):
    return models.UniqueConstraint(name="planted", **options)


def tenant_unique(*expressions, **options):
    return TenantUniqueConstraint(*expressions, name="planted", **options)


def through_without_tenant():
    through = model(models.Model, name="Through", tag=to(Tag), planted=to("testapp.Planted"))
    model(tags=many(Tag, through=through))


def automatic_through_without_tenant():
    through = model(tags=many(Tag))._meta.get_field("tags").remote_field.through
    through._meta.local_fields.remove(through._meta.get_field("tenant"))


def excluding(*expressions):
    return ExclusionConstraint(name="planted", expressions=list(expressions))


FAULTS = {
    "one row per tenant": ("E001", lambda: model(tenant=TenantField(unique=True))),
    "one-to-one to a shared row": ("E002", lambda: model(user=one(settings.AUTH_USER_MODEL))),
    "one-to-one key of a shared row": ("E002", lambda: model(id=None, plan=one(Plan, primary_key=True))),
    "unique foreign key to a shared row": ("E002", lambda: model(plan=to(Plan, unique=True))),
    "unique field": ("E003", lambda: model(code=text(unique=True))),
    "unique slug": ("E003", lambda: model(slug=models.SlugField(unique=True))),
    "unique field of a child": ("E003", lambda: model(Customer, code=text(unique=True))),
    "composite key": ("E004", lambda: model(id=None, n=text(), pk=models.CompositePrimaryKey("tenant_id", "n"))),
    "key that is typed in": ("E005", lambda: model(id=None, code=text(primary_key=True))),
    "UUID that serializers accept": ("E005", lambda: model(id=models.UUIDField(primary_key=True))),
    "unique_together": ("E006", lambda: model(a=text(), b=text(), meta={"unique_together": [("a", "b")]})),
    "unique_together with tenant": ("E006", lambda: model(a=text(), meta={"unique_together": [("tenant", "a")]})),
    "unique constraint": ("E007", lambda: model(a=text(), meta={"constraints": [unique(fields=["a"])]})),
    "unique constraint with tenant": (
        "E007",
        lambda: model(a=text(), meta={"constraints": [unique(fields=["tenant", "a"])]}),
    ),
    "exclusion": ("E008", lambda: model(a=text(), meta={"constraints": [excluding(("a", "="))]})),
    "tenant constraint on a shared model": (
        "E009",
        lambda: model(models.Model, a=text(), meta={"constraints": [tenant_unique(fields=["a"])]}),
    ),
    "tenant constraint that names the tenant": (
        "E010",
        lambda: model(a=text(), meta={"constraints": [tenant_unique(fields=["tenant", "a"])]}),
    ),
    "expression that names the tenant": (
        "E010",
        lambda: model(a=text(), meta={"constraints": [tenant_unique("tenant", Lower("a"))]}),
    ),
    "two tenants": ("E012", lambda: model(other=TenantField(db_column="other_id"))),
    "tenant that may be empty": ("E013", lambda: model(tenant=TenantField(null=True))),
    "shared parent": ("E014", lambda: model(TenantModel, Region, id=None)),
    "foreign key to the tenant": ("W015", lambda: model(models.Model, organisation=to(Tenant))),
    "automatic through table": ("E021", automatic_through_without_tenant),
    "through model": ("E022", through_without_tenant),
    "shared row that refers to a tenant's": ("E023", lambda: model(models.Model, customer=to(Customer))),
    "shared row that is one with a tenant's": ("E023", lambda: model(models.Model, customer=one(Customer))),
    "no constraint": ("E024", lambda: model(customer=to(Customer, db_constraint=False))),
    "many-to-many with no constraint": ("E024", lambda: model(tags=many(Tag, db_constraint=False))),
    "reference to a field": ("E025", lambda: model(tag=to(Tag, to_field="label"))),
    "PROTECT": ("W026", lambda: model(customer=to(Customer, models.PROTECT))),
    "default of one tenant": ("W027", lambda: model(tag=to(Tag, default=1))),
    "generic foreign key in a shared table": (
        "W028",
        lambda: model(models.Model, content_type=to(ContentType), object_id=text(), subject=GenericForeignKey()),
    ),
    "index": ("W031", lambda: model(a=text(), meta={"indexes": [models.Index(fields=["a"], name="planted")]})),
    "index on an expression": (
        "W031",
        lambda: model(a=text(), meta={"indexes": [models.Index(Lower("a"), name="planted")]}),
    ),
    "db_index": ("W032", lambda: model(a=text(db_index=True))),
    "slug": ("W032", lambda: model(a=models.SlugField())),
}

FINE = {
    "one-to-one between rows of a tenant": lambda: model(customer=one(Customer)),
    "one-to-one as key": lambda: model(id=None, customer=one(Customer, primary_key=True)),
    "integer key": lambda: model(id=models.BigAutoField(primary_key=True)),
    "unique for a date": lambda: model(day=models.DateField(), a=text(unique_for_date="day")),
    "tenant constraint": lambda: model(a=text(), meta={"constraints": [tenant_unique(fields=["a"])]}),
    "one row per tenant": lambda: model(meta={"constraints": [tenant_unique(models.Value(1))]}),
    "exclusion with tenant": lambda: model(a=text(), meta={"constraints": [excluding(("tenant", "="), ("a", "="))]}),
    "shared model with anything unique": lambda: model(models.Model, a=text(unique=True), b=one(Plan)),
    "shared rows among each other": lambda: model(models.Model, plan=to(Plan), regions=many(Region)),
    "many-to-many": lambda: model(plans=many(Plan), tags=many(Tag)),
    "shared many-to-many to tenants' rows": lambda: model(models.Model, tags=many(Tag)),
    "reference to the tenant on purpose": lambda: model(models.Model, tenant=TenantReference(related_name="+")),
    "RESTRICT": lambda: model(customer=to(Customer, models.RESTRICT)),
    "PROTECT of a shared row": lambda: model(plan=to(Plan, models.PROTECT)),
    "no constraint to a shared row": lambda: model(plan=to(Plan, db_constraint=False)),
    "default that is a function": lambda: model(tag=to(Tag, default=lambda: None)),
    "generic foreign key of a tenant": lambda: model(
        content_type=to(ContentType), object_id=text(), subject=GenericForeignKey()
    ),
    "child": lambda: model(Customer, more=text()),
    "proxy": lambda: model(Invoice, meta={"proxy": True}),
    "index led by the tenant": lambda: model(
        a=text(), meta={"indexes": [models.Index(fields=["tenant", "-a"], name="planted")]}
    ),
    "expressions led by the tenant": lambda: model(
        a=text(), meta={"indexes": [models.Index(models.F("tenant").asc(), Lower("a"), name="planted")]}
    ),
    "index that does not sort": lambda: model(
        a=models.JSONField(), meta={"indexes": [GinIndex(fields=["a"], name="planted")]}
    ),
    "index of a shared model": lambda: model(models.Model, a=models.SlugField()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault):
    expected, plant = FAULTS[fault]
    plant()
    assert found_ids() == set(expected.split())


@pytest.mark.parametrize("shape", FINE)
def test_what_is_no_fault_is_not_reported(shape):
    FINE[shape]()
    assert found_ids() == set()


def test_the_models_of_the_test_application_are_clean():
    assert found() == []


def test_only_the_given_apps_are_looked_at():
    model(code=text(unique=True))
    assert check_uniqueness([]) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_message_names_the_model_and_has_a_hint(fault):
    _, plant = FAULTS[fault]
    plant()
    assert [message for message in found() if not message.hint or message.obj._meta.label not in message.msg] == []


@pytest.mark.parametrize("by", ["a view", "to_field"])
def test_a_shared_row_that_cannot_be_copied_to_a_tenants_database(settings, by):
    if by == "a view":
        model(shared=to(model(models.Model, name="View", meta={"managed": False})))
    else:
        code = model(models.Model, name="Code", code=text(unique=True))
        model(shared=to(model(models.Model, name="Coded", code=to(code, to_field="code"))))
    assert "E029" not in found_ids()
    settings.TENANTKIT_ISOLATIONS = ["row", "database"]
    assert "E029" in found_ids()
