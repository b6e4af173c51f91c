"""Instantiating a tenant model is instantiating a Django model: nothing is wrapped, nothing is patched."""

from __future__ import annotations

import pytest
from django.db.models import Model

from django_tenantkit.models import TenantModel
from tests.testapp.models import Customer


@pytest.mark.parametrize("name", ["__init__", "__new__", "__setattr__", "__getattribute__"])
def test_making_an_instance_is_djangos_own(name: str) -> None:
    assert getattr(TenantModel, name) is getattr(Model, name)


def test_loading_an_instance_is_djangos_own() -> None:
    assert TenantModel.from_db.__func__ is Model.from_db.__func__


def test_instantiating_changes_nothing_on_the_class() -> None:
    before = dict(vars(Customer))
    Customer(name="Ada")
    assert dict(vars(Customer)) == before


def test_an_instance_holds_what_an_instance_of_plain_django_holds() -> None:
    fields = {field.attname for field in Customer._meta.concrete_fields}
    assert set(vars(Customer(name="Ada"))) == {"_state", *fields}
