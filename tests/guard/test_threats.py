"""What the guard does not close, each shown: docs/explanation/threat-model.md has a line for every test here."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection, transaction

from django_tenantkit import tenant_context
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only"),
]

CUSTOMERS = Customer._meta.db_table


def ask(query: str, params=None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def two(on_one_connection):
    return on_one_connection


@pytest.fixture
def neighbour():
    """Another connection of the application's login, on which another tenant's request might run."""
    connection.ensure_connection()
    parameters = connection.get_connection_params()
    with psycopg.connect(**parameters, autocommit=True) as other:
        yield other


def test_statements_of_other_sessions_are_seen_in_pg_stat_activity(two, neighbour):
    with tenant_context(two.acme):
        neighbour.execute("SELECT 'a secret of acme'")
    with tenant_context(two.globex):
        seen = ask("SELECT query FROM pg_stat_activity WHERE pid = %s", [neighbour.info.backend_pid])
    assert "a secret of acme" in seen[0][0]


def test_a_sequence_counts_the_rows_of_all_tenants(two):
    with connection.as_system():
        ask("CREATE SEQUENCE public.of_everybody")
    try:
        with tenant_context(two.acme):
            before = ask("SELECT nextval('of_everybody')")[0][0]
        with tenant_context(two.globex):
            ask("SELECT nextval('of_everybody')")
        with tenant_context(two.acme):
            assert ask("SELECT nextval('of_everybody')")[0][0] - before == 2
    finally:
        with connection.as_system():
            ask("DROP SEQUENCE public.of_everybody")


def test_a_notification_is_heard_in_every_tenant(two, neighbour):
    heard = []
    neighbour.add_notify_handler(lambda notify: heard.append(notify.payload))
    with tenant_context(two.acme):
        neighbour.execute("LISTEN news")
    with tenant_context(two.globex):
        ask("NOTIFY news, 'of globex'")
    neighbour.execute("SELECT 1")
    assert heard == ["of globex"]


def test_an_advisory_lock_is_one_for_all_tenants(two, neighbour):
    with tenant_context(two.acme):
        neighbour.execute("SELECT pg_advisory_lock(42)")
    with tenant_context(two.globex):
        assert ask("SELECT pg_try_advisory_lock(42)") == [(False,)]


def test_a_temporary_table_stays_on_the_connection(two):
    with tenant_context(two.acme):
        ask("CREATE TEMPORARY TABLE kept AS SELECT 'of acme' AS secret")
    try:
        with tenant_context(two.globex):
            assert ask("SELECT secret FROM kept") == [("of acme",)]
    finally:
        connection.close()


def test_a_temporary_table_that_ends_with_its_transaction_does_not(two):
    with tenant_context(two.acme), transaction.atomic():
        ask("CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT 'of acme' AS secret")
    with tenant_context(two.globex):
        assert ask("SELECT to_regclass('kept')") == [(None,)]


def test_a_cursor_that_is_held_stays_on_the_connection(two):
    with tenant_context(two.acme):
        ask(f"DECLARE kept CURSOR WITH HOLD FOR SELECT tenant_id FROM {CUSTOMERS}")
    try:
        with tenant_context(two.globex):
            assert ask("FETCH kept") == [(two.acme.pk,)]
    finally:
        connection.close()


def test_estimates_are_made_from_the_rows_of_all_tenants(together):
    with connection.as_system():
        ask(f"ANALYZE {CUSTOMERS}")
    with tenant_context(together.acme):
        own = ask(f"SELECT count(*) FROM {CUSTOMERS}")[0][0]
        pages = ask("SELECT reltuples::int FROM pg_class WHERE oid = %s::regclass", [CUSTOMERS])[0][0]
    assert pages > own


def test_the_values_of_a_column_are_not_told_by_statistics(two):
    with connection.as_system():
        ask(f"ANALYZE {CUSTOMERS}")
    with tenant_context(two.acme):
        assert ask("SELECT * FROM pg_stats WHERE tablename = %s", [CUSTOMERS]) == []


def test_who_runs_sql_of_their_own_can_name_another_tenant(together):
    with tenant_context(together.globex), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT set_config('tenantkit.tenant', %s, true); SELECT DISTINCT tenant_id FROM {CUSTOMERS}",
            [str(together.acme.pk)],
        )
        cursor.nextset()
        assert cursor.fetchall() == [(together.acme.pk,)]


def test_who_runs_sql_of_their_own_cannot_take_another_role(two):
    names = ("TENANTKIT_OWNER_ROLE", "TENANTKIT_SYSTEM_ROLE")
    from django.conf import settings

    for name in names:
        with pytest.raises(Exception, match="permission denied to set role"), tenant_context(two.acme):
            ask("SELECT set_config('role', %s, true)", [getattr(settings, name)])


def test_what_was_set_for_the_session_does_not_outlive_the_next_statement(two):
    with tenant_context(two.globex):
        ask("SELECT set_config('tenantkit.tenant', %s, false)", [str(two.acme.pk)])
        try:
            assert ask("SELECT current_setting('tenantkit.tenant')") == [(str(two.globex.pk),)]
        finally:
            connection.close()
