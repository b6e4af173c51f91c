"""`GlobalRows`: rows without a tenant are every tenant's to read and operators' to write."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Exists, OuterRef

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import CrossTenantReference, NoCurrentTenant, TenantImmutable
from django_tenantkit.testing.tenants import make_tenant
from tests.isolation.world import kinds_of_test, over_rows
from tests.presets.models import Rate, Sale


class Rates:
    def __init__(self) -> None:
        self.acme, self.globex = (
            make_tenant(slug, isolation=kind) for slug, kind in zip(("acme", "globex"), kinds_of_test(), strict=True)
        )
        with unscoped(reason="rates for all"):
            self.common = Rate.objects.create(name="common")
        with tenant_context(self.acme):
            self.own = Rate.objects.create(name="acme's")
        with tenant_context(self.globex):
            self.foreign = Rate.objects.create(name="globex's")


@pytest.fixture
def rates(db) -> Rates:
    return Rates()


#: What the database says of another tenant's row, and of one that is not in the tenant's home.
ANOTHERS = r"row of another tenant|is not present in table"


def names() -> list[str]:
    return sorted(Rate.objects.values_list("name", flat=True))


def test_each_tenant_reads_its_own_and_the_common_rows(rates):
    with tenant_context(rates.acme):
        assert names() == ["acme's", "common"]
        assert Rate.objects.count() == 2
        assert Rate.objects.get(name="common").tenant is None
    with tenant_context(rates.globex):
        assert names() == ["common", "globex's"]


def test_without_a_tenant_nothing_is_read(rates):
    with pytest.raises(NoCurrentTenant):
        names()


def test_they_are_joined_and_counted_as_well(rates):
    with tenant_context(rates.acme):
        for rate in (rates.common, rates.own):
            Sale.objects.create(rate=rate).others.add(rates.common)
        assert sorted(Sale.objects.values_list("rate__name", flat=True)) == ["acme's", "common"]
        assert Sale.objects.filter(others__name="common").count() == 2
        assert {rate.name: rate.n for rate in Rate.objects.annotate(n=Count("sales"))} == {"acme's": 1, "common": 1}
        assert Rate.objects.filter(Exists(Sale.objects.filter(rate=OuterRef("pk")))).count() == 2
        assert {sale.rate.name for sale in Sale.objects.select_related("rate")} == {"acme's", "common"}
    with tenant_context(rates.globex):
        assert Rate.objects.get(name="common").sales.count() == 0


def test_what_a_tenant_adds_is_its_own(rates):
    with tenant_context(rates.acme):
        assert Rate.objects.create(name="new").tenant == rates.acme
        assert {rate.tenant_id for rate in Rate.objects.bulk_create([Rate(name="x"), Rate(name="y")])} == {
            rates.acme.pk
        }


def test_a_tenant_does_not_save_a_common_row(rates):
    with tenant_context(rates.acme):
        rate = Rate.objects.get(name="common")
        rate.name = "changed"
        with pytest.raises(TenantImmutable, match="of all tenants"):
            rate.save()
        assert Rate.objects.get(pk=rate.pk).name == "common"


def test_a_tenant_updates_its_own_rows_only(rates):
    with tenant_context(rates.acme):
        assert Rate.objects.update(name="changed") == 1
        assert names() == ["changed", "common"]


def test_a_tenant_does_not_delete_a_common_row_nor_what_refers_to_it(rates):
    with tenant_context(rates.acme):
        Sale.objects.create(rate=rates.common)
        for deletion in (Rate.objects.all().delete, Rate.objects.get(name="common").delete):
            with pytest.raises(TenantImmutable, match="tenant__isnull=False"), transaction.atomic():
                deletion()
        assert (names(), Sale.objects.count()) == (["acme's", "common"], 1)


def test_a_tenant_deletes_its_own_rows(rates):
    with tenant_context(rates.acme):
        Sale.objects.create(rate=rates.own)
        assert Rate.objects.filter(tenant__isnull=False).delete()[0] == 2
        assert names() == ["common"]


def test_operators_write_the_common_rows(rates):
    with over_rows("rates for all"):
        rate = Rate.objects.get(name="common")
        rate.name = "changed"
        rate.save()
        assert Rate.objects.filter(tenant=None).update(name="again") == 1
        assert Rate.objects.filter(tenant=None).delete()[0] == 1


def test_operators_do_not_give_a_row_to_everybody(rates):
    with tenant_context(make_tenant("shared", isolation="row")):
        own = Rate.objects.create(name="shared's")
    with over_rows("rates for all"), pytest.raises(TenantImmutable), transaction.atomic():
        Rate.objects.filter(pk=own.pk).update(tenant=None)


def test_operators_do_not_give_a_common_row_to_a_tenant(rates):
    with over_rows("rates for all"), pytest.raises(TenantImmutable), transaction.atomic():
        Rate.objects.filter(pk=rates.common.pk).update(tenant=rates.acme)


def test_an_upsert_by_operators_changes_a_common_row(rates):
    with over_rows("rates for all"):
        again = Rate(pk=rates.common.pk, name="changed")
        Rate.objects.bulk_create([again], update_conflicts=True, unique_fields=["id"], update_fields=["name"])
        assert Rate.objects.get(pk=rates.common.pk).name == "changed"


def test_an_upsert_by_a_tenant_does_not(rates):
    again = Rate(pk=rates.common.pk, name="changed")
    with tenant_context(rates.acme), pytest.raises((CrossTenantReference, IntegrityError)), transaction.atomic():
        Rate.objects.bulk_create([again], update_conflicts=True, unique_fields=["id"], update_fields=["name"])
    with over_rows("look"):
        assert Rate.objects.get(pk=rates.common.pk).name == "common"


def test_an_object_of_another_tenant_is_not_referred_to(rates):
    with tenant_context(rates.acme), pytest.raises(CrossTenantReference):
        Sale.objects.create(rate=rates.foreign)


@pytest.fixture
def postgresql(db) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a trigger of PostgreSQL's")


def compared() -> None:
    """What the end of the transaction would find."""
    connection.check_constraints()


def refer_through(rates: Rates) -> None:
    sale = Sale.objects.create(rate=rates.own)
    Sale.others.through.objects.create(sale=sale, rate_id=rates.foreign.pk)


REFERENCES = {
    "foreign key": lambda rates: Sale.objects.create(rate_id=rates.foreign.pk),
    "to itself": lambda rates: Rate.objects.create(name="x", parent_id=rates.foreign.pk),
    "many-to-many": refer_through,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_database_refuses_another_tenants_row_by_its_key(rates, postgresql, name):
    with tenant_context(rates.acme):
        REFERENCES[name](rates)
        with pytest.raises(IntegrityError, match=ANOTHERS), transaction.atomic():
            compared()
        transaction.set_rollback(True)


def test_it_refuses_a_common_row_that_refers_to_a_tenants(rates, postgresql):
    with over_rows("look"):
        Rate.objects.create(name="x", parent_id=rates.own.pk)
        with pytest.raises(IntegrityError, match=ANOTHERS), transaction.atomic():
            compared()
        transaction.set_rollback(True)


def test_it_compares_when_the_transaction_ends(rates, postgresql):
    """Fixtures may refer forwards, and a row that is gone or put right refers to nothing wrong."""
    with tenant_context(rates.acme):
        sale = Sale.objects.create(rate_id=rates.foreign.pk)
        Sale.objects.filter(pk=sale.pk).update(rate=rates.common)
        gone = Sale.objects.create(rate_id=rates.foreign.pk)
        Sale.objects.filter(pk=gone.pk).delete()
        early = Rate(name="early")
        Sale.objects.create(rate_id=early.pk)
        early.save()
        compared()
        assert Sale.objects.count() == 2
