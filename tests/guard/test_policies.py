"""What policies let through: as the roles themselves, with nothing of ours in front."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.test import override_settings

from django_tenantkit.conf import conf
from django_tenantkit.constraints import GlobalRows, RoleRows, TenantPolicy, UserRows
from django_tenantkit.exceptions import TenantkitError
from django_tenantkit.fields import TenantField
from django_tenantkit.policies import prepare
from django_tenantkit.sql.roles import roles_of
from tests.guard.migrating import Project, Version, acting, by_system, catalog, key_of, policies, rows, superuser

ALL = "SELECT name FROM guarded_note"


class Notes:
    """A table of notes, two of acme and one of globex, under a policy."""

    def __init__(self, project: Project, *constraints: TenantPolicy, **fields: Any) -> None:
        self.project = project
        project.migrate(notes(*constraints, **fields))
        self.acme, self.globex = key_of("acme"), key_of("globex")
        for tenant, name in ((self.acme, "a1"), (self.acme, "a2"), (self.globex, "g1")):
            self.add("owner", tenant, name)

    def add(self, role: str, owner: Any, name: str, **context: Any) -> None:
        """A row of the tenant `owner`, and of the user whose number the name ends with."""
        with acting(role, **context) as session:
            insert = "INSERT INTO guarded_note (id, tenant_id, name, author_id) VALUES (gen_random_uuid(), %s, %s, %s)"
            session.execute(insert, [owner, name, int(name[-1])])

    def change(self, role: str, statement: str, tenant: Any = "", **context: Any) -> int:
        with acting(role, tenant, **context) as session:
            return session.execute(statement).rowcount


def notes(*constraints: TenantPolicy, **fields: Any) -> Version:
    version = Version()
    user = models.ForeignKey("auth.User", models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    fields = {"name": models.CharField(max_length=20), "author": user, **fields}
    version.model("Note", meta={"constraints": constraints}, **fields)
    return version


@pytest.fixture
def guarded_notes(project: Project) -> Notes:
    return Notes(project)


def test_the_application_reads_the_rows_of_its_tenant(guarded_notes: Notes) -> None:
    assert rows("application", ALL, guarded_notes.acme) == ["a1", "a2"]
    assert rows("application", ALL, guarded_notes.globex) == ["g1"]


def test_with_no_tenant_it_reads_nothing(guarded_notes: Notes) -> None:
    assert rows("application", ALL) == []


def test_with_no_tenant_it_writes_nothing(guarded_notes: Notes) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        guarded_notes.add("application", guarded_notes.acme, "x3")
    assert guarded_notes.change("application", "DELETE FROM guarded_note") == 0


def test_it_adds_no_row_to_another_tenant(guarded_notes: Notes) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        guarded_notes.add("application", guarded_notes.globex, "x3", tenant=guarded_notes.acme)


def test_it_changes_and_deletes_the_rows_of_its_tenant_only(guarded_notes: Notes) -> None:
    assert guarded_notes.change("application", "UPDATE guarded_note SET name = 'x'", guarded_notes.acme) == 2
    assert guarded_notes.change("application", "DELETE FROM guarded_note", guarded_notes.acme) == 2
    assert rows("owner", ALL) == ["g1"]


def test_operators_reach_the_rows_of_all_tenants(guarded_notes: Notes) -> None:
    assert rows("operator", ALL) == ["a1", "a2", "g1"]
    assert guarded_notes.change("operator", "UPDATE guarded_note SET name = 'x'") == 3


@pytest.mark.parametrize("role", ["application", "operator", "owner"])
def test_no_rows_tenant_changes(guarded_notes: Notes, role: str) -> None:
    move = f"UPDATE guarded_note SET tenant_id = {guarded_notes.globex} WHERE name = 'a1'"
    with pytest.raises(psycopg.errors.IntegrityError, match="never changes"):
        guarded_notes.change(role, move, guarded_notes.acme)


def test_a_row_may_be_written_with_the_tenant_that_it_has(guarded_notes: Notes) -> None:
    same = f"UPDATE guarded_note SET tenant_id = {guarded_notes.acme}, name = 'x' WHERE name = 'a1'"
    assert guarded_notes.change("application", same, guarded_notes.acme) == 1


def test_an_upsert_does_not_take_a_row_over(guarded_notes: Notes) -> None:
    (key,) = rows("owner", "SELECT id FROM guarded_note WHERE name = 'g1'")
    upsert = f"""INSERT INTO guarded_note (id, tenant_id, name) VALUES ('{key}', {guarded_notes.acme}, 'mine')
        ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, tenant_id = EXCLUDED.tenant_id"""
    with pytest.raises(psycopg.Error):
        guarded_notes.change("application", upsert, guarded_notes.acme)
    assert rows("owner", ALL) == ["a1", "a2", "g1"]


def test_a_policy_that_somebody_adds_opens_nothing(guarded_notes: Notes) -> None:
    with superuser() as admin:
        admin.execute("CREATE POLICY mistake ON guarded_note USING (true)")
    assert rows("application", ALL, guarded_notes.acme) == ["a1", "a2"]


def test_a_member_of_the_operators_role_sees_nothing_by_inheriting_from_it(guarded_notes: Notes) -> None:
    operator = roles_of(connection.settings_dict).operator
    with a_role("member", "INHERIT") as name, superuser() as admin:
        admin.execute(f'GRANT "{operator}" TO "{name}"; SET ROLE "{name}"')
        assert admin.execute(ALL).fetchall() == []
        admin.execute(f'SET ROLE "{operator}"')
        assert len(admin.execute(ALL).fetchall()) == 3


def test_another_role_sees_nothing_whatever_it_is_granted(guarded_notes: Notes) -> None:
    with a_role("stranger") as name, superuser() as admin:
        home = conf.ROW_SCHEMA or "public"
        admin.execute(f'GRANT USAGE ON SCHEMA "{home}" TO "{name}"; GRANT ALL ON guarded_note TO "{name}"')
        admin.execute(f'SET ROLE "{name}"')
        admin.execute("SELECT set_config('tenantkit.tenant', %s, false)", [str(guarded_notes.acme)])
        assert admin.execute(ALL).fetchall() == []


def plan_of(query: str, tenant: Any) -> str:
    with acting("application", tenant) as session:
        session.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        return "\n".join(line for (line,) in session.execute(f"EXPLAIN {query}").fetchall())


def test_the_condition_finds_rows_by_an_index(guarded_notes: Notes) -> None:
    plan = plan_of(ALL, guarded_notes.acme)
    assert "Index Cond: (tenant_id = (NULLIF(current_setting(" in plan
    assert "SubPlan" not in plan
    assert "InitPlan" not in plan


def test_both_policies_count_as_one_condition(guarded_notes: Notes) -> None:
    """Twice the same would make the planner expect the square of the fraction of rows."""
    assert plan_of(ALL, guarded_notes.acme).count("tenantkit.tenant") == 1


def test_the_key_takes_the_place_of_an_index_on_the_tenant(guarded_notes: Notes) -> None:
    indexes = [row for row in catalog()["indexes"] if "USING btree (tenant_id" in row]
    assert len(indexes) == 2
    assert any("guarded_note_tenant_key" in row for row in indexes)
    assert any("(tenant_id, author_id)" in row for row in indexes)


# Roles


def test_roles_are_named_by_the_settings_when_the_migration_runs(project: Project) -> None:
    (migration,) = project.changes(notes())
    with a_role("other") as other:
        with override_settings(TENANTKIT_APPLICATION_ROLE=other):
            project.operate(*migration.operations)
        assert policies("guarded_note")["tenantkit_rows"][0] == other
        assert policies("guarded_note")["tenantkit_limit"][0] == other


def test_a_role_that_is_missing_is_named_with_the_next_step(project: Project) -> None:
    (migration,) = project.changes(notes())
    with (
        override_settings(TENANTKIT_OPERATOR_ROLE="nobody_knows_it"),
        pytest.raises(TenantkitError, match=r"no roles nobody_knows_it .*manage\.py setup_roles"),
    ):
        project.operate(*migration.operations)
    assert catalog()["columns"] == []


@contextmanager
def a_role(name: str, attributes: str = "") -> Iterator[str]:
    """A role for the length of a `with`. Roles are global to the server, so its name contains the run's."""
    name = f"{roles_of(connection.settings_dict).system}_{name}"
    with superuser() as admin:
        admin.execute(f'CREATE ROLE "{name}" {attributes}')
        try:
            yield name
        finally:
            admin.execute(f'DROP OWNED BY "{name}" CASCADE; DROP ROLE "{name}"')


