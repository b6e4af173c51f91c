"""What the audit expects is what the models say."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

from django_tenantkit.lifecycle.audit.expected import Expected, Generic, Table, expected, quoted

needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")


@pytest.fixture
def wanted() -> Expected:
    return expected(apps, connection)


def table(wanted: Expected, name: str) -> Table:
    (found,) = [table for table in wanted.tables if table.name == quoted(name)]
    return found


def references(table: Table) -> set[tuple[str, str, str]]:
    return {(ref.column, ref.target.strip('"'), ref.target_column) for ref in table.references if not ref.to_tenant}


def test_every_tenant_table_is_expected_once(wanted: Expected) -> None:
    names = [table.name for table in wanted.tables if table.tenant]
    assert len(names) == len(set(names)) == 19
    assert {'"testapp_invoice_tags"', '"testapp_category_related"', '"testapp_vip"'} <= set(names)


def test_shared_tables_are_known_and_not_expected_to_be_guarded(wanted: Expected) -> None:
    names = {table.name for table in wanted.tables}
    assert {'"auth_user"', '"testapp_region"', '"django_content_type"'} <= wanted.known - names


@needs_postgresql
def test_our_own_tables_are_guarded_and_no_tenant_tables(wanted: Expected) -> None:
    own = {table.name: table for table in wanted.tables if not table.tenant}
    assert set(own) == {f'"django_tenantkit_{name}"' for name in ("tenant", "domain", "membership", "job", "place")}
    assert {policy.name for policy in own['"django_tenantkit_domain"'].policies} == {
        "tenantkit_own_select",
        "tenantkit_operator",
        "tenantkit_owner",
    }
    assert [name for name, _ in own['"django_tenantkit_tenant"'].triggers] == ["tenantkit_protected"]


def test_a_foreign_key_is_expected_if_it_leads_to_a_tenant_table(wanted: Expected) -> None:
    assert references(table(wanted, "testapp_invoice")) == {("customer_id", "testapp_customer", "id")}


def test_the_tenant_itself_is_referred_to(wanted: Expected) -> None:
    for found in (table for table in wanted.tables if table.tenant):
        (reference,) = [reference for reference in found.references if reference.to_tenant]
        assert (reference.column, reference.target) == ("tenant_id", '"django_tenantkit_tenant"')


def test_both_ends_of_a_many_to_many_field_are_expected(wanted: Expected) -> None:
    assert references(table(wanted, "testapp_invoice_tags")) == {
        ("invoice_id", "testapp_invoice", "id"),
        ("tag_id", "testapp_tag", "id"),
    }


def test_a_shared_end_of_a_many_to_many_field_is_not(wanted: Expected) -> None:
    assert references(table(wanted, "testapp_product_regions")) == {("product_id", "testapp_product", "id")}


def test_a_parent_link_is_expected(wanted: Expected) -> None:
    vip = table(wanted, "testapp_vip")
    assert (vip.key, references(vip)) == ("customer_ptr_id", {("customer_ptr_id", "testapp_customer", "id")})


def test_a_generic_foreign_key_is_expected(wanted: Expected) -> None:
    assert table(wanted, "testapp_note").generic == (
        Generic("testapp.Note.subject", "content_type_id", "object_id", '"django_content_type"'),
    )


def test_content_types_lead_to_tables(wanted: Expected) -> None:
    assert wanted.types["testapp", "vip"].name == '"testapp_vip"'
    assert ("testapp", "goldcustomer") not in wanted.types  # a proxy: rows name the model behind it
    assert ("auth", "user") not in wanted.types
