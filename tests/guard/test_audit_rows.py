"""Rows that have crossed the line are found and named, by a role that sees them all."""

from __future__ import annotations

import pytest

from tests.guard.audited import Audited

#: Keys to write down.
ACME, GLOBEX = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"
OTHER = "00000000-0000-7000-8000-00000000000c"

#: One customer of each tenant; foreign keys do not fire from here on.
CUSTOMERS = f"""
INSERT INTO customer (id, tenant_id) VALUES ('{ACME}', 1), ('{GLOBEX}', 2);
INSERT INTO "odd Name" ("Id", "Tenant") VALUES (1, 1), (2, 2);
SET session_replication_role = replica;
"""

CROSSING = {
    "foreign key": (
        f"""INSERT INTO "odd Name" ("Id", "Tenant", customer_id) VALUES (7, 1, '{GLOBEX}')""",
        "shop.Odd.customer",
        {"row": "7", "tenant": "1", "refers_to": GLOBEX, "of_tenant": "2"},
    ),
    "to itself": (
        'UPDATE "odd Name" SET parent_id = 1 WHERE "Id" = 2',
        "shop.Odd.parent",
        {"row": "2", "tenant": "2", "refers_to": "1", "of_tenant": "1"},
    ),
    "parent of inheritance": (
        f"INSERT INTO vip VALUES ('{ACME}', 2)",
        "shop.Vip.customer_ptr",
        {"row": ACME, "tenant": "2", "refers_to": ACME, "of_tenant": "1"},
    ),
    "many-to-many": (
        f"INSERT INTO link VALUES (5, 1, '{ACME}', 2)",
        "shop.Link.odd",
        {"row": "5", "tenant": "1", "refers_to": "2", "of_tenant": "2"},
    ),
    "generic foreign key": (
        f"INSERT INTO note VALUES ('{OTHER}', 1, 1, '{GLOBEX}', 'x')",
        "shop.Note.subject to shop.Customer",
        {"row": OTHER, "tenant": "1", "refers_to": GLOBEX, "of_tenant": "2"},
    ),
}


def test_rows_that_stay_within_their_tenants_are_no_fault(guarded: Audited) -> None:
    guarded.plant(CUSTOMERS)
    guarded.plant(f"""UPDATE "odd Name" SET customer_id = '{ACME}', parent_id = 1 WHERE "Id" = 1""")
    guarded.plant(f"INSERT INTO note VALUES ('{OTHER}', 1, 1, '{ACME}', 'x'), ('{ACME}', 1, 2, '{GLOBEX}', 'y')")
    assert guarded.ids() == []


@pytest.mark.parametrize("name", CROSSING)
def test_a_row_that_refers_to_another_tenant_is_found(guarded: Audited, name: str) -> None:
    statement, about, row = CROSSING[name]
    guarded.plant(CUSTOMERS)
    guarded.plant(statement)
    (finding,) = guarded.audit().findings
    assert (finding.id, finding.object) == ("rows.crossing", about)
    assert finding.rows == (row,)
    assert row["row"] in finding.fact


def test_the_same_is_found_as_the_operator(guarded: Audited) -> None:
    guarded.plant(CUSTOMERS)
    guarded.plant(CROSSING["to itself"][0])
    assert guarded.ids(role=guarded.roles.operator) == ["rows.crossing"]


def test_a_reference_that_was_validated_by_one_who_saw_nothing_is_found(guarded: Audited) -> None:
    guarded.plant('ALTER TABLE "odd Name" DROP CONSTRAINT "odd Name_Tenant_customer_id_fkey"')
    guarded.plant(CUSTOMERS + CROSSING["foreign key"][0])
    guarded.plant("DROP POLICY tenantkit_owner ON customer; DROP POLICY tenantkit_owner ON {table}", table='"odd Name"')
    guarded.plant(
        "SET ROLE {owner}; ALTER TABLE {table} ADD CONSTRAINT blind "
        'FOREIGN KEY ("Tenant", customer_id) REFERENCES customer (tenant_id, id); RESET ROLE',
        table='"odd Name"',
    )
    for table in ("customer", '"odd Name"'):
        guarded.plant("CREATE POLICY tenantkit_owner ON {table} TO {owner} USING (true)", table=table)
    assert guarded.ids() == ["rows.crossing"]


def test_many_rows_are_counted_and_some_are_named(guarded: Audited) -> None:
    guarded.plant(CUSTOMERS)
    guarded.plant('INSERT INTO "odd Name" ("Id", "Tenant", parent_id) SELECT n, 1, 2 FROM generate_series(100, 150) n')
    (finding,) = guarded.audit().findings
    assert finding.fact.startswith('51 rows of public."odd Name" refer to rows of public."odd Name" that belong')
    assert [row["row"] for row in finding.rows] == [str(number) for number in range(100, 110)]


def test_rows_of_a_tenant_that_does_not_exist_are_found(guarded: Audited) -> None:
    guarded.plant(CUSTOMERS)
    guarded.plant('INSERT INTO "odd Name" ("Id", "Tenant") VALUES (8, 3), (9, 3), (10, 4)')
    (finding,) = guarded.audit().findings
    assert (finding.id, finding.object) == ("rows.orphaned", 'public."odd Name"')
    assert finding.rows == ({"tenant": "3", "rows": 2}, {"tenant": "4", "rows": 1})


def test_rows_without_a_tenant_are_found(guarded: Audited) -> None:
    guarded.plant("ALTER TABLE note ALTER COLUMN tenant_id DROP NOT NULL")
    guarded.plant(f"INSERT INTO note (id) VALUES ('{OTHER}')")
    assert guarded.ids() == ["column.nullable", "rows.orphaned"]


@pytest.mark.parametrize("role", ["application", "login"])
def test_whoever_does_not_see_all_rows_says_so(guarded: Audited, role: str) -> None:
    found = guarded.audit(role=guarded.names["application"], only=("rows",)).findings
    assert {finding.id for finding in found} == {"rows.unread"}
    assert {finding.object for finding in found} >= {"public.note", "public.customer"}


def test_a_policy_that_hides_rows_from_the_owner_is_no_clean_result(guarded: Audited) -> None:
    guarded.plant("CREATE POLICY narrow ON note AS RESTRICTIVE USING (number <> '')")
    assert guarded.ids() == ["rows.unread", "policy.extra"]


def test_a_column_that_is_not_there_is_no_clean_result(guarded: Audited) -> None:
    guarded.plant("ALTER TABLE note DROP COLUMN object_id")
    guarded.plant(CUSTOMERS + f"INSERT INTO note VALUES ('{OTHER}', 1, 1, 'x')")
    (finding,) = guarded.audit().findings
    assert (finding.id, finding.object) == ("rows.unread", "shop.Note.subject to shop.Customer")
    assert "object_id does not exist" in finding.fact
