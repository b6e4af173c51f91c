"""What `check_tenants` finds in the databases of tenants. Each fault is planted, found, and gone again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from django_tenantkit import tenant_context
from django_tenantkit.isolation.entries import database_name
from django_tenantkit.lifecycle.audit import databases
from django_tenantkit.lifecycle.audit.run import CHECKS, audit_database, chosen
from django_tenantkit.lifecycle.audit.tenants import audit_databases
from django_tenantkit.lifecycle.leaving import leave_place, return_place
from django_tenantkit.lifecycle.suspend import suspend
from django_tenantkit.models import Place
from django_tenantkit.sql.roles import roles_of
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import ISOLATION, WITH_DATABASES, as_admin
from tests.lifecycle.helpers import Ran
from tests.operating import operated
from tests.testapp.models import Customer, Plan, Tag

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ISOLATION not in WITH_DATABASES, reason="runs with TENANTKIT_TEST_ISOLATION=database"),
]


@pytest.fixture
def acme(db: None) -> Any:
    tenant = make_tenant("acme", isolation="database")
    with tenant_context(tenant):
        Customer.objects.create(name="first", plan=Plan.objects.create(name="gold"))
    return tenant


@pytest.fixture
def globex(db: None) -> Any:
    return make_tenant("globex", isolation="database")


def by_system(alias: str, *statements: str) -> None:
    with connections[alias].as_system(), connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def planted(alias: str, fault: str, undo: str) -> Iterator[None]:
    by_system(alias, fault)
    try:
        yield
    finally:
        by_system(alias, undo)


def found(*only: str) -> list[tuple[str, str, str]]:
    """The tenant, the id and the object of each finding."""
    findings = audit_databases(chosen(only)).findings
    return [(finding.tenant, finding.id, finding.object) for finding in findings]


def name_of(tenant: Any) -> str:
    return str(connections[tenant.home.database].settings_dict["NAME"])


def application() -> str:
    return roles_of(connections["default"].settings_dict).application


def test_databases_as_they_are_made_have_no_faults(acme: Any, globex: Any) -> None:
    with tenant_context(globex):
        Tag.objects.create(label="x")
    report = audit_databases(chosen())
    assert report.findings == ()
    assert report.looked_at == (f"{operated(Place.objects.filter(isolation='database').count)} databases of tenants",)
    assert audit_database("default", chosen()).findings == ()


NOTE = "rows.testapp_note"

#: What is planted, its undoing, and the findings: ids and objects, {db} for the database itself.
FAULTS: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "a tenant's table is gone": (
        f"ALTER TABLE {NOTE} RENAME TO gone",
        "ALTER TABLE rows.gone RENAME TO testapp_note",
        [
            ("table.missing", '"testapp_note"'),
            ("table.unknown", "rows.gone"),
            ("database.incomplete", "{db}"),
            ("database.extra", "{db}"),
        ],
    ),
    "a shared table is gone": (
        "ALTER TABLE testapp_region RENAME TO gone",
        "ALTER TABLE gone RENAME TO testapp_region",
        [
            ("database.incomplete", "{db}"),
            ("database.extra", "{db}"),
            ("database.differs", "rows.testapp_product_regions"),
        ],
    ),
    "a table too many": (
        "CREATE TABLE rows.legacy (label text)",
        "DROP TABLE rows.legacy",
        [("database.extra", "{db}")],
    ),
    "a table too many with tenants in it": (
        "CREATE TABLE rows.legacy (tenant_id bigint)",
        "DROP TABLE rows.legacy",
        [("table.unknown", "rows.legacy"), ("database.extra", "{db}")],
    ),
    "row-level security is off": (
        f"ALTER TABLE {NOTE} DISABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {NOTE} ENABLE ROW LEVEL SECURITY",
        [("rls.off", NOTE), ("database.differs", NOTE)],
    ),
    "it does not bind the owner": (
        f"ALTER TABLE {NOTE} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {NOTE} FORCE ROW LEVEL SECURITY",
        [("rls.unforced", NOTE), ("database.differs", NOTE)],
    ),
    "a policy for everybody": (
        f"CREATE POLICY open ON {NOTE} USING (true)",
        f"DROP POLICY open ON {NOTE}",
        [("policy.opening", f"open on {NOTE}"), ("database.differs", NOTE)],
    ),
    "a policy is gone": (
        f"ALTER POLICY tenantkit_rows ON {NOTE} RENAME TO another",
        f"ALTER POLICY another ON {NOTE} RENAME TO tenantkit_rows",
        [
            ("policy.missing", f"tenantkit_rows on {NOTE}"),
            ("policy.opening", f"another on {NOTE}"),
            ("database.differs", NOTE),
        ],
    ),
    "a trigger does not run": (
        f"ALTER TABLE {NOTE} DISABLE TRIGGER tenantkit_tenant",
        f"ALTER TABLE {NOTE} ENABLE TRIGGER tenantkit_tenant",
        [("trigger.disabled", f"tenantkit_tenant on {NOTE}"), ("database.differs", NOTE)],
    ),
    "a column too many": (
        f"ALTER TABLE {NOTE} ADD COLUMN more int",
        f"ALTER TABLE {NOTE} DROP COLUMN more",
        [("database.differs", NOTE)],
    ),
    "a column of copies too many": (
        "ALTER TABLE testapp_plan ADD COLUMN more int",
        "ALTER TABLE testapp_plan DROP COLUMN more",
        [("database.differs", "public.testapp_plan")],
    ),
    "an index too many": (
        f"CREATE INDEX more ON {NOTE} (text)",
        "DROP INDEX rows.more",
        [("index.without-tenant", "rows.more"), ("database.differs", NOTE)],
    ),
    "a reference to a shared row is gone": (
        "ALTER TABLE rows.testapp_customer RENAME COLUMN plan_id TO plan_key",
        "ALTER TABLE rows.testapp_customer RENAME COLUMN plan_key TO plan_id",
        [("database.differs", "rows.testapp_customer")],
    ),
    "everybody reads": (
        f"GRANT SELECT ON {NOTE} TO PUBLIC",
        f"REVOKE SELECT ON {NOTE} FROM PUBLIC",
        [("grant.public", NOTE), ("database.differs", NOTE)],
    ),
    "the application may empty a table": (
        f'GRANT TRUNCATE ON {NOTE} TO "{{app}}"',
        f'REVOKE TRUNCATE ON {NOTE} FROM "{{app}}"',
        [("grant.excessive", NOTE), ("database.differs", NOTE)],
    ),
    "the application lacks a right": (
        f'REVOKE UPDATE ON {NOTE} FROM "{{app}}"',
        f'GRANT UPDATE ON {NOTE} TO "{{app}}"',
        [("grant.missing", NOTE), ("database.differs", NOTE)],
    ),
    "the application makes tables": (
        'GRANT CREATE ON SCHEMA rows TO "{app}"',
        'REVOKE CREATE ON SCHEMA rows FROM "{app}"',
        [("grant.create", "rows")],
    ),
    "the application writes copies": (
        'GRANT UPDATE ON testapp_plan TO "{app}"',
        'REVOKE UPDATE ON testapp_plan FROM "{app}"',
        [("copy.writable", "public.testapp_plan")],
    ),
    "the application writes a column of copies": (
        'GRANT UPDATE (name) ON testapp_plan TO "{app}"',
        'REVOKE UPDATE (name) ON testapp_plan FROM "{app}"',
        [("copy.writable", "public.testapp_plan")],
    ),
    "everybody says which tables are copies": (
        "GRANT INSERT ON tenantkit.copied TO PUBLIC",
        "REVOKE INSERT ON tenantkit.copied FROM PUBLIC",
        [("copy.writable", "tenantkit.copied")],
    ),
    "a tenant's table takes copies": (
        "INSERT INTO tenantkit.copied VALUES ('testapp_customer')",
        "DELETE FROM tenantkit.copied WHERE name = 'testapp_customer'",
        [("copy.tables", "tenantkit.copied")],
    ),
    "the mark is another's": (
        "UPDATE tenantkit.home SET uid = reverse(uid)",
        "UPDATE tenantkit.home SET uid = reverse(uid)",
        [("database.foreign", "{db}")],
    ),
    "the mark is gone": (
        "ALTER TABLE tenantkit.home RENAME TO gone",
        "ALTER TABLE tenantkit.gone RENAME TO home",
        [("database.foreign", "{db}")],
    ),
    "a migration is on record that the place does not know": (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'x', now())",
        "DELETE FROM django_migrations WHERE app = 'x'",
        [("database.migrations", "public.django_migrations")],
    ),
    "a function of ours is another": (
        "ALTER FUNCTION tenantkit.dismiss(text, text, text[]) SECURITY INVOKER",
        "ALTER FUNCTION tenantkit.dismiss(text, text, text[]) SECURITY DEFINER",
        [("function.changed", "tenantkit.dismiss")],
    ),
    "a copy is not what it is a copy of": (
        "UPDATE testapp_plan SET name = 'platinum'",
        "UPDATE testapp_plan SET name = 'gold'",
        [("copy.stale", "public.testapp_plan")],
    ),
    "a content type too many": (
        "INSERT INTO django_content_type (id, app_label, model) VALUES (99999, 'x', 'x')",
        "DELETE FROM django_content_type WHERE id = 99999",
        [("copy.stale", "public.django_content_type")],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_one_of_them(acme: Any, globex: Any, name: str) -> None:
    fault, undo, expected = FAULTS[name]
    app = application()
    with planted(acme.home.database, fault.replace("{app}", app), undo.replace("{app}", app)):
        wanted = sorted(("acme", id_, about.replace("{db}", name_of(acme))) for id_, about in expected)
        assert sorted(found()) == wanted
    assert found() == []


def test_each_kind_of_finding_is_planted_here() -> None:
    own = {check.id for check in CHECKS if check.__module__ == databases.__name__}
    planted_here = {id_ for _, _, expected in FAULTS.values() for id_, _ in expected}
    elsewhere = {"database.unread", "database.unplaced", "database.unclaimed", "database.left-over", "database.rows"}
    assert own - planted_here == elsewhere


def test_rows_of_another_tenant(acme: Any, globex: Any) -> None:
    copy = "INSERT INTO django_tenantkit_tenant SELECT (jsonb_populate_record(t, jsonb_build_object('id', 99, 'uid', "
    copy += "gen_random_uuid(), 'slug', 'other'))).* FROM django_tenantkit_tenant AS t"
    by_system(acme.home.database, copy, "INSERT INTO rows.testapp_tag (tenant_id, label) VALUES (99, 'x')")
    assert found("database") == [("acme", "database.rows", name_of(acme))]


def test_rows_in_one_that_waits_for_a_tenant(acme: Any) -> None:
    free = operated(lambda: Place.objects.filter(state="ready", isolation="database").first().pk)
    by_system(
        "default", f"UPDATE django_tenantkit_place SET state = 'ready' WHERE uid = '{acme.uid}'", _isolated(acme, "row")
    )
    assert free != acme.uid
    assert ("database.rows", name_of(acme)) in [(id_, about) for _, id_, about in found("database")]


def test_rows_left_behind_in_the_main_database(acme: Any) -> None:
    insert = f"INSERT INTO rows.testapp_tag (tenant_id, label) VALUES ({acme.pk}, 'x')"
    with planted("default", insert, "DELETE FROM rows.testapp_tag"):
        findings = audit_database("default", chosen(["home"])).findings
        assert [(finding.id, finding.object) for finding in findings] == [("home.foreign", "rows")]


class TestNotThere:
    def test_one_that_cannot_be_reached_names_its_tenant_and_stops_nothing(self, acme: Any, globex: Any) -> None:
        connections[acme.home.database].close()
        with as_admin() as admin:
            admin.execute(f'ALTER DATABASE "{name_of(acme)}" RENAME TO "{name_of(acme)[:50]}"')
            try:
                with planted(globex.home.database, "CREATE TABLE rows.legacy (x int)", "DROP TABLE rows.legacy"):
                    findings = audit_databases(chosen()).findings
            finally:
                admin.execute(f'ALTER DATABASE "{name_of(acme)[:50]}" RENAME TO "{name_of(acme)}"')
        unread, extra = findings
        assert (unread.id, unread.tenant, extra.id, extra.tenant) == (
            "database.unread",
            "acme",
            "database.extra",
            "globex",
        )
        assert unread.fact.startswith("In the database of the tenant acme: It could not be looked at: ")
        assert f'database "{name_of(acme)}" does not exist' in unread.fact

    def test_one_that_its_tenant_has_left_is_not_looked_at(self, acme: Any) -> None:
        suspend(acme)
        leave_place(acme)
        try:
            assert found() == []
            assert audit_database("default", chosen()).findings == ()
        finally:
            return_place(acme)


class TestPlaces:
    """What the main database says of them."""

    def test_a_place_without_a_tenant(self, acme: Any) -> None:
        by_system("default", _isolated(acme, "row"))
        assert self.found("database") == [("database.unclaimed", acme.uid.hex)]

    def test_a_tenant_without_a_place(self, acme: Any) -> None:
        gone, taken = (
            f"UPDATE django_tenantkit_place SET state = '{state}' WHERE uid = '{acme.uid}'"
            for state in ("gone", "taken")
        )
        with planted("default", gone, taken):
            assert self.found("database.unplaced") == [("database.unplaced", acme.uid.hex)]

    def test_a_database_that_is_nobodys(self, acme: Any) -> None:
        name = database_name(connections["default"].settings_dict["NAME"], type(acme.uid)(int=5))
        with as_admin() as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
            try:
                assert self.found("database") == [("database.left-over", name)]
            finally:
                admin.execute(f'DROP DATABASE "{name}"')

    def test_everybody_writes_what_is_copied_where(self, acme: Any) -> None:
        with planted(
            "default", "GRANT UPDATE ON tenantkit.copies TO PUBLIC", "REVOKE UPDATE ON tenantkit.copies FROM PUBLIC"
        ):
            assert self.found("copy") == [("copy.writable", "tenantkit.copies")]

    def found(self, *only: str) -> list[tuple[str, str]]:
        return [(finding.id, finding.object) for finding in audit_database("default", chosen(only)).findings]


def _isolated(tenant: Any, isolation: str) -> str:
    return f"UPDATE django_tenantkit_tenant SET isolation = '{isolation}' WHERE id = {tenant.pk}"


#: What `migrate_tenants --guard` puts right.
REPAIRED = (
    "a function of ours is another",
    "the application writes copies",
    "a tenant's table takes copies",
    "a migration is on record that the place does not know",
)


class TestCommand:
    def test_it_looks_into_the_main_database_and_all_others(self, acme: Any) -> None:
        with planted(acme.home.database, f"ALTER TABLE {NOTE} DISABLE ROW LEVEL SECURITY", _ENABLE):
            ran = Ran("check_tenants", "--only", "rls")
            assert ran.code == 1
            assert "ERROR rls.off: In the database of the tenant acme: " in ran.out
            assert "databases of tenants." in ran.out
            assert Ran("check_tenants", "--only", "rls", "--no-databases").code == 0

    def test_only_those_of_some_tenants(self, acme: Any, globex: Any) -> None:
        with planted(acme.home.database, f"ALTER TABLE {NOTE} DISABLE ROW LEVEL SECURITY", _ENABLE):
            assert Ran("check_tenants", "--tenant", "globex").code == 0
            ran = Ran("check_tenants", "--tenant", "acme", "--format", "json")
            found = json.loads(ran.out)
            assert found["looked_at"] == ["1 databases of tenants"]
            assert {finding["tenant"] for finding in found["findings"]} == {"acme"}

    def test_an_unknown_tenant_is_named(self, db: None) -> None:
        ran = Ran("check_tenants", "--tenant", "nobody")
        assert (ran.code, "There is no tenant 'nobody'" in ran.complaint) == (2, True)

    @pytest.mark.parametrize("name", REPAIRED)
    def test_the_guard_is_made_whole_by_one_command(self, acme: Any, name: str) -> None:
        app = application()
        fault, undo, _ = FAULTS[name]
        by_system(acme.home.database, fault.replace("{app}", app))
        try:
            assert Ran("migrate_tenants", "--tenant", "acme", "--guard").out == "Guarded 1 databases.\n"
            assert found() == []
        finally:
            by_system(acme.home.database, undo.replace("{app}", app))
            Ran("migrate_tenants", "--tenant", "acme", "--guard")

    def test_which_a_finding_names(self, acme: Any) -> None:
        fault, undo, _ = FAULTS["a function of ours is another"]
        with planted(acme.home.database, fault, undo):
            findings = audit_databases(chosen()).findings
        assert [finding.cure for finding in findings] == ["manage.py migrate_tenants --tenant acme --guard"]


_ENABLE = f"ALTER TABLE {NOTE} ENABLE ROW LEVEL SECURITY"
