"""Faults in what a model declares for row-level security."""

from __future__ import annotations

import pytest
from django.db import connection, models

from django_tenantkit.checks.policies import check_policies
from django_tenantkit.constraints import GlobalRows, RoleRows, TenantPolicy, UserRows
from django_tenantkit.fields import TenantField
from django_tenantkit.models import TenantModel
from tests.testapp.models import Customer
from tests.validation.test_checks_of_models import model, to

pytestmark = pytest.mark.usefixtures("planted")


class OfParent(TenantPolicy):
    def read(self, row):
        return row.column("email")


def declaring(*constraints, bases=(), **fields):
    return model(*bases, meta={"constraints": constraints}, **fields)


FAULTS = {
    "two policies": ("E041", lambda: declaring(TenantPolicy(), UserRows(user="author"), author=to("auth.User"))),
    "a shared model": ("E042", lambda: declaring(TenantPolicy(), bases=(models.Model,))),
    "no such field": ("E043", lambda: declaring(UserRows(user="author"))),
    "the field of a parent": ("E043", lambda: declaring(OfParent(), bases=(Customer,))),
    "rows that cannot be everybody's": ("E044", lambda: declaring(GlobalRows())),
}

FINE = {
    "the usual one": lambda: model(),
    "declared": lambda: declaring(TenantPolicy()),
    "rows of everybody": lambda: declaring(GlobalRows(), tenant=TenantField(null=True)),
}

#: They do nothing on SQLite.
SAYING_MORE = {
    "rows of a user": lambda: declaring(UserRows(user="author"), author=to("auth.User")),
    "roles that write": lambda: declaring(RoleRows(write=["editor"])),
    "another tenant's name": lambda: declaring(RoleRows(write=None, read=["reader"])),
}


def found_ids():
    return {message.id.removeprefix("tenantkit.") for message in check_policies(None)}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault):
    id, plant = FAULTS[fault]
    plant()
    assert found_ids() == {id}


@pytest.mark.parametrize("shape", FINE)
def test_what_is_no_fault_is_not_reported(shape):
    FINE[shape]()
    assert found_ids() == set()


COUNTED = {"tenant": TenantField(null=True), "id": models.BigAutoField(primary_key=True)}


@pytest.mark.parametrize(("isolations", "found"), [(["row"], set()), (["row", "schema"], {"E046"})])
def test_rows_of_everybody_with_counted_keys_need_one_home(isolations, found, settings):
    settings.TENANTKIT_ISOLATIONS = isolations
    declaring(GlobalRows(), **COUNTED)
    assert found_ids() == found


@pytest.mark.parametrize("shape", SAYING_MORE)
def test_a_policy_that_says_more_than_the_tenant_needs_postgresql(shape):
    SAYING_MORE[shape]()
    assert found_ids() == (set() if connection.vendor == "postgresql" else {"W045"})


def test_the_model_is_a_tenants():
    assert issubclass(FINE["declared"](), TenantModel)
