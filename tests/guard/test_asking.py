"""What works as in plain Django: OPTIONS that name a class of cursors, and `migrate` where it only asks."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.postgresql import base

from django_tenantkit import unscoped
from django_tenantkit.backends.postgresql.session import SessionCursor
from django_tenantkit.exceptions import TenantImmutable, TenantkitError
from tests.testapp.models import Customer

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only")]


class Counting(base.Cursor):
    """A project's own class."""


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [("cursor_factory", Counting, Counting), ("server_side_binding", True, base.ServerBindingCursor)],
)
def test_cursors_are_of_the_class_that_the_options_ask_for(option, value, kind):
    other = connection.copy()
    other.settings_dict["OPTIONS"][option] = value
    try:
        other.connect()
        assert issubclass(other.connection.cursor_factory, (kind,))
        assert issubclass(other.connection.cursor_factory, SessionCursor)
    finally:
        other.close()


def migrate(*arguments: str, **options) -> str:
    out = io.StringIO()
    call_command("migrate", *arguments, stdout=out, skip_checks=True, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("label", "said"), [("nosuch", "No installed app"), ("django.contrib.auth", "Did you mean 'auth'")]
)
def test_a_wrong_label_is_djangos_error_inside_a_transaction_too(label, said):
    with pytest.raises(CommandError, match=said):
        migrate(label)


def test_a_plan_is_shown_inside_a_transaction_too():
    assert "No planned migration operations." in migrate(plan=True)


def test_migrating_inside_a_transaction_names_the_cure():
    with pytest.raises(TenantkitError, match="Do it outside of atomic"):
        migrate("auth", verbosity=0)


def test_a_row_that_is_written_without_a_tenant_is_to_name_it():
    with unscoped(reason="test"), pytest.raises(TenantImmutable, match=r"Customer must name its tenant, tenant=\.\.\."):
        Customer(pk=987, name="nobody").save(force_update=True)
