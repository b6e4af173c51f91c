"""The checks of a database: whether the application can be held to its tenants there, and what to type if not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import Error, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections

from django_tenantkit.checks.roles import roles
from django_tenantkit.exceptions import TenantkitError
from tests.roles.conftest import ALIAS, Project, make_project
from tests.roles.servers import Server


@pytest.fixture
def finished(project: Project) -> Project:
    """A project as it should be: the application logs in, and the system has a login of its own."""
    names = project.place.roles
    project.settings.TENANTKIT_SYSTEM_DATABASE = {"USER": names.system}
    project.log_in(names.application)
    project.run("--user", project.place.server.superuser)
    project.place.let_in()
    return project


def found() -> dict[str, str]:
    """The messages about the database, by id, each with its hint."""
    return {message.id: f"{message.msg} {message.hint}" for message in roles(ALIAS)}


def execute(project: Project, statement: str) -> None:
    names = {role: f'"{name}"' for role, name in project.place.roles._asdict().items()}
    with project.place.connect() as connection:
        connection.execute(statement.format(**names))


def test_a_project_as_it_should_be(finished: Project) -> None:
    assert found() == {}


def test_a_login_that_is_not_let_in(project: Project) -> None:
    project.log_in(project.place.roles.application)
    (message,) = roles(ALIAS)
    assert message.id == "tenantkit.E111"
    assert project.place.roles.application in message.msg
    assert "manage.py setup_roles" in message.hint


def test_roles_that_are_not_there(project: Project) -> None:
    project.log_in(project.place.role("app"))
    (message,) = roles(ALIAS)
    assert message.id == "tenantkit.E112"
    assert project.place.roles.owner in message.msg
    assert project.place.roles.application not in message.msg
    assert "manage.py setup_roles" in message.hint


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
@pytest.mark.parametrize("whose", ["application", "login"])
def test_a_role_whom_no_policy_binds(whose: str, attribute: str, finished: Project) -> None:
    name = finished.place.roles.application
    if whose == "login":
        name = finished.place.role("web")
        finished.log_in(name)
        finished.run("--user", finished.place.server.superuser)
    execute(finished, f'ALTER ROLE "{name}" {attribute}')
    assert set(found()) == {"tenantkit.E113"}
    assert name in found()["tenantkit.E113"]
    assert "setup_roles` with --passwords" in found()["tenantkit.E113"]


@pytest.mark.parametrize("role", ["owner", "system", "operator"])
def test_a_login_that_could_become_another_role(role: str, finished: Project) -> None:
    name = finished.place.role("web")
    finished.log_in(name)
    finished.run("--user", finished.place.server.superuser)
    execute(finished, f'GRANT {{{role}}} TO "{name}"')
    assert set(found()) == {"tenantkit.E114"}
    assert getattr(finished.place.roles, role) in found()["tenantkit.E114"]


def test_a_member_of_a_member_could_too(finished: Project) -> None:
    group = finished.place.role("group", "NOLOGIN")
    execute(finished, f'GRANT {{owner}} TO "{group}"; GRANT "{group}" TO {{application}}')
    assert set(found()) == {"tenantkit.E114"}


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS", "CREATEROLE"])
def test_a_member_of_somebody_more_powerful_could_too(power: str, finished: Project) -> None:
    name = finished.place.role("dba", f"NOLOGIN {power}")
    execute(finished, f'GRANT "{name}" TO {{application}}')
    assert set(found()) == {"tenantkit.E114"}
    assert name in found()["tenantkit.E114"]


def test_a_login_that_makes_roles_could_too(finished: Project) -> None:
    execute(finished, "ALTER ROLE {application} CREATEROLE")
    assert set(found()) == {"tenantkit.E114"}


def test_who_may_operate_may_become_the_operator(finished: Project) -> None:
    finished.settings.TENANTKIT_WEB_MAY_OPERATE = True
    assert set(found()) == {"tenantkit.E116"}
    assert "TENANTKIT_WEB_MAY_OPERATE is set" in found()["tenantkit.E116"]
    finished.run("--user", finished.place.server.superuser)
    assert found() == {}


TABLE = "testapp_customer"


@pytest.mark.parametrize("forced", ["NO FORCE", "FORCE"])
def test_a_login_that_owns_tables_of_tenants(forced: str, finished: Project) -> None:
    execute(finished, f"CREATE TABLE {TABLE} (tenant_id int); ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    execute(finished, f"ALTER TABLE {TABLE} {forced} ROW LEVEL SECURITY")
    execute(finished, f"ALTER TABLE {TABLE} OWNER TO {{application}}")
    assert set(found()) == {"tenantkit.E115"}
    assert TABLE in found()["tenantkit.E115"]
    finished.run("--user", finished.place.server.superuser)
    assert found() == {}


def test_a_process_that_only_serves_requests_is_told_what_it_cannot_do(finished: Project) -> None:
    finished.settings.TENANTKIT_SYSTEM_DATABASE = None
    assert set(found()) == {"tenantkit.W118"}
    assert "TENANTKIT_SYSTEM_DATABASE is not set" in found()["tenantkit.W118"]
    assert "--passwords" in found()["tenantkit.W118"]


def test_what_needs_the_system_says_so_where_there_is_none(finished: Project, django_db_blocker: Any) -> None:
    finished.settings.TENANTKIT_SYSTEM_DATABASE = None
    application = finished.place.roles.application
    said = f"TENANTKIT_SYSTEM_DATABASE, which is not set, it is {application}, which may not.*setup_roles --passwords"
    with django_db_blocker.unblock(), connections[ALIAS].as_system(), pytest.raises(TenantkitError, match=said):
        connections[ALIAS].ensure_connection()
    finished.settings.TENANTKIT_SYSTEM_DATABASE = {"USER": finished.place.role("batch")}
    said = "_batch, which may not"
    with django_db_blocker.unblock(), connections[ALIAS].as_system(), pytest.raises(TenantkitError, match=said):
        connections[ALIAS].ensure_connection()


@pytest.mark.parametrize("attributes", ["SUPERUSER", "CREATEROLE"])
def test_the_one_login_that_set_it_up_is_not_for_requests(attributes: str, project: Project) -> None:
    admin = project.place.role("admin", f"LOGIN {attributes}")
    execute(project, f'ALTER DATABASE "{project.place.name}" OWNER TO "{admin}"')
    project.log_in(admin)
    ran = project.run()
    assert ran.code == 0
    assert f"let DATABASES log in as {project.place.roles.application}" in ran.err
    message = found()["tenantkit.E113" if attributes == "SUPERUSER" else "tenantkit.E114"]
    assert "--passwords" in message


@pytest.mark.parametrize(
    ("setting", "role"), [("TENANTKIT_SYSTEM_DATABASE", "owner"), ("TENANTKIT_OPERATOR_DATABASE", "operator")]
)
def test_a_login_that_may_not_do_what_it_is_for(setting: str, role: str, finished: Project) -> None:
    name = finished.place.role("batch")
    setattr(finished.settings, setting, {"USER": name})
    assert set(found()) == {"tenantkit.E116"}
    assert f"{setting} logs in as {name}, which may not SET ROLE" in found()["tenantkit.E116"]
    finished.run("--user", finished.place.server.superuser)
    assert found() == {}


def test_a_login_of_the_web_that_is_no_member(finished: Project) -> None:
    finished.log_in(finished.place.role("web"))
    assert set(found()) == {"tenantkit.E116"}
    finished.run("--user", finished.place.server.superuser)
    assert found() == {}


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "CREATE TABLE thing (); ALTER TABLE thing OWNER TO {owner}; GRANT TRUNCATE ON thing TO {application}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE SELECT ON TABLES FROM {operator}",
        "DROP SCHEMA tenantkit",
    ],
)
def test_anything_else_that_setup_roles_would_do(statement: str, finished: Project) -> None:
    execute(finished, statement)
    assert set(found()) == {"tenantkit.W119"}
    finished.run("--user", finished.place.server.superuser)
    assert found() == {}


def test_a_database_that_the_application_owns(finished: Project) -> None:
    execute(finished, f'ALTER DATABASE "{finished.place.name}" OWNER TO {{application}}')
    assert "OWNER TO" in found()["tenantkit.W119"]


def test_whoever_may_not_ask_is_left_in_peace(finished: Project) -> None:
    execute(finished, f'REVOKE TEMPORARY ON DATABASE "{finished.place.name}" FROM PUBLIC; DROP SCHEMA tenantkit')
    assert found() == {}


def test_a_managed_server_is_left_in_peace(project: Project) -> None:
    admin = project.place.role("admin", "LOGIN CREATEROLE")
    execute(project, f'ALTER DATABASE "{project.place.name}" OWNER TO "{admin}"')
    project.settings.TENANTKIT_SYSTEM_DATABASE = {"USER": project.place.roles.system}
    project.log_in(project.place.roles.application)
    assert project.run("--user", admin).code == 0
    project.place.let_in()
    assert found() == {}


def test_tables_are_not_looked_at_where_the_application_may_not_be_let_in(project: Project) -> None:
    project.log_in(project.place.role("app"))
    assert [message.id for message in run_checks(tags=["database"], databases=[ALIAS])] == ["tenantkit.E112"]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="this run has no PostgreSQL")
def test_the_tests_themselves_run_as_they_should() -> None:
    assert list(roles("default")) == []


@pytest.fixture
def newcomer(server: Server, settings: Any, django_db_blocker: Any) -> Iterator[Project]:
    """Somebody with a new database and the login of a superuser."""
    with server.place() as place, django_db_blocker.unblock():
        yield from make_project(place, settings)


def migrate() -> None:
    call_command("migrate", database=ALIAS, verbosity=0, interactive=False, skip_checks=False)


def test_a_newcomer_is_told_the_way_to_the_first_migration(newcomer: Project) -> None:
    with pytest.raises(SystemCheckError, match=r"manage\.py setup_roles"):
        migrate()
    newcomer.run()
    with pytest.raises(SystemCheckError, match=r"is a superuser(.|\n)*--passwords"):
        migrate()
    names = newcomer.place.roles
    newcomer.log_in(names.application)
    newcomer.settings.TENANTKIT_SYSTEM_DATABASE = {"USER": names.system}
    newcomer.place.let_in()
    migrate()
    assert not [message for message in run_checks(tags=["database"], databases=[ALIAS]) if isinstance(message, Error)]
    owner = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE starts_with(relname, 'django_tenantkit_')"
    assert newcomer.place.rows(owner) == [(names.owner,)]
