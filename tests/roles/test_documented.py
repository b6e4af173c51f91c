"""What the pages about roles and dumps say is done as they say it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from psycopg import errors

from django_tenantkit.sql.setup import missing
from tests.roles.conftest import ALIAS, Project
from tests.roles.servers import BINARIES, PASSWORD, Place, Server

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
DUMP, DUMP_WITHOUT_BYPASS, RESTORE = re.findall(r"^```sh\n(.*?)^```$", (HOWTO / "dump.md").read_text(), re.M | re.S)


def test_the_sql_on_the_page_makes_what_setup_roles_makes(place: Place) -> None:
    (block,) = re.findall(r"^```sql\n(.*?)^```$", (HOWTO / "roles.md").read_text(), re.MULTILINE | re.DOTALL)
    with place.connect() as connection:
        connection.execute(block.replace("saas", place.name))
        assert missing(connection.cursor(), place.wanted) == []


def test_the_lines_on_the_page_are_those_of_the_command(project: Project) -> None:
    (block,) = re.findall(r"--passwords\n(CREATE.*?)^```$", (HOWTO / "roles.md").read_text(), re.MULTILINE | re.DOTALL)
    printed = project.run("--passwords").out.replace(project.place.name, "saas").replace(ALIAS, "default").splitlines()
    for line in block.splitlines():
        known = re.sub(r"(kZ1|9Qe)\.\.\.|@localhost:5432/saas$", "...", line)
        parts = [re.escape(part) for part in known.split("...")]
        assert any(re.fullmatch(".*".join(parts), found) for found in printed), line


#: Two tables of two tenants, as migrations make them.
GUARDED = """
CREATE TABLE customer (id int PRIMARY KEY, tenant_id int NOT NULL, UNIQUE (tenant_id, id));
CREATE TABLE invoice (id int PRIMARY KEY, tenant_id int NOT NULL, customer_id int,
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id));
CREATE FUNCTION tenantkit.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
INSERT INTO customer (id, tenant_id) VALUES (1, 1), (2, 2);
INSERT INTO invoice VALUES (1, 1, 1), (2, 2, 2);
ALTER TABLE customer ENABLE ROW LEVEL SECURITY; ALTER TABLE customer FORCE ROW LEVEL SECURITY;
ALTER TABLE invoice ENABLE ROW LEVEL SECURITY; ALTER TABLE invoice FORCE ROW LEVEL SECURITY;
"""
POLICIES = """
CREATE POLICY rows ON {table} TO "{application}"
    USING (tenant_id = nullif(current_setting('tenantkit.tenant', true), '')::int);
CREATE POLICY owner ON {table} TO "{owner}" USING (true);
"""


@pytest.fixture
def guarded(server: Server, place: Place) -> Place:
    """A database with rows of two tenants."""
    if not BINARIES.is_dir():
        pytest.skip(f"no pg_dump in {BINARIES}")
    if server.version > 15:
        pytest.skip("the pg_dump of PostgreSQL 15 reads no newer server")
    place.set_up()
    policies = [POLICIES.format(table=table, **place.roles._asdict()) for table in ("customer", "invoice")]
    place.by_system(GUARDED, *policies)
    return place


def bypass(place: Place, attribute: str) -> None:
    with place.connect() as connection:
        connection.execute(f'ALTER ROLE "{place.roles.owner}" {attribute}')


def run(place: Place, command: str, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A command of the page, for this database."""
    program, *arguments = command.split()
    found = place.server.parameters
    environment = os.environ | {"PGHOST": found["host"], "PGPASSWORD": PASSWORD}
    return subprocess.run(
        [BINARIES / program, *more, *(argument.replace("saas", place.name) for argument in arguments)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def emptied(place: Place) -> None:
    """The database made anew, with its roles."""
    with place.server.connect() as connection:
        connection.execute(f'DROP DATABASE "{place.name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{place.name}"')
    place.set_up()


@pytest.mark.parametrize(("attribute", "command"), [("BYPASSRLS", DUMP), ("NOBYPASSRLS", DUMP_WITHOUT_BYPASS)])
def test_a_dump_has_all_rows_and_can_be_restored(attribute: str, command: str, guarded: Place, tmp_path: Path) -> None:
    bypass(guarded, attribute)
    dumped = run(guarded, command, tmp_path)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    emptied(guarded)
    bypass(guarded, attribute)
    restored = run(guarded, RESTORE, tmp_path)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert guarded.rows("SELECT * FROM invoice ORDER BY id") == [(1, 1, 1), (2, 2, 2)]
    assert guarded.rows("SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = 'invoice'") == [
        (True,)
    ]
    bypass(guarded, "BYPASSRLS")
    with guarded.connect() as connection:
        assert missing(connection.cursor(), guarded.wanted) == []
    with guarded.connect(guarded.roles.application) as connection:
        assert connection.execute("SELECT * FROM invoice").fetchall() == []
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("TRUNCATE invoice")


def test_an_owner_that_does_not_bypass_is_told(guarded: Place, tmp_path: Path) -> None:
    bypass(guarded, "NOBYPASSRLS")
    dumped = run(guarded, DUMP, tmp_path)
    assert dumped.returncode == 1
    assert "query would be affected by row-level security policy" in dumped.stderr


def test_a_dump_by_the_application_has_no_tenants_row(guarded: Place, tmp_path: Path) -> None:
    command = DUMP_WITHOUT_BYPASS.replace("saas_system", "saas_app").replace("--role=saas_owner", "")
    assert run(guarded, command.replace("custom", "plain"), tmp_path).returncode == 0
    text = (tmp_path / f"{guarded.name}.dump").read_text()
    assert "COPY public.invoice (id, tenant_id, customer_id) FROM stdin;\n\\." in text


def test_rows_are_loaded_into_guarded_tables_by_an_owner_that_bypasses(guarded: Place, tmp_path: Path) -> None:
    assert run(guarded, DUMP, tmp_path).returncode == 0
    guarded.by_system("TRUNCATE customer, invoice")
    command = RESTORE.replace("--clean --if-exists", "--data-only --enable-row-security")
    bypass(guarded, "NOBYPASSRLS")
    refused = run(guarded, command, tmp_path)
    assert refused.returncode == 1
    assert "COPY FROM not supported with row-level security" in refused.stderr
    bypass(guarded, "BYPASSRLS")
    assert run(guarded, command, tmp_path).returncode == 0
    assert guarded.rows("SELECT count(*) FROM invoice") == [(2,)]