def test_the_owner_sees_all_rows_though_policies_bind_it(project: Project) -> None:
    """As where who set the roles up was no superuser, and could not give it BYPASSRLS."""
    (migration,) = project.changes(notes())
    with a_role("bound", "NOBYPASSRLS") as owner, superuser() as admin:
        with connection.schema_editor() as editor, override_settings(TENANTKIT_OWNER_ROLE=owner):
            migration.apply(project.state.clone(), editor)
        acme = key_of("acme")
        admin.execute("INSERT INTO guarded_note (id, tenant_id, name) VALUES (gen_random_uuid(), %s, 'a')", [acme])
        home = conf.ROW_SCHEMA or "public"
        admin.execute(f'GRANT USAGE ON SCHEMA "{home}" TO "{owner}"; GRANT SELECT ON guarded_note TO "{owner}"')
        admin.execute(f'SET ROLE "{owner}"')
        assert admin.execute(ALL).fetchall() == [("a",)]
        admin.execute("RESET ROLE")


def test_a_role_that_is_missing_is_made_by_who_may(project: Project) -> None:
    missing = f"{roles_of(connection.settings_dict).operator}_made"
    with superuser() as admin, override_settings(TENANTKIT_OPERATOR_ROLE=missing):
        login = SimpleNamespace(
            settings_dict=connection.settings_dict, alias="x", ops=connection.ops, cursor=admin.cursor
        )
        try:
            prepare(login, admin.execute)
            found = admin.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [missing]).fetchone()
            assert found == (False,)
        finally:
            admin.execute(f'DROP ROLE IF EXISTS "{missing}"')


