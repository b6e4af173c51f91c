"""Each fault of the catalog is found, as itself and nothing else; its cure leaves nothing to find."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.guard.audited import GUARD, Audited


class Fault(NamedTuple):
    """What is planted, what it is found as, and on what. `cured`: whether the cure is SQL that ends it."""

    id: str
    plant: str
    about: str
    severity: str = "error"
    cured: bool = True


TENANT = "tenant_id = nullif(current_setting('tenantkit.tenant', true), '')::bigint"

FAULTS = {
    # Tables and their guard.
    "table is missing": Fault("table.missing", "DROP TABLE note", '"note"', cured=False),
    "owner of a table": Fault(
        "table.owner", "ALTER TABLE note OWNER TO {system}; GRANT ALL ON note TO {owner}", "public.note", "warning"
    ),
    "tenant may be null": Fault(
        "column.nullable", "ALTER TABLE note ALTER COLUMN tenant_id DROP NOT NULL", "public.note"
    ),
    "rls off": Fault("rls.off", "ALTER TABLE note DISABLE ROW LEVEL SECURITY", "public.note"),
    "rls off, odd name": Fault("rls.off", 'ALTER TABLE "odd Name" DISABLE ROW LEVEL SECURITY', 'public."odd Name"'),
    "rls not forced": Fault("rls.unforced", "ALTER TABLE note NO FORCE ROW LEVEL SECURITY", "public.note"),
    # Policies.
    "no policy": Fault("policy.missing", "DROP POLICY tenantkit_limit ON note", "tenantkit_limit on public.note"),
    "another condition": Fault(
        "policy.changed", "ALTER POLICY tenantkit_rows ON note USING (true)", "tenantkit_rows on public.note"
    ),
    "a condition that looks alike": Fault(
        "policy.changed",
        "ALTER POLICY tenantkit_limit ON note USING (tenant_id = "
        "coalesce(nullif(current_setting('tenantkit.tenant', true), '')::bigint, tenant_id))",
        "tenantkit_limit on public.note",
    ),
    "another setting": Fault(
        "policy.changed",
        "ALTER POLICY tenantkit_rows ON note USING (tenant_id = "
        "nullif(current_setting('tenantkit.user', true), '')::bigint)",
        "tenantkit_rows on public.note",
    ),
    "operator for all": Fault(
        "policy.changed", "ALTER POLICY tenantkit_operator ON note USING (true)", "tenantkit_operator on public.note"
    ),
    "policy for everybody": Fault(
        "policy.changed", "ALTER POLICY tenantkit_owner ON note TO PUBLIC", "tenantkit_owner on public.note"
    ),
    "policy of one command": Fault(
        "policy.changed",
        "DROP POLICY tenantkit_limit ON note; "
        f"CREATE POLICY tenantkit_limit ON note AS RESTRICTIVE FOR SELECT TO {{application}} USING ({TENANT})",
        "tenantkit_limit on public.note",
    ),
    "permissive in place of restrictive": Fault(
        "policy.changed",
        "DROP POLICY tenantkit_limit ON note; "
        f"CREATE POLICY tenantkit_limit ON note TO {{application}} USING ({TENANT})",
        "tenantkit_limit on public.note",
    ),
    "a check added": Fault(
        "policy.changed", "ALTER POLICY tenantkit_rows ON note WITH CHECK (true)", "tenantkit_rows on public.note"
    ),
    "a policy that calls a function": Fault(
        "policy.changed",
        "CREATE FUNCTION open() RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'; "
        f"ALTER POLICY tenantkit_rows ON note USING ({TENANT} OR public.open())",
        "tenantkit_rows on public.note",
    ),
    "opened for the application": Fault(
        "policy.opening", "CREATE POLICY support ON note TO {application} USING (true)", "support on public.note"
    ),
    "opened for the login": Fault(
        "policy.opening", "CREATE POLICY support ON note TO {login} USING (true)", "support on public.note"
    ),
    "opened for everybody": Fault(
        "policy.opening", "CREATE POLICY support ON note FOR SELECT USING (true)", "support on public.note"
    ),
    "restricted further": Fault(
        "policy.extra",
        "CREATE POLICY narrow ON note AS RESTRICTIVE TO {application} USING (number <> '')",
        "narrow on public.note",
        "notice",
    ),
    "opened for the operator": Fault(
        "policy.extra", "CREATE POLICY more ON note TO {operator} USING (true)", "more on public.note", "notice"
    ),
    # Keys and references.
    "no key": Fault("key.missing", "ALTER TABLE note DROP CONSTRAINT note_tenant_id_id_key", "public.note"),
    "plain reference": Fault(
        "reference.plain",
        "ALTER TABLE vip ADD CONSTRAINT plain FOREIGN KEY (customer_ptr_id) REFERENCES customer ON DELETE CASCADE",
        "plain on public.vip",
    ),
    "reference to itself missing": Fault(
        "reference.missing",
        'ALTER TABLE "odd Name" DROP CONSTRAINT "odd Name_Tenant_parent_id_fkey"',
        'parent_id on public."odd Name"',
    ),
    "parent link missing": Fault(
        "reference.missing",
        "ALTER TABLE vip DROP CONSTRAINT vip_tenant_id_customer_ptr_id_fkey",
        "customer_ptr_id on public.vip",
    ),
    "tenants not referenced": Fault(
        "reference.missing", "ALTER TABLE note DROP CONSTRAINT note_tenant_id_fkey", "tenant_id on public.note"
    ),
    "reference crosswise": Fault(
        "reference.missing",
        "ALTER TABLE link DROP CONSTRAINT link_tenant_id_odd_id_fkey; "
        'ALTER TABLE link ADD FOREIGN KEY (tenant_id, id) REFERENCES "odd Name" ("Tenant", "Id")',
        "odd_id on public.link",
    ),
    "reference not validated": Fault(
        "reference.unvalidated",
        "ALTER TABLE vip DROP CONSTRAINT vip_tenant_id_customer_ptr_id_fkey; ALTER TABLE vip ADD CONSTRAINT late "
        "FOREIGN KEY (tenant_id, customer_ptr_id) REFERENCES customer (tenant_id, id) NOT VALID",
        "late on public.vip",
    ),
    # What is unique, and indexes.
    "unique over all tenants": Fault(
        "unique.without-tenant", "ALTER TABLE note ADD CONSTRAINT numbers UNIQUE (number)", "public.numbers"
    ),
    "unique index on an expression": Fault(
        "unique.without-tenant", "CREATE UNIQUE INDEX numbers ON note (lower(number))", "public.numbers"
    ),
    "unique with the tenant beside": Fault(
        "unique.without-tenant", "CREATE UNIQUE INDEX numbers ON note (number) INCLUDE (tenant_id)", "public.numbers"
    ),
    "unique where nothing is referred to": Fault(
        "unique.without-tenant",
        'CREATE UNIQUE INDEX roots ON "odd Name" (parent_id) NULLS NOT DISTINCT',
        "public.roots",
    ),
    "exclusion over all tenants": Fault(
        "unique.without-tenant",
        "ALTER TABLE note ADD CONSTRAINT apart EXCLUDE USING gist (valid WITH &&)",
        "public.apart",
    ),
    "index of all tenants": Fault(
        "index.without-tenant", "CREATE INDEX numbers ON note (number, tenant_id)", "public.numbers", "warning"
    ),
    # What happens when rows are written.
    "no trigger": Fault("trigger.missing", "DROP TRIGGER tenantkit_tenant ON note", "tenantkit_tenant on public.note"),
    "a trigger that never fires": Fault(
        "trigger.missing",
        "DROP TRIGGER tenantkit_tenant ON note; CREATE TRIGGER tenantkit_tenant BEFORE UPDATE OF tenant_id ON note "
        "FOR EACH ROW WHEN (false) EXECUTE FUNCTION tenantkit.refuse_tenant_change()",
        "tenantkit_tenant on public.note",
    ),
    "trigger disabled": Fault(
        "trigger.disabled", "ALTER TABLE note DISABLE TRIGGER tenantkit_tenant", "tenantkit_tenant on public.note"
    ),
    "trigger for replicas only": Fault(
        "trigger.disabled",
        "ALTER TABLE note ENABLE REPLICA TRIGGER tenantkit_tenant",
        "tenantkit_tenant on public.note",
    ),
    "somebody's trigger": Fault(
        "trigger.foreign",
        "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        "CREATE TRIGGER copying AFTER INSERT ON note FOR EACH ROW EXECUTE FUNCTION copy()",
        "copying on public.note",
        "notice",
    ),
    "somebody's trigger as its owner": Fault(
        "trigger.foreign",
        "CREATE FUNCTION copy() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        "CREATE TRIGGER copying AFTER INSERT ON note FOR EACH ROW EXECUTE FUNCTION copy()",
        "copying on public.note",
        "warning",
    ),
    "event trigger": Fault(
        "trigger.event",
        "CREATE FUNCTION log() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER logging ON ddl_command_end EXECUTE FUNCTION log()",
        "logging",
        "notice",
    ),
    "rule": Fault("rule.present", "CREATE RULE gone AS ON DELETE TO note DO INSTEAD NOTHING", "gone on public.note"),
    "our function changed": Fault(
        "function.changed",
        "CREATE OR REPLACE FUNCTION tenantkit.refuse_tenant_change() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'",
        "tenantkit.refuse_tenant_change",
        cured=False,
    ),
    "our function missing": Fault(
        "function.changed", "DROP FUNCTION tenantkit.has_role", "tenantkit.has_role", cured=False
    ),
    "a function that is not ours": Fault(
        "function.changed",
        "CREATE FUNCTION tenantkit.other() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "tenantkit.other()",
    ),
    # Ways past the tables.
    "view": Fault("view.definer", "SET ROLE {owner}; CREATE VIEW all_notes AS SELECT * FROM note", "public.all_notes"),
    "view over a view": Fault(
        "view.definer",
        "SET ROLE {owner}; CREATE VIEW inner_notes WITH (security_invoker) AS SELECT * FROM note; "
        "CREATE VIEW outer_notes AS SELECT * FROM inner_notes",
        "public.outer_notes",
    ),
    "view for nobody": Fault(
        "view.definer",
        "CREATE VIEW all_notes AS SELECT * FROM note; REVOKE ALL ON all_notes FROM {application}",
        "public.all_notes",
        "notice",
    ),
    "materialized view": Fault(
        "view.materialized",
        "SET ROLE {owner}; CREATE MATERIALIZED VIEW copied AS SELECT * FROM note",
        "public.copied",
        cured=False,
    ),
    "function that acts as its owner": Fault(
        "function.definer",
        "SET ROLE {owner}; CREATE FUNCTION all_notes() RETURNS SETOF note SECURITY DEFINER LANGUAGE sql AS "
        "'SELECT * FROM note'",
        "public.all_notes()",
    ),
    "leakproof function": Fault(
        "function.leakproof",
        "CREATE FUNCTION peek(text) RETURNS boolean LEAKPROOF LANGUAGE plpgsql AS 'BEGIN RETURN true; END'",
        "public.peek(text)",
        "warning",
    ),
    "foreign table": Fault(
        "table.unguarded",
        "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER nowhere FOREIGN DATA WRAPPER none; DROP TABLE note; "
        "CREATE FOREIGN TABLE note (id uuid, tenant_id bigint) SERVER nowhere",
        "public.note",
        cured=False,
    ),
    "materialized view in place of a table": Fault(
        "table.unguarded",
        "DROP TABLE note; CREATE MATERIALIZED VIEW note AS SELECT id FROM tenant",
        "public.note",
        cured=False,
    ),
    "unknown foreign table": Fault(
        "table.unknown",
        "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER nowhere FOREIGN DATA WRAPPER none; "
        "CREATE FOREIGN TABLE elsewhere (tenant_id bigint) SERVER nowhere; GRANT SELECT ON elsewhere TO {application}",
        "public.elsewhere",
        cured=False,
    ),
    "open child": Fault(
        "partition.open", "SET ROLE {owner}; CREATE TABLE old_note () INHERITS (note)", "public.old_note"
    ),
    "unknown table": Fault(
        "table.unknown", "SET ROLE {owner}; CREATE TABLE legacy (tenant_id bigint)", "public.legacy", cured=False
    ),
    "unknown table that refers to tenants": Fault(
        "table.unknown",
        "CREATE SCHEMA app; CREATE TABLE app.legacy (t bigint REFERENCES tenant)",
        "app.legacy",
        "warning",
        cured=False,
    ),
    "publication": Fault(
        "publication.unfiltered", "CREATE PUBLICATION everything FOR ALL TABLES", "everything", "notice", cured=False
    ),
    "large object": Fault("large-object.present", "SELECT lo_create(0)", "pg_largeobject", "notice", cured=False),
}


#: The same on PostgreSQL 18 and newer.
NEWER = {
    "reference not enforced": Fault(
        "reference.unvalidated",
        "ALTER TABLE vip DROP CONSTRAINT vip_tenant_id_customer_ptr_id_fkey; ALTER TABLE vip ADD CONSTRAINT late "
        "FOREIGN KEY (tenant_id, customer_ptr_id) REFERENCES customer (tenant_id, id) NOT ENFORCED",
        "late on public.vip",
    ),
}


def test_a_guarded_database_has_no_faults(guarded: Audited) -> None:
    assert guarded.ids() == []


@pytest.mark.parametrize("name", [*FAULTS, *NEWER])
def test_a_planted_fault_is_found_and_cured(guarded: Audited, name: str) -> None:
    if name in NEWER and guarded.admin.info.server_version < 180000:
        pytest.skip("new in PostgreSQL 18")
    fault = (FAULTS | NEWER)[name]
    guarded.plant(fault.plant + "; RESET ROLE")
    (finding,) = guarded.audit().findings
    assert (finding.id, finding.object, finding.severity) == (fault.id, fault.about, fault.severity)
    assert finding.cure or finding.advice
    if fault.cured:
        guarded.admin.execute(finding.cure)
        severities = {found.severity for found in guarded.audit().findings}
        assert severities <= {"notice"}


def test_a_table_without_the_tenant_is_found(guarded: Audited) -> None:
    guarded.plant("ALTER TABLE note DROP COLUMN tenant_id CASCADE")
    found = guarded.audit().findings
    assert "column.missing" in {finding.id for finding in found if finding.object == "public.note"}


def test_partitions_need_no_privileges_of_their_own(guarded: Audited) -> None:
    guarded.plant(
        "DROP TABLE note; CREATE TABLE note (id uuid, tenant_id bigint NOT NULL REFERENCES tenant, "
        "content_type_id int, object_id text, PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (tenant_id); "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON note TO {application}, {operator}; ALTER TABLE note OWNER TO {owner}"
    )
    guarded.plant(GUARD, table="note", column="tenant_id")
    guarded.plant("CREATE TABLE note_0 PARTITION OF note FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
    assert guarded.ids() == []
    guarded.plant("GRANT SELECT ON note_0 TO {application}")
    assert guarded.ids() == ["partition.open"]


def test_a_partition_with_policies_of_its_own_is_no_fault(guarded: Audited) -> None:
    guarded.plant("SET ROLE {owner}; CREATE TABLE old_note () INHERITS (note); RESET ROLE")
    guarded.plant("ALTER TABLE old_note ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    assert guarded.ids() == []


def test_a_view_that_asks_as_whoever_asks_is_no_fault(guarded: Audited) -> None:
    guarded.plant("SET ROLE {owner}; CREATE VIEW notes WITH (security_invoker) AS SELECT * FROM note; RESET ROLE")
    assert guarded.ids() == []


def test_a_view_with_nothing_of_tenants_is_no_fault(guarded: Audited) -> None:
    guarded.plant("SET ROLE {owner}; CREATE VIEW slugs AS SELECT slug FROM tenant; RESET ROLE")
    assert guarded.ids() == []


def test_a_policy_for_a_role_that_the_login_can_become_opens(guarded: Audited) -> None:
    guarded.plant("CREATE ROLE {database}_support; GRANT {database}_support TO {login}")
    guarded.plant("CREATE POLICY support ON note TO {database}_support USING (true)")
    assert guarded.ids() == ["policy.opening"]


def test_faults_of_several_kinds_are_all_found_and_errors_come_first(guarded: Audited) -> None:
    guarded.plant("CREATE INDEX ON note (number); ALTER TABLE note DISABLE ROW LEVEL SECURITY")
    guarded.plant("CREATE PUBLICATION everything FOR ALL TABLES; ALTER TABLE vip DISABLE ROW LEVEL SECURITY")
    found = [(finding.id, finding.object) for finding in guarded.audit().findings]
    assert found == [
        ("rls.off", "public.vip"),
        ("rls.off", "public.note"),
        ("index.without-tenant", "public.note_number_idx"),
        ("publication.unfiltered", "everything"),
    ]


def test_names_that_need_quotes_are_quoted_in_cures(guarded: Audited) -> None:
    guarded.plant('ALTER TABLE "odd Name" DISABLE ROW LEVEL SECURITY; DROP POLICY tenantkit_rows ON "odd Name"')
    found = guarded.audit().findings
    assert [finding.id for finding in found] == ["rls.off", "policy.missing"]
    for finding in found:
        guarded.admin.execute(finding.cure)
    assert guarded.ids() == []


def test_a_name_that_somebody_chose_ends_no_cure(guarded: Audited) -> None:
    guarded.plant('CREATE POLICY "x"" ON note; DROP TABLE link; --" ON note USING (true)')
    (finding,) = guarded.audit().findings
    guarded.admin.execute(finding.cure)
    assert guarded.ids() == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX ON note (tenant_id, lower(number)) WHERE number <> ''",
        "ALTER TABLE note ADD EXCLUDE USING btree (tenant_id WITH =, number WITH =)",
        'CREATE UNIQUE INDEX ON "odd Name" (parent_id, customer_id)',
        "CREATE INDEX ON note USING gist (valid)",
        "CREATE INDEX ON note (tenant_id, number)",
    ],
    ids=str,
)
def test_what_is_unique_or_indexed_within_a_tenant_is_no_fault(guarded: Audited, statement: str) -> None:
    guarded.plant(statement)
    assert guarded.ids() == []
