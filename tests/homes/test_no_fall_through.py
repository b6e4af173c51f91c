"""Whatever is wrong with a home is an error: no statement goes on to another one, however it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, ProgrammingError, connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.backends.postgresql.session import Session
from django_tenantkit.exceptions import HomeMissing, TenantkitError
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.sql.roles import roles_of
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, as_admin
from tests.homes.planting import by_system, planted
from tests.testapp.models import Note, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]

LABELS = "SELECT label FROM testapp_tag"


class Tenants:
    """One in a schema and one in the tables that row tenants share, with a row each."""

    def __init__(self) -> None:
        self.apart, self.shared = make_tenant("apart", isolation="schema"), make_tenant("shared")
        self.schema = schema_name(self.apart.uid)
        for tenant in (self.apart, self.shared):
            with tenant_context(tenant):
                Tag.objects.create(label=tenant.slug)


@pytest.fixture
def tenants() -> Tenants:
    return Tenants()


def executed() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(LABELS)
        return cursor.fetchall()


def with_parameters() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"{LABELS} WHERE label <> %s", ["x"])
        return cursor.fetchall()


def by_a_server_side_cursor() -> list[Any]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(LABELS)
        return cursor.fetchmany(1) + cursor.fetchall()


def by_an_iterator() -> list[Any]:
    return [(tag.label,) for tag in Tag.objects.iterator(chunk_size=1)]


def by_executemany() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE testapp_tag SET label = label WHERE label <> %s", [["x"], ["y"]])
    return executed()


def by_copy() -> list[Any]:
    with connection.cursor() as cursor, cursor.copy(f"COPY ({LABELS}) TO STDOUT") as copy:
        return list(copy.rows())


def by_stream() -> list[Any]:
    with connection.cursor() as cursor:
        return list(cursor.stream(LABELS))


def in_a_pipeline() -> list[Any]:
    connection.ensure_connection()
    with connection.connection.pipeline(), connection.cursor() as cursor:
        cursor.execute(LABELS)
        return cursor.fetchall()


WAYS = [
    executed,
    with_parameters,
    by_a_server_side_cursor,
    by_an_iterator,
    by_executemany,
    by_copy,
    by_stream,
    in_a_pipeline,
]

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@pytest.fixture(params=[False, True], ids=["bound by the client", "bound by the server"])
def bound_by_the_server(request: pytest.FixtureRequest) -> Iterator[None]:
    options = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.settings_dict["OPTIONS"] = {**options, "server_side_binding": request.param}
    yield
    connection.close()
    connection.settings_dict["OPTIONS"] = options


@every_way
def test_each_tenant_reads_at_home(tenants: Tenants, bound_by_the_server: None, way: Callable[[], list[Any]]) -> None:
    for tenant in (tenants.apart, tenants.shared, tenants.apart):
        with tenant_context(tenant):
            assert way() == [(tenant.slug,)]


@every_way
def test_a_missing_schema_is_told_however_a_statement_is_sent(
    tenants: Tenants, bound_by_the_server: None, way: Callable[[], list[Any]]
) -> None:
    # What is sent in a pipeline of the adopter's fails where they read it, in PostgreSQL's words.
    told, message = (HomeMissing, "of the tenant 'apart' is not there")
    if way is in_a_pipeline:
        told, message = (DatabaseError, f'"{tenants.schema}" does not exist')
    with (
        planted(f"ALTER SCHEMA {tenants.schema} RENAME TO t_gone", f"ALTER SCHEMA t_gone RENAME TO {tenants.schema}"),
        tenant_context(tenants.apart),
        pytest.raises(told, match=message),
    ):
        way()
    with tenant_context(tenants.shared):
        assert way() == [("shared",)]


@every_way
def test_a_missing_table_is_an_error(tenants: Tenants, way: Callable[[], list[Any]]) -> None:
    with (
        planted(
            f"ALTER TABLE {tenants.schema}.testapp_tag RENAME TO gone",
            f"ALTER TABLE {tenants.schema}.gone RENAME TO testapp_tag",
        ),
        tenant_context(tenants.apart),
        pytest.raises((DatabaseError, psycopg.Error), match='relation "testapp_tag" does not exist'),
    ):
        way()


def test_nothing_is_written_elsewhere(tenants: Tenants) -> None:
    table = f"{tenants.schema}.testapp_tag"
    with (
        planted(f"ALTER TABLE {table} RENAME TO gone", f"ALTER TABLE {tenants.schema}.gone RENAME TO testapp_tag"),
        tenant_context(tenants.apart),
        pytest.raises(ProgrammingError),
    ):
        Tag.objects.create(label="lost")
    with tenant_context(tenants.shared):
        assert executed() == [("shared",)]


def test_a_table_of_that_name_in_public_is_not_taken_for_it(tenants: Tenants) -> None:
    """An adopter's leftover stands behind the home's own, and what it is granted is up to its owner."""
    with planted("CREATE TABLE public.testapp_note (id int, text text)", "DROP TABLE public.testapp_note"):
        for tenant in (tenants.apart, tenants.shared):
            with tenant_context(tenant):
                Note.objects.create(subject=Tag.objects.get(), text="mine")
                assert Note.objects.get().text == "mine"


def test_migrate_does_not_go_on_beside_such_a_table(tenants: Tenants) -> None:
    with (
        planted("CREATE TABLE public.testapp_note (id int)", "DROP TABLE public.testapp_note"),
        pytest.raises(TenantkitError, match=r"public\.testapp_note beside rows\.testapp_note"),
    ):
        call_command("migrate", verbosity=0)


@pytest.mark.parametrize("path", ["rows", "public", "nowhere"])
def test_the_path_of_the_login_does_not_count(tenants: Tenants, path: str) -> None:
    alter = f'ALTER ROLE "{connection.settings_dict["USER"]}" IN DATABASE "{connection.settings_dict["NAME"]}"'
    with as_admin() as admin:
        admin.execute(f"{alter} SET search_path = {path}")
        try:
            connection.close()
            for tenant in (tenants.apart, tenants.shared):
                with tenant_context(tenant):
                    assert executed() == [(tenant.slug,)]
        finally:
            admin.execute(f"{alter} RESET search_path")
            connection.close()


@contextmanager
def by_options(path: str) -> Iterator[None]:
    options = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**options, "options": f"-c search_path={path}"}
    try:
        yield
    finally:
        connection.settings_dict["OPTIONS"] = options


def test_nor_does_that_of_options(tenants: Tenants) -> None:
    with by_options(tenants.schema):
        connection.close()
        with tenant_context(tenants.shared):
            assert executed() == [("shared",)]
    connection.close()


def test_what_is_in_other_schemas_is_found_by_its_full_name_alone(tenants: Tenants) -> None:
    """Such as a schema for extensions: the path has none but the home and `public`."""
    role = roles_of(connection.settings_dict).application
    by_system("CREATE SCHEMA more", "CREATE TABLE more.thing (id int)")
    try:
        by_system(f'GRANT USAGE ON SCHEMA more TO "{role}"', f'GRANT SELECT ON more.thing TO "{role}"')
        with tenant_context(tenants.apart), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM more.thing")
            with pytest.raises(ProgrammingError, match='relation "thing" does not exist'):
                cursor.execute("SELECT * FROM thing")
    finally:
        by_system("DROP SCHEMA more CASCADE")


def test_a_temporary_table_that_was_left_stands_in_front_of_none(tenants: Tenants) -> None:
    with tenant_context(tenants.apart), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE testapp_tag AS SELECT * FROM testapp_tag")
    try:
        with tenant_context(tenants.shared):
            assert executed() == [("shared",)]
    finally:
        connection.close()


HOSTILE = ['we"ird', "o'neil", 'x"; DROP SCHEMA rows; --', "Ümläut, public", "back\\slash"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_schema_of_row_tenants_may_have_any_name(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    role = roles_of(connection.settings_dict).application
    by_system(f"CREATE SCHEMA {quoted}", f'GRANT USAGE ON SCHEMA {quoted} TO "{role}"')
    try:
        prefix = Session(roles_of(connection.settings_dict), name).prefix().decode()
        with connection.as_system(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(prefix)
            cursor.execute("SELECT current_schemas(false)")
            assert cursor.fetchone() == ([name, "public"],)
    finally:
        by_system(f"DROP SCHEMA {quoted}")