def test_tables_made_by_hand_get_what_their_triggers_call(project: Project) -> None:
    with superuser() as admin:
        admin.execute("ALTER SCHEMA tenantkit RENAME TO put_aside")
    try:
        project.migrate(notes())
        with superuser() as admin:
            assert admin.execute("SELECT to_regproc('tenantkit.refuse_tenant_change') IS NOT NULL").fetchone() == (
                True,
            )
    finally:
        project.drop()
        with superuser() as admin:
            admin.execute("DROP SCHEMA tenantkit CASCADE; ALTER SCHEMA put_aside RENAME TO tenantkit")


# Presets


def test_a_declared_policy_takes_the_place_of_the_usual_one(project: Project) -> None:
    version = notes(UserRows(user="author"))
    assert [type(found) for found in version.models[0]._meta.constraints] == [UserRows]
    written = project.migrate(version)
    assert "django_tenantkit.constraints.UserRows(" in written
    assert "TenantPolicy" not in written


def test_rows_of_a_user_are_nobody_elses(project: Project) -> None:
    notes = Notes(project, UserRows(user="author"))
    assert rows("application", ALL, notes.acme, user=1) == ["a1"]
    assert rows("application", ALL, notes.acme) == []
    assert notes.change("application", "UPDATE guarded_note SET name = 'x'", notes.acme, user=2) == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        notes.add("application", notes.acme, "x2", tenant=notes.acme, user=1)
    assert rows("operator", ALL) == ["a1", "g1", "x"]


def test_a_users_rows_in_another_tenant_stay_there(project: Project) -> None:
    notes = Notes(project, UserRows(user="author"))
    assert rows("application", ALL, notes.globex, user=1) == ["g1"]


def test_roles_that_see_all_rows_of_users(project: Project) -> None:
    notes = Notes(project, UserRows(user="author", roles=["admin", "auditor"]))
    assert rows("application", ALL, notes.acme, user=1, roles="member,auditor") == ["a1", "a2"]
    assert rows("application", ALL, notes.acme, user=1, roles="member") == ["a1"]
    assert rows("application", ALL, notes.acme, user=1, roles="administrator") == ["a1"]


def test_rows_of_users_that_all_may_read(project: Project) -> None:
    notes = Notes(project, UserRows(user="author", readable=True))
    assert rows("application", ALL, notes.acme, user=1) == ["a1", "a2"]
    assert notes.change("application", "UPDATE guarded_note SET name = 'x'", notes.acme, user=1) == 1
    assert notes.change("application", "DELETE FROM guarded_note", notes.acme, user=2) == 1
    notes.add("application", notes.acme, "x1", tenant=notes.acme, user=1)
    assert rows("owner", ALL) == ["g1", "x", "x1"]


def test_roles_that_write(project: Project) -> None:
    notes = Notes(project, RoleRows(write=["editor"]))
    assert rows("application", ALL, notes.acme) == ["a1", "a2"]
    assert notes.change("application", "UPDATE guarded_note SET name = 'x'", notes.acme) == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        notes.add("application", notes.acme, "x2", tenant=notes.acme)
    assert notes.change("application", "UPDATE guarded_note SET name = 'x'", notes.acme, roles="editor") == 2


