"""The audit reads only, asks little, and understands what PostgreSQL prints."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg
import pytest

from django_tenantkit.exceptions import TenantkitError
from django_tenantkit.lifecycle.audit.evidence import Evidence
from django_tenantkit.lifecycle.audit.expected import Expected, Table
from django_tenantkit.lifecycle.audit.guarded import Policy
from django_tenantkit.lifecycle.audit.reader import Reader
from django_tenantkit.lifecycle.audit.run import CHECKS, ROWS, audit, chosen
from tests.guard.audited import Audited

#: Everything that a statement could change, as one row.
STATE = """
SELECT (SELECT md5(string_agg(c::text, ',' ORDER BY oid)) FROM pg_class c),
       (SELECT md5(string_agg(p::text, ',' ORDER BY oid)) FROM pg_policy p),
       (SELECT md5(string_agg(c::text, ',' ORDER BY oid)) FROM pg_constraint c),
       (SELECT md5(string_agg(t::text, ',' ORDER BY oid)) FROM pg_trigger t),
       (SELECT md5(string_agg(p::text, ',' ORDER BY oid)) FROM pg_proc p),
       (SELECT md5(string_agg(s::text, ',')) FROM pg_db_role_setting s),
       (SELECT md5(string_agg(r::text, ',' ORDER BY oid)) FROM pg_authid r WHERE starts_with(rolname, %(name)s)),
       (SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM customer c),
       (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM tenant t),
       (SELECT last_value FROM link_id_seq)
