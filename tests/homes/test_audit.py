"""What `check_tenants` finds of the homes of schema tenants. Each fault is planted, found, and gone again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from django_tenantkit import tenant_context
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.audit.homes_evidence import Home, Homes
from django_tenantkit.lifecycle.audit.run import audit_database, chosen
from django_tenantkit.lifecycle.fence import fence, unfence
from django_tenantkit.lifecycle.places import has_ready_place, make_place
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Place
from django_tenantkit.sql.roles import roles_of
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION
from tests.homes.planting import by_system, planted
from tests.operating import operated
from tests.testapp.models import Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]


NOBODYS = Home(f"t_{'f' * 32}", None, None, None, False, True, True)


def found(*only: str) -> list[tuple[str, str]]:
    return [(finding.id, finding.object) for finding in audit_database("default", chosen(only)).findings]


@pytest.fixture
def schema(acme: Any) -> str:
    return schema_name(acme.uid)


def test_homes_as_they_are_made_have_no_faults(acme: Any) -> None:
    with tenant_context(acme):
        Tag.objects.create(label="x")
    assert found() == []


def test_a_table_that_asks_for_a_signature_which_nobody_gives(schema: str) -> None:
    table, role = f"{schema}.django_migrations", roles_of(connection.settings_dict).application
    signed = f'CREATE POLICY tenantkit_signed ON {table} AS RESTRICTIVE TO "{role}" USING (true)'
    with planted(signed, f"DROP POLICY tenantkit_signed ON {table}"):
        assert found("signing") == [("signing.unasked", table)]
    assert found("signing") == []


def test_a_schema_that_is_gone(schema: str) -> None:
    gone = "t_gone"
    with planted(f"ALTER SCHEMA {schema} RENAME TO {gone}", f"ALTER SCHEMA {gone} RENAME TO {schema}"):
        assert ("home.missing", schema) in found("home")


def test_a_table_that_is_gone(schema: str) -> None:
    table = f"{schema}.testapp_note"
    with planted(f"ALTER TABLE {table} SET SCHEMA public", f"ALTER TABLE public.testapp_note SET SCHEMA {schema}"):
        assert found("home") == [("home.incomplete", schema), ("home.behind", "public.testapp_note")]


def test_a_table_too_many(schema: str) -> None:
    with planted(f"CREATE TABLE {schema}.legacy (tenant_id bigint)", f"DROP TABLE {schema}.legacy"):
        assert found("home", "table") == [("home.extra", schema)]


@pytest.mark.parametrize(
    ("fault", "undo"),
    [
        ("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", "ALTER TABLE {} FORCE ROW LEVEL SECURITY"),
        ("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", "ALTER TABLE {} ENABLE ROW LEVEL SECURITY"),
        ("CREATE POLICY open ON {} USING (true)", "DROP POLICY open ON {}"),
        ("ALTER TABLE {} ADD COLUMN more int", "ALTER TABLE {} DROP COLUMN more"),
        ("ALTER TABLE {} ADD CONSTRAINT more CHECK (true)", "ALTER TABLE {} DROP CONSTRAINT more"),
        ("ALTER TABLE {} DISABLE TRIGGER tenantkit_tenant", "ALTER TABLE {} ENABLE TRIGGER tenantkit_tenant"),
        ("GRANT SELECT ON {} TO PUBLIC", "REVOKE SELECT ON {} FROM PUBLIC"),
    ],
    ids=lambda text: text.replace("{} ", ""),
)
def test_a_table_that_is_not_like_the_others(schema: str, fault: str, undo: str) -> None:
    table = f"{schema}.testapp_note"
    with planted(fault.format(table), undo.format(table)):
        assert found("home") == [("home.differs", table)]
    assert found("home") == []


def test_a_table_behind_those_of_tenants(schema: str) -> None:
    with planted("CREATE TABLE public.testapp_note (id int)", "DROP TABLE public.testapp_note"):
        assert found("home") == [("home.behind", "public.testapp_note")]


def test_an_index_too_many(schema: str) -> None:
    with planted(f"CREATE INDEX more ON {schema}.testapp_note (text)", f"DROP INDEX {schema}.more"):
        assert found("home") == [("home.differs", f"{schema}.testapp_note")]


def test_a_schema_that_everybody_may_use(schema: str) -> None:
    with planted(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC", f"REVOKE USAGE ON SCHEMA {schema} FROM PUBLIC"):
        assert found("home") == [("home.open", schema)]


def test_a_schema_that_the_application_may_not_use(schema: str) -> None:
    role = roles_of(connection.settings_dict).application
    with planted(f'REVOKE USAGE ON SCHEMA {schema} FROM "{role}"', f'GRANT USAGE ON SCHEMA {schema} TO "{role}"'):
        assert found("home") == [("home.shut", schema)]


def test_a_schema_in_which_the_application_may_make_tables(schema: str) -> None:
    role = roles_of(connection.settings_dict).application
    with planted(f'GRANT CREATE ON SCHEMA {schema} TO "{role}"', f'REVOKE CREATE ON SCHEMA {schema} FROM "{role}"'):
        assert found("grant.create") == [("grant.create", schema)]


def test_rows_of_another_tenant(schema: str) -> None:
    other = make_tenant("other")
    insert = f"INSERT INTO {schema}.testapp_tag (tenant_id, label) VALUES ({other.pk}, 'x')"
    with planted(insert, f"DELETE FROM {schema}.testapp_tag"):
        assert found("home") == [("home.foreign", schema)]


def test_rows_in_a_place_that_is_free(acme: Any) -> None:
    if not has_ready_place("schema"):  # others took them all
        operated(make_place, "schema")
    ready = Place.objects.filter(isolation="schema", database="", state="ready")
    free = schema_name(operated(ready.first).pk)
    insert = f"INSERT INTO {free}.testapp_tag (tenant_id, label) VALUES ({acme.pk}, 'x')"
    with planted(insert, f"DELETE FROM {free}.testapp_tag"):
        assert found("home") == [("home.foreign", free)]


def test_rows_left_behind_among_those_of_row_tenants(acme: Any) -> None:
    insert = f"INSERT INTO rows.testapp_tag (tenant_id, label) VALUES ({acme.pk}, 'x')"
    with planted(insert, "DELETE FROM rows.testapp_tag"):
        assert found("home") == [("home.foreign", "rows")]


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE {} SET name = 'another'",
        "DELETE FROM {}",
        "INSERT INTO {} (id, name) VALUES (gen_random_uuid(), 'more')",
    ],
)
def test_rows_of_nobody_that_are_not_what_was_written(schema: str, fault: str) -> None:
    table = f"{schema}.presets_rate"
    by_system("INSERT INTO rows.presets_rate (id, name) VALUES (gen_random_uuid(), 'full')")
    assert found("home") == []
    with planted(fault.format(table), f"SELECT tenantkit.fill_common('{schema}')"):
        assert found("home") == [("home.stale", schema)]
    assert found("home") == []


def test_a_place_without_a_tenant(acme: Any, schema: str) -> None:
    by_system(f"UPDATE public.django_tenantkit_tenant SET isolation = 'row' WHERE id = {acme.pk}")
    assert found("home") == [("home.unclaimed", schema)]


def test_a_tenant_without_a_place(acme: Any, schema: str) -> None:
    with planted(
        f"UPDATE public.django_tenantkit_place SET state = 'gone' WHERE uid = '{acme.uid}'",
        f"UPDATE public.django_tenantkit_place SET state = 'taken' WHERE uid = '{acme.uid}'",
    ):
        assert found("home") == [("home.unplaced", schema)]


def test_a_schema_that_is_nobodys() -> None:
    name = NOBODYS.schema
    with planted(f"CREATE SCHEMA {name}", f"DROP SCHEMA {name}"):
        assert found("home") == [("home.left-over", name)]


def test_the_catalog_is_asked_for_all_homes_together() -> None:
    class Reader:
        asked = 0

        def rows(self, *args: Any) -> list[Any]:
            Reader.asked += 1
            return []

    class Evidence:
        reader = Reader()

    homes = Homes(Evidence())
    homes.all = [NOBODYS]
    assert (homes.shared, homes.relations(NOBODYS), Reader.asked) == ({}, {}, 1)


@pytest.mark.parametrize("closed", [False, True])
def test_a_fence_that_nothing_explains(acme: Any, schema: str, closed: bool) -> None:
    shared = make_tenant("shared", isolation="row")
    for tenant, home in ((acme, schema), (shared, "rows")):
        fence(tenant, closed=closed)
        try:
            assert ("fence.left", f"tenantkit_fence_{tenant.pk} on {home}.testapp_tag") in found()
            assert {name for name, _ in found()} == {"fence.left"}
            operated(suspend, tenant)
            assert found() == []
        finally:
            unfence(tenant)
