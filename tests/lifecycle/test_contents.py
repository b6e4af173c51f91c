"""The graph of what belongs to a tenant."""

from __future__ import annotations

from django_tenantkit.lifecycle.contents import contents, records
from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Vip


def by_model():
    return {content.model: content for content in contents()}


def test_a_table_comes_behind_those_that_it_refers_to():
    order = [content.model for content in contents()]
    assert order.index(Customer) < order.index(Invoice) < order.index(Line)
    assert order.index(Product) < order.index(Line)


def test_a_child_of_inheritance_comes_behind_its_parent():
    order = [content.model for content in contents()]
    assert order.index(Customer) < order.index(Vip)


def test_automatic_through_tables_are_among_them():
    assert Invoice.tags.through in by_model()


def test_shared_tables_are_not():
    assert Plan not in by_model()


def test_a_reference_says_whether_its_target_is_shared():
    customer = by_model()[Customer]
    assert [(reference.target, reference.is_at_home) for reference in customer.references] == [(Plan, False)]


def test_the_tenant_is_no_reference_to_a_row():
    assert "tenant_id" not in [reference.column for reference in by_model()[Invoice].references]


def test_a_table_that_refers_to_itself_says_so():
    assert [reference.target for reference in by_model()[Category].references] == [Category]


def test_generic_references_are_named():
    assert [field.name for field in by_model()[Note].generics] == ["subject"]


def test_rows_in_shared_tables_that_name_a_tenant():
    assert {model.__name__ for model, _ in records()} >= {"Domain", "Membership", "Job"}