"""


def state(guarded: Audited) -> Any:
    return guarded.admin.execute(STATE, {"name": guarded.name}).fetchone()


@pytest.fixture
def faulty(guarded: Audited) -> Audited:
    """A database with many faults, so that everything is asked."""
    guarded.plant("INSERT INTO customer SELECT gen_random_uuid(), 1 FROM generate_series(1, 5)")
    guarded.plant("ALTER POLICY tenantkit_rows ON note USING (true); GRANT {owner} TO {login}")
    guarded.plant("CREATE VIEW all_notes AS SELECT * FROM note; ALTER TABLE vip DISABLE TRIGGER ALL")
    return guarded


def test_an_audit_changes_nothing(faulty: Audited) -> None:
    before = state(faulty)
    assert faulty.ids()
    assert state(faulty) == before


def test_an_audit_takes_no_transaction_id(faulty: Audited) -> None:
    """Whatever writes takes one, even if it is rolled back."""
    with faulty.connect() as connection:
        taken: list[Any] = []
        evidence = _evidence(faulty, connection)
        original = evidence.reader.rows

        def rows(*arguments: Any) -> list[Any]:
            with evidence.reader.transaction():
                found = original(*arguments)
                taken.append(connection.execute("SELECT pg_catalog.pg_current_xact_id_if_assigned()").fetchone())
            return found

        evidence.reader.rows = rows  # type: ignore[method-assign]
        assert audit(evidence).findings
    assert len(taken) > 30
    assert set(taken) == {(None,)}


def test_the_reader_cannot_write(guarded: Audited) -> None:
    with guarded.connect() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        Reader(connection).rows("INSERT INTO public.tenant VALUES (9, 'new') RETURNING id")


def test_it_can_be_used_inside_a_transaction_and_leaves_it_as_it_was(guarded: Audited) -> None:
    with guarded.connect() as connection, connection.transaction():
        assert audit(_evidence(guarded, connection)).findings == ()
        connection.execute("INSERT INTO tenant VALUES (3, 'new')")  # neither read only nor without its path
        assert connection.execute("SHOW search_path").fetchone() == ('"$user", public',)


def test_the_number_of_statements_does_not_depend_on_the_number_of_tables(guarded: Audited) -> None:
    catalog = [check for check in CHECKS if check not in ROWS]
    with guarded.connect() as connection:
        few = _evidence(guarded, connection)
        assert audit(few, catalog).findings == ()
    guarded.plant("SET ROLE {owner}")
    guarded.plant("CREATE TABLE many_0 (LIKE note INCLUDING ALL)")
    names = [f"many_{number}" for number in range(1000)]
    for name in names:
        guarded.plant("CREATE TABLE IF NOT EXISTS {name} (LIKE many_0 INCLUDING ALL)", name=name)
    guarded.plant("RESET ROLE")
    note = guarded.expected().tables[-1]
    more = [dataclasses.replace(note, name=f'"{name}"', references=(), generic=()) for name in names]
    with guarded.connect() as connection:
        many = _evidence(guarded, connection, more=more)
        found = audit(many, catalog).findings
    assert {finding.id for finding in found} == {"rls.off", "rls.unforced", "policy.missing", "trigger.missing"}
    assert many.reader.statements <= few.reader.statements
    assert few.reader.statements < 50


@pytest.mark.parametrize("only", [("rls",), ("rls.off", "rls.unforced")], ids=str)
def test_only_what_is_chosen_is_looked_for(faulty: Audited, only: tuple[str, ...]) -> None:
    faulty.plant("ALTER TABLE note DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
    assert faulty.ids(only=only) == ["rls.off", "rls.unforced"]


def test_what_is_skipped_is_not_looked_for() -> None:
    ids = {check.id for check in chosen(skip=("rls", "policy.missing"))}
    assert not ids & {"rls.off", "rls.unforced", "policy.missing"}
    assert "policy.changed" in ids


def test_rows_can_be_left_out() -> None:
    assert [check.id for check in chosen(with_rows=False) if check.id.startswith("rows")] == []


def test_an_id_that_there_is_not_is_refused() -> None:
    with pytest.raises(TenantkitError, match=r"There is no finding rls\.of\. There are: table\.missing"):
        chosen(only=("rls.of",))


CONDITIONS = [
    "tenant_id = nullif(current_setting('tenantkit.tenant', true), '')::bigint AND number IN ('a', 'b')",
    "tenant_id = 1 AND (number = 'x' AND (id IS NOT NULL OR NOT (number = 'y')))",
    "tenantkit.has_role('admin', 'owner') OR number = tenantkit.current_user_id()",
    "EXISTS (SELECT FROM customer c WHERE c.tenant_id = note.tenant_id AND c.status IN ('vip', 'gold'))",
    "(SELECT current_setting('x', true) = 'on')",
    "number LIKE 'a%' AND valid @> 5",
    "tenant_id = any(string_to_array(current_setting('tenantkit.roles', true), ',')::bigint[])",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_of_every_kind_are_recognised(guarded: Audited, condition: str) -> None:
    guarded.plant(f"ALTER POLICY tenantkit_rows ON note USING ({condition}) WITH CHECK ({condition})")
    with guarded.connect() as connection:
        evidence = _evidence(guarded, connection, condition=condition)
        assert audit(evidence, chosen(("policy",))).findings == ()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_and_not_taken_for_another(guarded: Audited, condition: str) -> None:
    guarded.plant(f"ALTER POLICY tenantkit_rows ON note USING ({condition} OR tenant_id = 3) WITH CHECK ({condition})")
    with guarded.connect() as connection:
        evidence = _evidence(guarded, connection, condition=condition)
        assert [finding.id for finding in audit(evidence, chosen(("policy",))).findings] == ["policy.changed"]


def test_a_function_that_somebody_put_into_a_policy_is_not_run(guarded: Audited) -> None:
    """Planning runs functions that are marked immutable."""
    said: list[str | None] = []
    guarded.plant(
        "CREATE FUNCTION open() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE NOTICE 'open'; RETURN true; END $$"
    )
    guarded.plant("ALTER POLICY tenantkit_rows ON note USING (public.open())")
    with guarded.connect() as connection:
        connection.add_notice_handler(lambda diagnostic: said.append(diagnostic.message_primary))
        found = audit(_evidence(guarded, connection), chosen(("policy",))).findings
    assert [finding.id for finding in found] == ["policy.changed"]
    assert said == []


def _evidence(
    guarded: Audited, connection: psycopg.Connection[Any], more: list[Table] | None = None, condition: str | None = None
) -> Evidence:
    """What an audit of the database knows: of more tables, or of another condition on the notes."""
    expected = guarded.expected()
    tables = [*expected.tables, *(more or [])]
    if condition is not None:
        note = tables[4]
        rows = Policy("tenantkit_rows", (guarded.roles.application,), condition, check=condition)
        tables[4] = dataclasses.replace(note, policies=(rows, *note.policies[1:]))
    wanted = Expected(tuple(tables), expected.known, expected.types)
    return Evidence(Reader(connection), wanted, guarded.roles, login=guarded.login)
