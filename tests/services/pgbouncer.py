"""A private PgBouncer in front of a PostgreSQL server, for tests.

    with pgbouncer.start(settings, server_connections=1) as pooled:
        DATABASES = {"default": pooled}

It pools by transaction: whoever sends the next transaction gets a server connection that somebody
else used a moment ago, with whatever was left there. PgBouncer refuses to run as root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

#: Names a program that is not in the PATH.
PROGRAM = "TENANTKIT_PGBOUNCER"

#: Only the name of the socket: nothing listens on the network.
PORT = "6432"

#: Where Debian puts it, which is not in everybody's PATH.
ELSEWHERE = os.pathsep.join(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])

HOW_TO_INSTALL = (
    "PgBouncer is not installed. Debian and Ubuntu: apt-get install pgbouncer; macOS: brew install pgbouncer; "
    f"or name the program in {PROGRAM}."
)


class PgBouncerError(Exception):
    """PgBouncer did not start."""


def find() -> str | None:
    """The program, or None."""
    return os.environ.get(PROGRAM) or shutil.which("pgbouncer") or shutil.which("pgbouncer", path=ELSEWHERE)


@contextmanager
def start(
    settings: dict[str, Any],
    server_connections: int = 1,
    logins: dict[str, str] | None = None,
    connect_query: str = "",
) -> Iterator[dict[str, Any]]:
    """Run one in front of the server of `settings`, an entry of DATABASES, and give the entry that leads
    through it. `server_connections` is for each pair of database and login. `logins`: further roles that
    may log in, with their passwords. `connect_query` is run on each new connection to the server, and
    stands for what another program leaves there. Raises `PgBouncerError`."""
    if (program := find()) is None:
        raise PgBouncerError(HOW_TO_INSTALL)
    # In /tmp, as the path of a socket is limited to about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="tenantkit-pgbouncer-", dir="/tmp") as name:
        home = Path(name)
        known = {settings.get("USER") or "postgres": settings.get("PASSWORD") or "", **(logins or {})}
        (home / "users").write_text("".join(f'"{role}" "{password}"\n' for role, password in known.items()))
        (home / "ini").write_text(_configuration(settings, home, server_connections, connect_query))
        user = _system_user(settings)
        if user is not None:
            for path in (home, *home.iterdir()):
                shutil.chown(path, user)
        pooled = {key: value for key, value in settings.items() if key != "PASSWORD"}
        pooled |= {"HOST": str(home), "PORT": PORT}
        process = _run(program, home, user)
        try:
            _wait_until_it_answers(process, pooled)
            yield pooled
        finally:
            process.kill()  # what SIGTERM means differs between versions, and there is nothing to save
            process.wait()


def _configuration(settings: dict[str, Any], home: Path, server_connections: int, connect_query: str) -> str:
    host, port = settings.get("HOST") or "127.0.0.1", settings.get("PORT") or "5432"
    query = "connect_query='" + connect_query.replace("'", "''") + "'" if connect_query else ""
    return f"""
        [databases]
        * = host={host} port={port} {query}
        [pgbouncer]
        listen_addr =
        listen_port = {PORT}
        unix_socket_dir = {home}
        auth_type = trust
        auth_file = {home}/users
        logfile = {home}/log
        admin_users = {settings.get("USER") or "postgres"}
        pool_mode = transaction
        default_pool_size = {server_connections}
        max_client_conn = 500
        """.replace("\n        ", "\n")


def _system_user(settings: dict[str, Any]) -> str | None:
    """Whom it runs as: oneself; instead of root the one whom the server's socket belongs to."""
    if os.getuid():
        return None
    host = str(settings.get("HOST") or "")
    owner = Path(host).owner() if host.startswith("/") else "root"
    return owner if owner != "root" else "nobody"


def _run(program: str, home: Path, user: str | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [program, "-q", str(home / "ini")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        user=user,
        extra_groups=[] if user else None,
    )


def _wait_until_it_answers(process: subprocess.Popen[bytes], pooled: dict[str, Any]) -> None:
    """Ask it until it listens, or has ended."""
    address = {"host": pooled["HOST"], "port": PORT, "dbname": "pgbouncer", "user": pooled.get("USER") or "postgres"}
    while process.poll() is None:
        try:
            psycopg.connect(**address, autocommit=True).close()
            return
        except psycopg.OperationalError:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
    log = Path(pooled["HOST"], "log")
    raise PgBouncerError(f"PgBouncer ended with {process.returncode}:\n{log.read_text() if log.exists() else ''}")