def test_roles_that_read(project: Project) -> None:
    notes = Notes(project, RoleRows(read=["reader"], write=[]))
    assert rows("application", ALL, notes.acme) == []
    assert rows("application", ALL, notes.acme, roles="reader") == ["a1", "a2"]
    assert notes.change("application", "DELETE FROM guarded_note", notes.acme, roles="reader") == 0


def test_a_policy_that_somebody_adds_opens_no_preset_to_other_tenants(project: Project) -> None:
    notes = Notes(project, UserRows(user="author", readable=True))
    with superuser() as admin:
        admin.execute("CREATE POLICY mistake ON guarded_note USING (true)")
    assert rows("application", ALL, notes.globex) == ["g1"]
    assert notes.change("application", "DELETE FROM guarded_note", notes.globex) == 1


def test_rows_of_nobody_are_for_every_tenant_to_read(project: Project) -> None:
    notes = Notes(project, GlobalRows(), tenant=TenantField(null=True))
    notes.add("operator", None, "all9")
    assert rows("application", ALL, notes.acme) == ["a1", "a2", "all9"]
    assert rows("application", ALL, notes.globex) == ["all9", "g1"]


def test_rows_of_nobody_are_for_operators_to_write(project: Project) -> None:
    notes = Notes(project, GlobalRows(), tenant=TenantField(null=True))
    notes.add("operator", None, "all9")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        notes.add("application", None, "x1", tenant=notes.acme)
    assert notes.change("application", "UPDATE guarded_note SET name = 'x'", notes.acme) == 2
    assert notes.change("application", "DELETE FROM guarded_note", notes.acme) == 2
    assert rows("owner", ALL) == ["all9", "g1"]
    assert notes.change("operator", "UPDATE guarded_note SET name = 'y' WHERE tenant_id IS NULL") == 1


def test_rows_of_nobody_stay_nobodys(project: Project) -> None:
    notes = Notes(project, GlobalRows(), tenant=TenantField(null=True))
    notes.add("operator", None, "all9")
    with pytest.raises(psycopg.errors.IntegrityError, match="never changes"):
        notes.change("operator", f"UPDATE guarded_note SET tenant_id = {notes.acme} WHERE tenant_id IS NULL")


def test_a_policy_that_somebody_adds_lets_no_tenant_write_the_rows_of_nobody(project: Project) -> None:
    notes = Notes(project, GlobalRows(), tenant=TenantField(null=True))
    notes.add("operator", None, "all9")
    with superuser() as admin:
        admin.execute("CREATE POLICY mistake ON guarded_note USING (true)")
    assert notes.change("application", "DELETE FROM guarded_note", notes.acme) == 2
    assert rows("application", ALL, notes.acme) == ["all9"]


class Published(TenantPolicy):
    """A policy of an adopter's."""

    def read(self, row: Any) -> str:
        return f"{row.column('name')} LIKE '%1' OR {row.has_role('editor')}"


def test_a_policy_of_ones_own(project: Project) -> None:
    notes = Notes(project, Published())
    assert rows("application", ALL, notes.acme) == ["a1"]
    assert rows("application", ALL, notes.acme, roles="editor") == ["a1", "a2"]
    assert rows("application", ALL, notes.globex) == ["g1"]


PRESETS = {
    "usual": lambda: TenantPolicy(),
    "users": lambda: UserRows(user="author", roles=["admin"]),
    "roles": lambda: RoleRows(write=["editor"]),
    "own": lambda: Published(),
}


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("before", PRESETS)
def test_one_policy_after_another(project: Project, before: str, name: str) -> None:
    project.migrate(notes(PRESETS[before]()))
    first = catalog()
    project.migrate(notes(PRESETS[name]()))
    assert (catalog() == first) == (before == name)
    if before != name:
        project.back()
        assert catalog() == first


def test_the_orm_knows_nothing_of_a_users_rows_and_the_database_does(project: Project) -> None:
    notes = Notes(project, UserRows(user="author"))
    assert get_user_model()._meta.pk.db_type(connection) in policies("guarded_note")["tenantkit_rows"][1]
    with by_system(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM guarded_note")
        assert cursor.fetchone() == (3,)
    assert notes.project.state.models["guarded", "note"].options["constraints"] == [UserRows(user="author")]
