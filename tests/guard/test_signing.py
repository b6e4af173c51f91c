"""TENANTKIT_SIGNED_CONTEXT: whoever runs SQL of their own cannot name another tenant."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.migrating.run import guard_databases
from django_tenantkit.lifecycle.signing import apply_signing
from tests.isolation.world import over_rows
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only"),
]

TABLE = Customer._meta.db_table
SPOOFED = (
    "SELECT name FROM (SELECT set_config('tenantkit.tenant', %s, true) OFFSET 0) AS spoof, LATERAL "
    f"(SELECT name FROM {TABLE} WHERE set_config <> '' OFFSET 0) AS seen"
)


@pytest.fixture
def signed(two, settings):
    settings.TENANTKIT_SIGNED_CONTEXT = "a secret"
    apply_as_system()
    yield two
    settings.TENANTKIT_SIGNED_CONTEXT = None
    apply_as_system()


def apply_as_system() -> list[str]:
    """As `migrate` does, and `migrate_tenants --guard` in the databases of tenants."""
    assert [outcome.error for outcome in guard_databases() if outcome.error] == []
    with connection.as_system():
        return apply_signing(connection)


def names(query: str = f"SELECT name FROM {TABLE}", params=None) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return {row[0] for row in cursor.fetchall()}


def of(tenant) -> set[str]:
    with tenant_context(tenant):
        return set(Customer.objects.values_list("name", flat=True))


def test_without_it_a_spoofed_tenant_is_believed(together):
    with tenant_context(together.globex), transaction.atomic():
        assert names(SPOOFED, [str(together.acme.pk)]) == of(together.acme)


def test_with_it_a_spoofed_tenant_sees_nothing(signed):
    with tenant_context(signed.globex), transaction.atomic():
        assert names(SPOOFED, [str(signed.acme.pk)]) == set()


def test_with_it_a_spoofed_role_sees_nothing(signed):
    operator = f"SELECT set_config('role', '{roles().operator}', true)"
    with tenant_context(signed.globex), connection.cursor() as cursor:
        cursor.execute(f"{operator}; SELECT name FROM {TABLE}")
        cursor.nextset()
        assert cursor.fetchall() == []


def roles():
    from django_tenantkit.sql.roles import roles_of

    return roles_of(connection.settings_dict)


def test_a_tenants_own_context_is_signed(signed):
    for tenant in (signed.acme, signed.globex):
        with tenant_context(tenant):
            assert names() == of(tenant) != set()


def test_the_operators_context_is_signed(signed):
    with over_rows():
        assert names() == {name for one in (signed.acme, signed.globex) if one.home is None for name in of(one)}


def test_the_user_and_roles_are_signed_too(signed):
    with tenant_context(signed.acme, user=5, roles=["owner", "admin"]):
        assert names() == of(signed.acme)


@pytest.mark.parametrize("user", ["5\ntenantkit.roles=owner", "ünï", "", "'"])
def test_odd_values_are_signed_as_they_are(signed, user):
    with tenant_context(signed.acme, user=user):
        assert names() == of(signed.acme)


@pytest.mark.parametrize("secret", ["short", "x" * 64, "ü" * 80])
def test_secrets_of_any_length(signed, settings, secret):
    settings.TENANTKIT_SIGNED_CONTEXT = secret
    with tenant_context(signed.acme):
        assert names() == set()
        apply_as_system()
        assert names() == of(signed.acme)


def test_a_secret_is_changed_while_processes_use_both(signed, settings):
    settings.TENANTKIT_SIGNED_CONTEXT = ["new", "a secret"]
    apply_as_system()
    with tenant_context(signed.acme):
        assert names() == of(signed.acme)
        settings.TENANTKIT_SIGNED_CONTEXT = "a secret"
        assert names() == of(signed.acme)


def test_a_secret_that_is_named_no_more_counts_no_more(signed, settings):
    settings.TENANTKIT_SIGNED_CONTEXT = "new"
    apply_as_system()
    with tenant_context(signed.acme):
        assert names() == of(signed.acme)
        settings.TENANTKIT_SIGNED_CONTEXT = "a secret"
        assert names() == set()


def test_the_application_cannot_read_the_keys(signed):
    with pytest.raises(Exception, match="permission denied"), tenant_context(signed.acme):
        names("SELECT inner_key FROM tenantkit.signing_keys")


def test_migrate_applies_it_and_takes_it_back(two, settings):
    settings.TENANTKIT_SIGNED_CONTEXT = "a secret"
    call_command("migrate", verbosity=0, skip_checks=True)
    with connection.as_system():
        assert TABLE in names("SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'tenantkit_signed'")
        settings.TENANTKIT_SIGNED_CONTEXT = None
        call_command("migrate", verbosity=0, skip_checks=True)
        assert names("SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'tenantkit_signed'") == set()


def test_nothing_is_done_twice(signed):
    assert apply_as_system() == []
