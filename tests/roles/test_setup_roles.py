"""`setup_roles`: makes the roles where the login may, and says what to run where it may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import environ
import psycopg
import pytest

from django_tenantkit.lifecycle.roles import RolesResult, set_up_roles
from django_tenantkit.sql.setup import missing, set_up
from tests import databases
from tests.roles.conftest import ALIAS, Project, Ran, make_project
from tests.roles.servers import ASKS_PASSWORD, Place, Server

NOTHING_MISSING: list[str] = []


def left_to_do(place: Place, **changes: Any) -> list[str]:
    with place.connect() as connection:
        return missing(connection.cursor(), place.wanted._replace(**changes))


def run_as_superuser(place: Place, text: str) -> None:
    """As psql would, all at once."""
    with place.connect() as connection:
        connection.execute(text)


def test_one_login_that_may_make_roles_is_enough(project: Project) -> None:
    ran = project.run()
    assert (ran.code, ran.complaint) == (0, "")
    assert f'CREATE ROLE "{project.place.roles.owner}"'.replace('"', "") in ran.out
    assert ran.out.endswith("Done.\n")
    assert left_to_do(project.place) == NOTHING_MISSING


def test_run_again_it_has_nothing_to_do(project: Project) -> None:
    project.run()
    ran = project.run()
    assert (ran.code, ran.out) == (0, f"The roles of {project.place.name} are as they should be.\n")


def test_json(project: Project) -> None:
    ran = project.run("--format", "json", "--passwords")
    assert ran.json["done"] is True
    assert ran.json["roles"] == project.place.roles._asdict()
    assert set(ran.json["passwords"]) == {project.place.roles.application, project.place.roles.system}
    assert any(statement.startswith("CREATE SCHEMA") for statement in ran.json["statements"])


def test_a_dry_run_shows_it_and_does_nothing(project: Project) -> None:
    ran = project.run("--dry-run", "--format", "json")
    assert ran.json["dry_run"] is True
    assert ran.json["done"] is False
    assert ran.json["statements"] == left_to_do(project.place, web=project.place.server.superuser, system="") != []


@pytest.mark.parametrize("options", [[], ["--createdb"]])
def test_the_system_may_make_databases_only_if_told(options: list[str], project: Project) -> None:
    project.run(*options)
    query = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s) AND rolcreatedb ORDER BY 1"
    both = [(project.place.roles.owner,), (project.place.roles.system,)]
    assert project.place.rows(query, project.place.name) == (both if options else [])


def test_the_application_that_is_to_log_in_later_may_operate_then(project: Project) -> None:
    project.settings.TENANTKIT_WEB_MAY_OPERATE = True
    project.run()
    with project.place.connect(project.place.roles.application) as connection:
        connection.execute(f'SET ROLE "{project.place.roles.operator}"')
        assert connection.execute("SELECT current_user").fetchone() == (project.place.roles.operator,)


def test_another_login_can_be_named(project: Project) -> None:
    project.log_in(project.place.roles.application)
    assert project.run("--user", project.place.server.superuser).code == 0
    assert left_to_do(project.place) == NOTHING_MISSING


def test_tables_of_a_former_login_can_be_named(project: Project) -> None:
    old = project.place.role("old")
    with project.place.connect() as connection:
        connection.execute(f'CREATE TABLE thing (); ALTER TABLE thing OWNER TO "{old}"')
    assert project.run("--owned-by", old).code == 0
    owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'thing'"
    assert project.place.rows(owner) == [(project.place.roles.owner,)]


def test_a_login_that_may_not_gets_the_sql_for_one_that_may(project: Project) -> None:
    nobody = project.place.role("nobody")
    project.log_in(nobody)
    ran = project.run()
    assert ran.code == 1
    assert "permission denied to create role" in ran.complaint
    assert "--user postgres" in ran.complaint
    assert project.place.rows("SELECT FROM pg_roles WHERE rolname = ANY (%s)", list(project.place.roles)) == []
    run_as_superuser(project.place, ran.out)
    assert left_to_do(project.place, web=nobody) == NOTHING_MISSING
    assert project.run().code == 0


def test_a_login_that_may_not_even_ask_gets_it_too(project: Project) -> None:
    with project.place.connect() as connection:
        connection.execute(f'REVOKE TEMPORARY ON DATABASE "{project.place.name}" FROM PUBLIC')
    project.log_in(project.place.role("nobody"))
    ran = project.run()
    assert ran.code == 1
    run_as_superuser(project.place, ran.out)
    assert left_to_do(project.place) == NOTHING_MISSING


def test_printing_does_nothing_and_what_is_printed_works(project: Project) -> None:
    project.log_in(project.place.role("nobody"))
    ran = project.run("--print")
    assert ran.code == 0
    assert left_to_do(project.place) != NOTHING_MISSING
    run_as_superuser(project.place, ran.out)
    assert left_to_do(project.place) == NOTHING_MISSING


def test_printing_needs_no_login_that_is_there(project: Project) -> None:
    project.log_in(project.place.roles.application)
    ran = project.run("--print")
    assert ran.code == 0
    run_as_superuser(project.place, ran.out)
    assert left_to_do(project.place) == NOTHING_MISSING
    run_as_superuser(project.place, ran.out)


def test_a_login_that_is_not_there_is_told_what_to_do(project: Project) -> None:
    project.log_in(project.place.roles.application)
    ran = project.run()
    assert ran.code == 1
    assert project.place.roles.application in ran.complaint
    assert "setup_roles --user postgres" in ran.complaint
    assert "setup_roles --print" in ran.complaint


@pytest.mark.parametrize("role", ["owner", "operator", "system"])
def test_requests_must_not_log_in_as(role: str, project: Project) -> None:
    name = getattr(project.place.roles, role)
    project.log_in(name)
    ran = project.run("--user", project.place.server.superuser)
    assert ran.code == 2
    assert f"logs in as {name}" in ran.complaint
    assert left_to_do(project.place) != NOTHING_MISSING


def test_the_system_must_not_log_in_as_requests_do(project: Project) -> None:
    project.settings.TENANTKIT_SYSTEM_DATABASE = {"USER": project.place.roles.application}
    project.log_in(project.place.roles.application)
    ran = project.run("--user", project.place.server.superuser)
    assert ran.code == 2
    assert "TENANTKIT_SYSTEM_DATABASE" in ran.complaint


def test_sqlite_has_no_roles(project: Project) -> None:
    project.log_in(ENGINE=databases.SQLITE, NAME=":memory:")
    for options in ([], ["--dry-run"], ["--print"]):
        ran = project.run(*options)
        assert ran.code == 2
        assert "has no roles" in ran.complaint


def test_an_alias_that_is_not_there() -> None:
    ran = Ran("setup_roles", "--database", "nowhere")
    assert (ran.code, ran.complaint) == (2, "DATABASES has no entry 'nowhere'.")


def test_logins_of_the_settings_are_made(project: Project) -> None:
    desk, web, batch = (f"{project.place.name}_{name}" for name in ("desk", "web", "batch"))
    project.log_in(web)
    project.settings.TENANTKIT_SYSTEM_DATABASE = {"USER": batch}
    project.settings.TENANTKIT_OPERATOR_DATABASE = {"USER": desk}
    project.run("--user", project.place.server.superuser)
    project.place.let_in()
    for login, role in ((web, "application"), (batch, "owner"), (desk, "operator")):
        name = getattr(project.place.roles, role)
        with project.place.connect(login) as connection:
            connection.execute(f'SET ROLE "{name}"')
            assert connection.execute("SELECT session_user, current_user").fetchone() == (login, name)


@pytest.fixture
def asking(server: Server, settings: Any) -> Iterator[Project]:
    """A project on a database that asks for passwords."""
    if not server.asks_password:
        pytest.skip("this server lets everybody in")
    with server.place(ASKS_PASSWORD) as place:
        yield from make_project(place, settings)


def let_in(place: Place, user: str, password: str) -> bool:
    try:
        place.server.connect(place.name, user, password=password).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return False
        raise
    return True


def test_passwords_work_and_are_not_in_the_sql(asking: Project) -> None:
    ran = asking.run("--passwords", "--format", "json")
    passwords = ran.json["passwords"]
    for name, password in passwords.items():
        assert let_in(asking.place, name, password)
        assert not let_in(asking.place, name, f"{password}x")
        assert password not in "".join(ran.json["statements"])
    asking.run()
    assert all(let_in(asking.place, name, password) for name, password in passwords.items())
    asking.run("--passwords")
    assert not any(let_in(asking.place, name, password) for name, password in passwords.items())


def test_passwords_come_as_lines_for_the_environment_and_for_the_settings(asking: Project) -> None:
    lines = asking.run("--passwords").out.splitlines()
    application, system = asking.place.roles.application, asking.place.roles.system
    for name, user in (("DATABASE_URL", application), ("SYSTEM_DATABASE_URL", system)):
        (url,) = (line.partition("=")[2] for line in lines if line.startswith(f"{name}="))
        entry = environ.Env.db_url_config(url)
        assert entry["NAME"] == asking.place.name
        assert entry["OPTIONS"] == {"host": asking.place.server.parameters["host"]}
        assert entry["USER"] == user
        assert let_in(asking.place, user, entry["PASSWORD"])
    settings: dict[str, Any] = {"DATABASES": {ALIAS: {}}}
    exec("\n".join(line for line in lines if line.startswith(("DATABASES[", "TENANTKIT_"))), settings)
    assert let_in(asking.place, application, settings["DATABASES"][ALIAS]["PASSWORD"])
    assert let_in(asking.place, system, settings["TENANTKIT_SYSTEM_DATABASE"]["PASSWORD"])


def test_printed_sql_has_no_password_in_clear(asking: Project) -> None:
    ran = asking.run("--print", "--passwords")
    found = {line.partition(" = ")[0]: line for line in ran.err.splitlines()}
    settings: dict[str, Any] = {}
    exec(found["TENANTKIT_SYSTEM_DATABASE"], settings)
    login = settings["TENANTKIT_SYSTEM_DATABASE"]
    assert login["PASSWORD"] not in ran.out
    run_as_superuser(asking.place, ran.out)
    assert let_in(asking.place, login["USER"], login["PASSWORD"])


def test_several_at_once_in_one_database(project: Project) -> None:
    together = threading.Barrier(4)

    def work(_: int) -> RolesResult:
        together.wait()
        return set_up_roles(ALIAS)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert all(result.done for result in results)
    assert sorted(len(result.statements) > 0 for result in results) == [False, False, False, True]


def test_two_at_once_in_two_databases_make_the_roles_once(project: Project) -> None:
    place, results = project.place, []
    with place.server.place(f"{place.name}_2") as second, place.connect() as first:
        project.log_in(NAME=second.name)
        thread = threading.Thread(target=lambda: results.append(set_up_roles(ALIAS)))
        with first.transaction():
            set_up(first.cursor(), place.wanted)
            thread.start()
            while (
                place.rows(
                    "SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", first.info.backend_pid
                )
                == []
            ):
                pass
        thread.join()
    assert [result.done for result in results] == [True]
    assert not any("CREATE ROLE" in statement for statement in results[0].statements)
