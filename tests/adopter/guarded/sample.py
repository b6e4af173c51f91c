"""The tests of an adopter, run by `tests/roles/test_adopters.py` with Django's runner and with pytest."""

from __future__ import annotations

from typing import Any

from django.db import ProgrammingError, connection, models, transaction
from django.test import TestCase, TransactionTestCase
from shop.models import Invoice

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.testing.cases import TenantTestCase, TenantTransactionTestCase


def ask(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


class Guarded:
    def test_the_application_asks(self) -> None:
        role = f"{connection.settings_dict['TENANTKIT_NAME']}_app"
        assert ask("SELECT current_user, session_user") == (role, role)

    def test_raw_sql_sees_the_tenants_rows_only(self) -> None:
        Invoice.objects.create(number="1")
        assert ask("SELECT count(*) FROM shop_invoice") == (1,)
        with tenant_context(self.other_tenant):
            assert ask("SELECT count(*) FROM shop_invoice") == (0,)

    def test_operators_see_them_all(self) -> None:
        Invoice.objects.create(number="1")
        with tenant_context(None), unscoped(reason="test"):
            assert ask("SELECT count(*) FROM shop_invoice") == (1,)

    def test_the_application_may_not_truncate(self) -> None:
        with self.assertRaisesMessage(ProgrammingError, "permission denied"), transaction.atomic():
            ask("TRUNCATE shop_invoice")


class TestWithTenants(Guarded, TenantTestCase):
    pass


class TestWithTenantsAndTransactions(Guarded, TenantTransactionTestCase):
    pass


class TestDjangos(TestCase):
    def test_without_a_tenant_there_is_no_row(self) -> None:
        assert ask("SELECT count(*) FROM shop_invoice") == (0,)


class TestDjangosWithTransactions(TransactionTestCase):
    def test_tables_can_be_made(self) -> None:
        class Thing(models.Model):
            class Meta:
                app_label = "shop"

        with connection.schema_editor() as editor:
            editor.create_model(Thing)
        assert ask("SELECT count(*) FROM shop_thing") == (0,)
        with connection.schema_editor() as editor:
            editor.delete_model(Thing)
