"""The tenant field is filled in by itself, shown nowhere, and offers no tenants to choose from."""

from __future__ import annotations

import io
import json

import pytest
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.filters import RelatedFieldListFilter
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.forms import modelform_factory

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import NoCurrentTenant
from django_tenantkit.fields import TenantField
from tests.testapp.models import Customer, Invoice, Tag, Vip

pytestmark = pytest.mark.django_db


def dumped(*labels):
    out = io.StringIO()
    call_command("dumpdata", *labels, stdout=out)
    return out.getvalue()


def load(text, tmp_path):
    file = tmp_path / "rows.json"
    file.write_text(text)
    call_command("loaddata", file, verbosity=0)


def test_inside_a_tenant_it_is_no_part_of_a_rows_data(in_acme):
    Vip.objects.create(name="a")
    (row,) = json.loads(serializers.serialize("json", Vip.objects.all()))
    assert set(row["fields"]) == {"discount"}


def test_rows_dumped_in_one_tenant_can_be_loaded_in_another(acme, globex, tmp_path):
    with tenant_context(acme):
        Tag.objects.create(label="red")
        text = dumped("testapp.Tag")
        Tag.objects.all().delete()
    with tenant_context(globex):
        load(text, tmp_path)
        assert Tag.objects.get().tenant == globex


def test_unscoped_code_sees_whose_rows_they_are_and_can_load_them_again(acme, globex, tmp_path):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            Vip.objects.create(name=tenant.slug)
    with unscoped(reason="test"):
        text = dumped("testapp.Customer", "testapp.Vip")
        Vip.objects.all().delete()
        load(text, tmp_path)
        assert {vip.name for vip in Vip.objects.filter(tenant=acme, vip_tenant=acme)} == {"acme"}
        assert {vip.name for vip in Vip.objects.filter(tenant=globex, vip_tenant=globex)} == {"globex"}


def test_with_no_tenant_there_is_nothing_to_dump(acme):
    with pytest.raises(NoCurrentTenant):
        serializers.serialize("json", Tag.objects.all())


@pytest.mark.parametrize("model", [Invoice, Vip])
def test_no_form_has_it(model):
    form = modelform_factory(model, fields="__all__")
    assert not [name for name in form.base_fields if "tenant" in name]


def test_no_form_can_ask_for_it():
    with pytest.raises(FieldError):
        modelform_factory(Invoice, fields=["tenant"])


def test_it_offers_no_tenants_to_choose_from(acme, globex):
    field = Invoice._meta.get_field("tenant")
    assert field.get_choices(include_blank=False) == []


def test_a_filter_of_the_admin_lists_no_tenants(in_acme, globex, rf):
    field = Invoice._meta.get_field("tenant")
    made = RelatedFieldListFilter(field, rf.get("/"), {}, Invoice, ModelAdmin(Invoice, AdminSite()), "tenant")
    assert not made.has_output()


def test_migrations_say_nothing_of_what_every_tenant_field_has():
    assert TenantField().deconstruct()[1:] == ("django_tenantkit.fields.TenantField", [], {})


def test_its_value_is_left_to_the_compiler_to_check(in_acme, globex, django_assert_num_queries):
    customer = Customer(name="a", tenant=globex)
    with django_assert_num_queries(0):
        customer.clean_fields()
    assert customer.tenant == globex
