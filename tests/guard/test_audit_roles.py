"""Each fault of roles, privileges and stored settings is found, as itself and nothing else; its cure leaves
nothing to find."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from django_tenantkit.testing import embedded
from tests.databases import ADMIN
from tests.guard.audited import Audited, audited


class Fault(NamedTuple):
    """What is planted, what it is found as, and on what: a role by its kind, or a name."""

    id: str
    plant: str
    about: str
    severity: str = "error"
    cured: bool = True


FAULTS = {
    "superuser": Fault("role.attribute", "ALTER ROLE {application} SUPERUSER", "{application}"),
    "bypasses policies": Fault("role.attribute", "ALTER ROLE {application} BYPASSRLS", "{application}"),
    "makes roles": Fault("role.attribute", "ALTER ROLE {application} CREATEROLE", "{application}"),
    "makes databases": Fault("role.attribute", "ALTER ROLE {login} CREATEDB", "{login}"),
    "replicates": Fault("role.attribute", "ALTER ROLE {login} REPLICATION", "{login}"),
    "operator bypasses policies": Fault("role.attribute", "ALTER ROLE {operator} BYPASSRLS", "{operator}"),
    "member of one who bypasses": Fault(
        "role.attribute",
        "CREATE ROLE {database}_dba BYPASSRLS; CREATE ROLE {database}_team; GRANT {database}_dba TO {database}_team; "
        "GRANT {database}_team TO {login}",
        "{database}_dba",
        cured=False,
    ),
    "member of the owner": Fault("role.member", "GRANT {owner} TO {login}", "{login}"),
    "application member of the owner": Fault(
        "role.member", "GRANT {owner} TO {application}", "{application}", cured=False
    ),
    "member of the operator": Fault("role.member", "GRANT {operator} TO {login}", "{login}"),
    "operator member of the owner": Fault("role.member", "GRANT {owner} TO {operator}", "{operator}"),
    "reads everything": Fault("role.predefined", "GRANT pg_read_all_data TO {login}", "{login}"),
    "writes everything": Fault("role.predefined", "GRANT pg_write_all_data TO {operator}", "{operator}"),
    "runs programs": Fault("role.predefined", "GRANT pg_execute_server_program TO {login}", "{login}"),
    "watches others": Fault("role.predefined", "GRANT pg_read_all_stats TO {login}", "{login}", "warning"),
    "owns a shared table": Fault(
        "role.owner",
        "ALTER TABLE content_type OWNER TO {application}; GRANT ALL ON content_type TO {owner}",
        "{application}",
    ),
    "owns a tenant table": Fault(
        "role.owner", "ALTER TABLE note OWNER TO {login}; GRANT ALL ON note TO {owner}", "{login}"
    ),
    "owns the database": Fault("role.owner", "ALTER DATABASE {database} OWNER TO {application}", "{application}"),
    "owns a function": Fault(
        "role.owner",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION mine OWNER TO {login}",
        "{login}",
    ),
    "owner logs in": Fault("role.login", "ALTER ROLE {owner} LOGIN", "{owner}", "warning"),
    "operator logs in": Fault("role.login", "ALTER ROLE {operator} LOGIN", "{operator}", "warning"),
    "truncate": Fault("grant.excessive", "GRANT TRUNCATE ON note TO {application}", "public.note"),
    "references": Fault("grant.excessive", "GRANT REFERENCES ON note TO {application}", "public.note"),
    "trigger for the login": Fault("grant.excessive", "GRANT TRIGGER ON note TO {login}", "public.note"),
    "truncate for the operator": Fault("grant.excessive", "GRANT TRUNCATE ON note TO {operator}", "public.note"),
    "everybody": Fault("grant.public", "GRANT SELECT ON note TO PUBLIC", "public.note"),
    "a column": Fault("grant.column", "GRANT UPDATE (number) ON note TO {application}", "public.note", "warning"),
    "a column for everybody": Fault(
        "grant.column", "GRANT SELECT (number) ON note TO PUBLIC", "public.note", "warning"
    ),
    "references to a column": Fault(
        "grant.column", "GRANT REFERENCES (number) ON note TO {application}", "public.note"
    ),
    "may not delete": Fault("grant.missing", "REVOKE DELETE ON note FROM {application}", "public.note", "warning"),
    "may not use our schema": Fault(
        "grant.missing", "REVOKE USAGE ON SCHEMA tenantkit FROM {operator}", "tenantkit", "warning"
    ),
    "new tables can be truncated": Fault(
        "grant.default",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT TRUNCATE ON TABLES TO {application}",
        "{application}",
    ),
    "new tables for everybody": Fault(
        "grant.default",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
        "public",
    ),
    "nothing on new tables": Fault(
        "grant.default",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE ALL ON TABLES FROM {application}",
        "{application}",
        "warning",
        cured=False,
    ),
    "makes tables": Fault("grant.create", "GRANT CREATE ON SCHEMA public TO {application}", "public"),
    "everybody makes tables": Fault("grant.create", "GRANT CREATE ON SCHEMA public TO PUBLIC", "public"),
    "makes schemas": Fault("grant.create", "GRANT CREATE ON DATABASE {database} TO {login}", "{database}"),
    "sets a sequence": Fault(
        "sequence.settable", "GRANT UPDATE ON SEQUENCE link_id_seq TO {application}", "public.link_id_seq"
    ),
    "everybody sets a sequence": Fault(
        "sequence.settable", "GRANT ALL ON SEQUENCE link_id_seq TO PUBLIC", "public.link_id_seq"
    ),
    "may not use a sequence": Fault(
        "sequence.unusable", "REVOKE USAGE ON SEQUENCE link_id_seq FROM {operator}", "public.link_id_seq", "warning"
    ),
    "keys of signed contexts": Fault(
        "signing.readable", "GRANT SELECT ON tenantkit.signing_keys TO {operator}", "tenantkit.signing_keys"
    ),
    "role of the login": Fault("setting.stored", "ALTER ROLE {login} SET role = {application}", "{login}"),
    "tenant of the login": Fault("setting.stored", "ALTER ROLE {login} SET tenantkit.tenant = '1'", "{login}"),
    "tenant of the database": Fault(
        "setting.stored", "ALTER DATABASE {database} SET tenantkit.tenant = '1'", "{database}"
    ),
    "role in this database": Fault(
        "setting.stored", "ALTER ROLE {application} IN DATABASE {database} SET row_security = off", "{application}"
    ),
    "replica for the system": Fault(
        "setting.stored", "ALTER ROLE {system} SET session_replication_role = replica", "{system}"
    ),
    "path of the database": Fault(
        "setting.stored", "ALTER DATABASE {database} SET search_path = other, public", "{database}", "warning"
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_cured(guarded: Audited, name: str) -> None:
    fault = FAULTS[name]
    guarded.plant(fault.plant)
    findings = guarded.audit().findings
    finding = next(found for found in findings if found.object == fault.about.format(**guarded.names))
    assert {(found.id, found.severity) for found in findings} == {(fault.id, fault.severity)}
    assert finding.cure
    if fault.cured:
        guarded.admin.execute(finding.cure)
        assert guarded.ids() == []


@pytest.mark.parametrize("role", ["owner", "application", "operator"])
def test_a_role_that_is_not_there_is_found(guarded: Audited, role: str) -> None:
    guarded.roles = guarded.roles._replace(**{role: "nobody"})
    assert guarded.ids(only=("role.missing",), role=guarded.admin.info.user) == ["role.missing"]


def test_the_login_may_be_an_operator_where_the_settings_say_so(guarded: Audited) -> None:
    guarded.plant("GRANT {operator} TO {login}")
    assert guarded.ids(may_operate=True) == []


def test_what_another_database_stores_is_not_found(guarded: Audited) -> None:
    guarded.plant("ALTER ROLE {login} IN DATABASE postgres SET search_path = other")
    assert guarded.ids() == []


def test_temporary_tables_of_requests_are_not_found(guarded: Audited) -> None:
    with guarded.connect(guarded.login) as connection:
        connection.execute("CREATE TEMPORARY TABLE mine (tenant_id bigint)")
        assert guarded.ids() == []


def test_objects_that_requests_own_are_one_finding(guarded: Audited) -> None:
    for number in range(7):
        guarded.plant(f"CREATE SCHEMA s{number} AUTHORIZATION {{login}}")
    (finding,) = guarded.audit().findings
    assert finding.fact.endswith("schema s0, schema s1, schema s2, schema s3, schema s4 and 2 more.")


@pytest.mark.skipif(not embedded.INSTALLED, reason="needs the embedded PostgreSQL")
def test_what_the_server_itself_gives_to_sessions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with embedded.start(options={"session_replication_role": "replica"}) as server:
        monkeypatch.setenv(ADMIN, json.dumps({"HOST": str(server.socket_directory), "USER": embedded.SUPERUSER}))
        with audited() as guarded:
            (finding,) = guarded.audit().findings
    assert (finding.id, finding.object) == ("setting.stored", "postgresql.conf")
    assert finding.cure == "ALTER SYSTEM RESET session_replication_role;"
