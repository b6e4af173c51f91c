"""A shared row that rows of tenants can refer to is deleted for all of them, or not at all. Inside a
tenant that is refused before anything of a tenant is looked at: whether others refer to it stays unknown."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.fields import GenericRelation
from django.db import connection, connections, models, router, transaction
from django.test.utils import CaptureQueriesContext

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import CrossTenantReference, TenantDeletionRefused
from django_tenantkit.models import Tenant, TenantModel
from tests.isolation.world import TENANT_MODELS, over_rows
from tests.operating import operated
from tests.testapp.models import Customer, Invoice, Line, Note, Plan, Region

User = get_user_model()

#: Each is deleted once where rows of tenants refer to it and once where none does.
ROWS = {
    "user": (lambda w: w.user, lambda: User.objects.create(username="lonely")),
    "plan": (lambda w: w.plan, lambda: Plan.objects.create(name="lonely")),
    "region": (lambda w: w.region, lambda: Region.objects.create(name="lonely")),
}
STATES = {"in a tenant": lambda w: tenant_context(w.acme), "with no tenant": lambda w: tenant_context(None)}

every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
every_state = pytest.mark.parametrize("state", STATES.values(), ids=STATES)


def refusal_of(state, delete, error=CrossTenantReference):
    """What the refusal says, and the statements that were sent before it."""
    with state:
        where = connections[router.db_for_write(User)]
        with CaptureQueriesContext(where) as queries, pytest.raises(error) as refusal:
            delete()
        return str(refusal.value), [query["sql"] for query in queries]


def tables_of_tenants(statements):
    tables = {model._meta.db_table for model in TENANT_MODELS}
    return {table for table in tables for sql in statements if f'"{table}"' in sql}


@every_row
@every_state
def test_an_object_is_refused_without_a_statement(two, row, state):
    used, lonely = row[0](two), row[1]()
    before = two.snapshot(two.acme), two.snapshot(two.globex)
    message, statements = refusal_of(state(two), used.delete)
    assert "unscoped" in message
    assert statements == []
    assert refusal_of(state(two), lonely.delete) == (message, [])
    assert (two.snapshot(two.acme), two.snapshot(two.globex)) == before


@every_row
@every_state
def test_a_queryset_looks_only_for_the_shared_rows_themselves(two, row, state):
    used, lonely = row[0](two), row[1]()
    rows = type(used).objects
    message, statements = refusal_of(state(two), rows.filter(pk=used.pk).delete)
    assert [sql.split()[0] for sql in statements] == ["SELECT"]
    assert tables_of_tenants(statements) == set()
    alike = refusal_of(state(two), rows.filter(pk=lonely.pk).delete)
    assert (alike[0], len(alike[1])) == (message, 1)


@every_state
def test_asynchronously_too(two, state):
    _, statements = refusal_of(state(two), async_to_sync(two.user.adelete))
    assert statements == []
    _, statements = refusal_of(state(two), async_to_sync(User.objects.filter(pk=two.user.pk).adelete))
    assert [sql.split()[0] for sql in statements] == ["SELECT"]
    assert tables_of_tenants(statements) == set()


@every_state
def test_a_raw_deletion_is_refused_without_a_statement(two, state):
    _, statements = refusal_of(state(two), lambda: Plan.objects.all()._raw_delete("default"))
    assert statements == []


@pytest.mark.parametrize("state", [*STATES.values(), lambda w: unscoped(reason="test")], ids=[*STATES, "unscoped"])
def test_a_tenant_is_not_deleted_as_a_row(two, state):
    message, statements = refusal_of(state(two), two.globex.delete, TenantDeletionRefused)
    assert "erase_tenant" in message
    assert statements == []
    message, statements = refusal_of(state(two), Tenant.objects.filter(slug="acme").delete, TenantDeletionRefused)
    assert tables_of_tenants(statements) == set()
    assert operated(Tenant.objects.count) == 2


def test_unscoped_deletion_cascades_over_all_tenants(together):
    with over_rows("the user left"):
        together.user.delete()
        assert not Invoice.objects.exists()
        assert not Line.objects.exists()
        assert Customer.objects.count() == 9


def test_unscoped_deletion_sets_null_over_all_tenants(together):
    with over_rows("the plan ended"):
        together.plan.delete()
        assert not Customer.objects.exclude(plan=None).exists()
        assert Customer.objects.count() == 9


def test_what_is_not_deleted_is_written_as_ever(two):
    with tenant_context(two.acme):
        plans = Plan.objects.bulk_create([Plan(name="a"), Plan(name="b")])
        for plan in plans:
            plan.name += "!"
        assert Plan.objects.bulk_update(plans, ["name"]) == 2
        assert set(Plan.objects.in_bulk([plan.pk for plan in plans])) == {plan.pk for plan in plans}


@pytest.fixture(scope="module")
def shop():
    """Models of shapes that the test app has not."""

    class Brand(models.Model):
        """Shared. No tenant refers to it."""

        class Meta:
            app_label = "testapp"

    class Article(models.Model):
        """Shared, refers to nothing but shared rows, its own among them. Tenants refer to it."""

        parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)

        class Meta:
            app_label = "testapp"

    class Import(Article):
        """A shared child of it, to which tenants do not refer."""

        brand = models.ForeignKey(Brand, null=True, on_delete=models.CASCADE)

        class Meta:
            app_label = "testapp"

    class Sale(TenantModel):
        article = models.ForeignKey(Article, on_delete=models.CASCADE)

        class Meta:
            app_label = "testapp"

    class Poster(models.Model):
        """Shared. What tenants write on it is deleted with it."""

        notes = GenericRelation(Note)

        class Meta:
            app_label = "testapp"

    yield {model.__name__: model for model in (Brand, Article, Import, Sale, Poster)}
    for model in (Brand, Article, Import, Sale, Poster):
        del model._meta.apps.all_models["testapp"][model._meta.model_name]
    Brand._meta.apps.clear_cache()


@pytest.fixture
def acme(shop, transactional_db):
    """A tenant, and the tables of the shop."""
    with connection.schema_editor() as editor:
        for model in shop.values():
            editor.create_model(model)
    with tenant_context(Tenant.objects.create(slug="acme", name="Acme")) as tenant:
        yield tenant
    with connection.schema_editor() as editor:
        for model in reversed(shop.values()):
            editor.delete_model(model)


def statements_of(delete):
    """What was sent before the refusal, but for what opens and closes transactions."""
    _, statements = refusal_of(transaction.atomic(), delete)
    return [sql for sql in statements if sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


def test_a_row_that_refers_to_its_own_table(shop, acme):
    article = shop["Article"].objects.create()
    shop["Article"].objects.create(parent=article)
    assert statements_of(article.delete) == []


def test_nothing_else_is_taken_for_a_deletion(shop, acme):
    first, second = shop["Article"].objects.bulk_create([shop["Article"](), shop["Article"]()])
    first.parent = second
    assert shop["Article"].objects.bulk_update([first], ["parent"]) == 1
    first = shop["Import"].objects.create()
    first.parent = second
    assert shop["Import"].objects.bulk_update([first], ["parent"]) == 1


def test_a_child_of_a_row_that_tenants_can_refer_to(shop, acme):
    child = shop["Import"].objects.create()
    shop["Sale"].objects.create(article_id=child.pk)
    assert not [sql for sql in statements_of(child.delete) if "sale" in sql]


def test_a_cascade_from_another_shared_row_looks_only_at_shared_rows(shop, acme):
    brand = shop["Brand"].objects.create()
    used, lonely = (shop["Import"].objects.create(brand=each) for each in (brand, shop["Brand"].objects.create()))
    shop["Sale"].objects.create(article_id=used.pk)
    for each in (brand, lonely.brand):
        statements = statements_of(each.delete)
        assert not [sql for sql in statements if "sale" in sql or not sql.startswith("SELECT")]
    assert shop["Import"].objects.count() == 2


def test_a_shared_row_without_such_a_cascade_is_deleted_as_ever(shop, acme):
    assert shop["Brand"].objects.create().delete() == (1, {"testapp.Brand": 1})


def test_generic_relations_are_references_too(shop, acme):
    poster = shop["Poster"].objects.create()
    Note.objects.create(subject=poster, text="mine")
    with pytest.raises(CrossTenantReference, match=r"testapp\.Poster\.notes"), transaction.atomic():
        poster.delete()
    assert Note.objects.get().text == "mine"
    with over_rows("torn down"):
        shop["Poster"].objects.get().delete()
        assert not Note.objects.exists()
