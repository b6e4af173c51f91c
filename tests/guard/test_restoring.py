"""`migrate` makes the guard of our own tables whole again, and leaves it alone while it is."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_tenantkit.isolation.entries import allows_databases
from django_tenantkit.lifecycle.guard import after_migrate
from django_tenantkit.models import Domain, Tenant
from django_tenantkit.sql.roles import roles_of
from tests.guard.migrating import catalog, superuser

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only"),
]

TENANT, DOMAIN = Tenant._meta.db_table, Domain._meta.db_table

FUNCTIONS = """
SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'tenantkit'::regnamespace ORDER BY 1
"""

TRIGGERS = "SELECT tgrelid, tgenabled FROM pg_trigger WHERE tgname = 'tenantkit_protected'"

#: What somebody has done to it.
DAMAGE = {
    "a policy is gone": f"DROP POLICY tenantkit_own_select ON {TENANT}",
    "a policy says something else": f"ALTER POLICY tenantkit_own_select ON {DOMAIN} USING (true)",
    "a policy is another role's": f"ALTER POLICY tenantkit_operator ON {DOMAIN} TO PUBLIC",
    "a policy is one too many": f"CREATE POLICY tenantkit_own_delete ON {DOMAIN} FOR DELETE USING (true)",
    "policies do not count": f"ALTER TABLE {TENANT} DISABLE ROW LEVEL SECURITY",
    "policies do not bind the owner": f"ALTER TABLE {TENANT} NO FORCE ROW LEVEL SECURITY",
    "the trigger is gone": f"DROP TRIGGER tenantkit_protected ON {TENANT}",
    "the trigger is off": f"ALTER TABLE {TENANT} DISABLE TRIGGER tenantkit_protected",
    "a function is gone": "DROP FUNCTION tenantkit.find_tenant",
    "a function does something else": "CREATE OR REPLACE FUNCTION tenantkit.refuse_to_change_tenant() RETURNS trigger "
    "LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
}


def state() -> tuple[object, ...]:
    found = catalog("django_tenantkit_")
    with superuser() as admin:
        made = [admin.execute(query).fetchall() for query in (FUNCTIONS, TRIGGERS)]
        return found["policies"], found["guard"], found["triggers"], *made


def after() -> list[str]:
    """What the end of a migration sends."""
    with CaptureQueriesContext(connection) as queries:
        after_migrate("default", plan=[])
    return [query["sql"] for query in queries]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_it_is_whole_again(damage):
    after()
    whole = state()
    with superuser() as admin:
        admin.execute(damage)
    assert state() != whole
    after()
    assert state() == whole


def test_migrate_does_so():
    whole = state()
    with superuser() as admin:
        admin.execute(DAMAGE["a policy is gone"])
    call_command("migrate", verbosity=0, skip_checks=True)
    assert state() == whole


def test_nothing_is_made_while_it_is_whole():
    after()
    assert [statement for statement in after() if not statement.strip().startswith(("SELECT", "WITH"))] == []


def test_a_signature_that_is_asked_for_is_no_damage(settings):
    after()
    settings.TENANTKIT_SIGNED_CONTEXT = "a secret"
    with superuser() as admin:
        admin.execute(
            f"CREATE POLICY tenantkit_signed ON {TENANT} AS RESTRICTIVE "
            f'TO "{roles_of(connection.settings_dict).application}" USING (true)'
        )
        try:
            assert [statement for statement in after() if "CREATE POLICY tenantkit_o" in statement] == []
        finally:
            admin.execute(f"DROP POLICY tenantkit_signed ON {TENANT}")
            settings.TENANTKIT_SIGNED_CONTEXT = None
            after()


#: What somebody has done to the trigger that notes changes of a row that is copied.
UNNOTED = {
    "it is gone": "DROP TRIGGER tenantkit_copied ON auth_user",
    "it is off": "ALTER TABLE auth_user DISABLE TRIGGER tenantkit_copied",
    "it notes another column": "CREATE OR REPLACE TRIGGER tenantkit_copied AFTER INSERT OR UPDATE OR DELETE ON "
    "auth_user FOR EACH ROW EXECUTE FUNCTION tenantkit.note_change('username')",
    "it looks at some changes only": "CREATE OR REPLACE TRIGGER tenantkit_copied AFTER UPDATE OF username ON "
    "auth_user FOR EACH ROW EXECUTE FUNCTION tenantkit.note_change('id')",
}
NOTING = """
SELECT tgrelid::regclass::text, pg_get_triggerdef(oid), tgenabled FROM pg_trigger
WHERE tgname = 'tenantkit_copied' ORDER BY 1
"""


@pytest.mark.skipif(not allows_databases(), reason="runs with TENANTKIT_TEST_ISOLATION=schema")
@pytest.mark.parametrize("damage", UNNOTED.values(), ids=UNNOTED)
def test_changes_of_copied_rows_are_noted_again(damage):
    with superuser() as admin:
        whole = admin.execute(NOTING).fetchall()
        admin.execute(damage)
        assert admin.execute(NOTING).fetchall() != whole
        after()
        assert admin.execute(NOTING).fetchall() == whole
