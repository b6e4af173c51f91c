"""The session protocol: what PostgreSQL is told with each statement, however it is sent."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.context import guarded_context
from django_tenantkit.exceptions import TenantkitError
from django_tenantkit.sql.roles import roles_of
from django_tenantkit.sql.session import literal
from tests.aio import in_this_thread
from tests.isolation.world import over_rows
from tests.testapp.models import Customer

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only")]

SEEN = "SELECT current_setting('tenantkit.tenant', true), current_user"
ACTOR = "SELECT current_setting('tenantkit.user', true), current_setting('tenantkit.roles', true)"


@pytest.fixture
def two(on_one_connection):
    return on_one_connection


@pytest.fixture
def roles():
    return roles_of(connection.settings_dict)


def seen(query: str = SEEN, params=None) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchone()


def told(tenant) -> str:
    return str(tenant.pk)


def test_a_statement_carries_its_tenant_and_role(two, roles):
    with tenant_context(two.acme):
        assert seen() == (told(two.acme), roles.application)


def test_no_tenant_is_said_too(roles):
    assert seen() == ("", roles.application)


def test_unscoped_statements_run_as_the_operator(roles):
    with unscoped(reason="test"):
        assert seen() == ("", roles.operator)


def test_inside_one_transaction_each_statement_carries_its_own(two, roles):
    with transaction.atomic():
        with tenant_context(two.acme):
            assert seen()[0] == told(two.acme)
            with tenant_context(two.globex):
                assert seen()[0] == told(two.globex)
            with unscoped(reason="test"):
                assert seen() == ("", roles.operator)
            assert seen() == (told(two.acme), roles.application)
        assert seen() == ("", roles.application)


def test_a_cursor_made_in_one_tenant_speaks_for_the_current_one(two):
    with tenant_context(two.acme), connection.cursor() as cursor, tenant_context(two.globex):
        cursor.execute(SEEN)
        assert cursor.fetchone()[0] == told(two.globex)


def test_after_a_savepoint_is_rolled_back_the_tenant_is_the_current_one(two):
    with tenant_context(two.acme):
        with pytest.raises(DatabaseError), transaction.atomic(), tenant_context(two.globex):
            seen("SELECT 1 / 0")
        assert seen()[0] == told(two.acme)


@pytest.mark.django_db(transaction=True)
def test_nothing_stays_on_the_connection(two):
    with tenant_context(two.acme, user=5, roles=["owner"]):
        seen()
    bare = psycopg.ClientCursor(connection.connection)
    settings = "SELECT {}, {}, {}, current_setting('role')".format(
        *(f"nullif(current_setting('tenantkit.{name}', true), '')" for name in ("tenant", "user", "roles"))
    )
    assert bare.execute(settings).fetchone() == (None, None, None, "none")


@pytest.mark.django_db(transaction=True)
def test_what_another_program_left_does_not_count(two):
    seen()
    psycopg.ClientCursor(connection.connection).execute(
        "SELECT set_config('tenantkit.tenant', %s, false), set_config('tenantkit.user', '9', false)", [told(two.acme)]
    )
    try:
        assert seen()[0] == ""
        assert seen(ACTOR) == ("", "")
    finally:
        connection.close()


def test_parameters_and_percent_signs_are_as_they_were(two):
    with tenant_context(two.acme):
        assert seen("SELECT %s, '100 %%'", ["50 %"]) == ("50 %", "100 %")
        assert seen("SELECT '100 %'") == ("100 %",)


def test_several_statements_in_one_call_give_all_their_results(two):
    with tenant_context(two.acme), connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2")
        assert (cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset()) == (
            [(1,)],
            True,
            [(2,)],
            None,
        )


def test_executemany(two):
    with tenant_context(two.acme), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE seen (n int, tenant text DEFAULT current_setting('tenantkit.tenant'))")
        cursor.executemany("INSERT INTO seen (n) VALUES (%s)", [[1], [2]])
        assert cursor.rowcount == 2
        cursor.execute("SELECT DISTINCT tenant FROM seen")
        assert cursor.fetchall() == [(told(two.acme),)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [True, False])
def test_copy_out(two, atomic):
    connection.ensure_connection()
    with (
        tenant_context(two.acme),
        transaction.atomic() if atomic else connection.cursor(),
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({SEEN}) TO STDOUT") as copy,
    ):
        rows = list(copy.rows())
    assert [row[0] for row in rows] == [told(two.acme)]


def test_copy_in(two):
    with tenant_context(two.acme), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE seen (n int, tenant text DEFAULT current_setting('tenantkit.tenant'))")
        with tenant_context(two.globex), cursor.copy("COPY seen (n) FROM STDIN") as copy:
            copy.write_row([1])
        cursor.execute("SELECT tenant FROM seen")
        assert cursor.fetchall() == [(told(two.globex),)]


@pytest.mark.django_db(transaction=True)
def test_rows_as_they_arrive(two):
    with tenant_context(two.acme), connection.cursor() as cursor:
        assert [row[0] for row in cursor.stream(SEEN)] == [told(two.acme)]


def test_callproc(two):
    with tenant_context(two.acme), connection.cursor() as cursor:
        cursor.callproc("current_setting", ["tenantkit.tenant"])
        assert cursor.fetchone() == (told(two.acme),)


def test_a_pipeline_of_the_applications_own(two):
    with tenant_context(two.acme), connection.cursor() as cursor, connection.connection.pipeline():
        cursor.execute(SEEN)
        first = cursor.fetchone()[0]
        with tenant_context(two.globex):
            cursor.execute(SEEN)
            assert (first, cursor.fetchone()[0]) == (told(two.acme), told(two.globex))


def test_the_rows_of_a_server_side_cursor_are_those_of_its_tenant(two):
    rows = "SELECT current_setting('tenantkit.tenant'), n FROM generate_series(1, %s) AS n"
    with tenant_context(two.acme):
        cursor = connection.chunked_cursor()
        cursor.execute(rows, [6])
        found = cursor.fetchmany(2)
    with tenant_context(two.globex):
        found += cursor.fetchmany(1)
        assert seen()[0] == told(two.globex)
        found += [cursor.fetchone()]
        cursor.scroll(1)
    found += cursor.fetchall()
    cursor.close()
    assert found == [(told(two.acme), n) for n in (1, 2, 3, 4, 6)]


def test_an_iterator_read_on_in_another_tenant_gives_no_rows_of_that(two):
    with tenant_context(two.acme):
        mine = set(Customer.objects.values_list("pk", flat=True))
        rows = Customer.objects.values_list("pk", flat=True).iterator(chunk_size=1)
        found = {next(rows)}
    with tenant_context(two.globex):
        found |= set(rows)
    assert found == mine


@pytest.mark.django_db(transaction=True)
def test_the_user_and_roles_ride_along(two):
    with tenant_context(two.acme, user=7, roles=["owner", "billing"]):
        assert seen(ACTOR) == ("7", "owner,billing")
        with tenant_context(two.globex):
            assert seen(ACTOR) == ("7", "")
        with tenant_context(two.acme):
            assert seen(ACTOR) == ("7", "owner,billing")
        with tenant_context(two.acme, user=8):
            assert seen(ACTOR) == ("8", "")
    assert seen(ACTOR) == ("", "")


class Undecided:
    """A guard whose user nobody looked at yet."""

    user, roles, settled = 7, ("owner",), False

    def __call__(self):
        raise AssertionError("the backend decided on a user")

    def is_settled(self):
        return self.settled

    def settle(self):
        """Nobody is known yet."""


def test_until_the_user_is_decided_on_statements_are_nobodys(two):
    guard = Undecided()
    with guarded_context(two.acme, guard):
        assert (seen()[0], seen(ACTOR)) == ("", ("", ""))
        guard.settled = True
        assert (seen()[0], seen(ACTOR)) == (told(two.acme), ("7", "owner"))


def region():
    return "eu'; SELECT 1 --\\"


def test_variables_of_the_adopters_own(two, settings):
    settings.TENANTKIT_SESSION_VARIABLES = {"app.region": f"{__name__}.region"}
    assert seen("SELECT current_setting('app.region')") == (region(),)


def asks():
    return seen("SELECT 1")


def test_a_variable_that_would_ask_the_database_is_refused(two, settings):
    settings.TENANTKIT_SESSION_VARIABLES = {"app.region": f"{__name__}.asks"}
    with pytest.raises(TenantkitError, match="TENANTKIT_SESSION_VARIABLES"):
        seen()
    settings.TENANTKIT_SESSION_VARIABLES = {}
    assert seen()[0] == ""


@pytest.mark.parametrize("value", ["it's", "back\\slash", "'; DROP TABLE x; --", "ünï", "a%sb", '"'])
def test_values_are_quoted_whatever_they_are(value):
    assert seen(f"SELECT {literal(value).replace('%', '%%')}", []) == (value,)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL standard_conforming_strings = off")
        cursor.execute(f"SELECT {literal(value)}")
        assert cursor.fetchone() == (value,)


def test_a_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        literal("a\0b")


def test_logs_show_one_entry_per_statement_and_no_prefix(two):
    with tenant_context(two.acme), CaptureQueriesContext(connection) as queries:
        list(Customer.objects.filter(name="x"))
    assert len(queries) == 1
    assert "set_config" not in queries.captured_queries[0]["sql"]


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT nonsense", 'column "nonsense" does not exist\nLINE 1: SELECT nonsense\n               ^'),
        ("SELECT 1 +\n  nonsense", 'column "nonsense" does not exist\nLINE 2:   nonsense\n          ^'),
        ("SELEC 1", 'syntax error at or near "SELEC"\nLINE 1: SELEC 1\n        ^'),
    ],
    ids=["first line", "second line", "syntax"],
)
def test_errors_are_those_of_the_statement(two, statement, shown):
    with tenant_context(two.acme), pytest.raises(DatabaseError) as error, transaction.atomic():
        seen(statement)
    assert str(error.value).strip() == shown


def test_a_missing_role_names_the_next_step(settings):
    settings.TENANTKIT_APPLICATION_ROLE = "nobody_at_all"
    connection_here = connection.copy()
    try:
        with pytest.raises(DatabaseError, match="setup_roles"), connection_here.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection_here.close()


@pytest.mark.django_db(transaction=True)
class TestServerBinding:
    """With OPTIONS = {"server_side_binding": True}."""

    @pytest.fixture(autouse=True)
    def _binding(self):
        connection.close()
        connection.settings_dict["OPTIONS"]["server_side_binding"] = True
        yield
        del connection.settings_dict["OPTIONS"]["server_side_binding"]
        connection.close()

    def test_a_statement(self, two, roles):
        with tenant_context(two.acme):
            assert seen(f"{SEEN}, %s::int", [3]) == (told(two.acme), roles.application, 3)

    def test_executemany(self, two):
        with tenant_context(two.acme), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE seen (n int, t text DEFAULT current_setting('tenantkit.tenant'))")
            cursor.executemany("INSERT INTO seen (n) VALUES (%s)", [[1], [2]])
            cursor.execute("SELECT n, t FROM seen")
            assert cursor.fetchall() == [(1, told(two.acme)), (2, told(two.acme))]

    def test_a_server_side_cursor(self, two):
        rows = "SELECT current_setting('tenantkit.tenant'), n FROM generate_series(1, %s::int) AS n"
        with transaction.atomic():
            with tenant_context(two.acme):
                cursor = connection.chunked_cursor()
                cursor.execute(rows, [3])
            with tenant_context(two.globex):
                assert seen()[0] == told(two.globex)
                assert cursor.fetchall() == [(told(two.acme), n) for n in (1, 2, 3)]
            cursor.close()


@pytest.mark.django_db(transaction=True)
class TestSystem:
    """`connection.as_system()`."""

    def test_it_acts_as_the_owner_without_context(self, two, roles):
        with tenant_context(two.acme), connection.as_system():
            assert seen("SELECT current_setting('tenantkit.tenant', true), current_user")[1] == roles.owner

    def test_the_applications_connection_is_back_afterwards(self, roles):
        before = seen("SELECT pg_backend_pid()")
        with connection.as_system(), connection.as_system():
            assert seen("SELECT pg_backend_pid()") != before
        assert seen("SELECT pg_backend_pid()") == before
        assert seen()[1] == roles.application

    def test_the_applications_connection_is_back_after_an_error(self, roles):
        with pytest.raises(ZeroDivisionError), connection.as_system():
            raise ZeroDivisionError
        assert seen()[1] == roles.application

    def test_it_is_refused_inside_a_transaction(self, roles):
        with transaction.atomic():
            with pytest.raises(TenantkitError, match="Do it outside of atomic"), connection.as_system():
                raise AssertionError("got in")
            assert seen()[1] == roles.application

    def test_other_threads_are_not_the_system(self, roles):
        found = []

        def look():
            found.append(seen()[1])
            connection.close()

        with connection.as_system():
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        assert found == [roles.application]


@pytest.mark.django_db(transaction=True)
class TestOperatorsLogin:
    """`unscoped()` where the web's login is no member of the operator's role."""

    @pytest.fixture(autouse=True)
    def _logins(self, settings):
        settings.TENANTKIT_WEB_MAY_OPERATE = False
        settings.TENANTKIT_OPERATOR_DATABASE = {"USER": connection.settings_dict["USER"]}
        yield
        connection.close()

    def test_it_has_a_connection_of_its_own(self, roles):
        before = seen("SELECT pg_backend_pid()")
        with unscoped(reason="test"):
            assert seen("SELECT pg_backend_pid()") != before
            assert seen()[1] == roles.operator
        assert seen("SELECT pg_backend_pid()") == before

    def test_it_is_kept_for_the_next_time(self):
        with unscoped(reason="test"):
            first = seen("SELECT pg_backend_pid()")
        seen()
        with unscoped(reason="test"):
            assert seen("SELECT pg_backend_pid()") == first

    def test_a_transaction_stays_with_the_login_that_began_it(self):
        with transaction.atomic(), unscoped(reason="test"), pytest.raises(TenantkitError, match="TENANTKIT_WEB_MAY"):
            seen()

    def test_a_transaction_of_the_operator(self, together):
        with over_rows(), transaction.atomic():
            count = Customer.objects.count()
        assert count > 0


@in_this_thread
async def test_async_code_is_told_apart(two):
    async def look(tenant):
        with tenant_context(tenant):
            return (await sync_to_async(seen)())[0]

    assert await asyncio.gather(look(two.acme), look(two.globex)) == [told(two.acme), told(two.globex)]
