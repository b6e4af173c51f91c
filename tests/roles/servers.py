"""Servers on which roles may be made and dropped: the run's own, and those of the machine where one is installed."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from django_tenantkit.sql.roles import Roles
from django_tenantkit.sql.setup import Wanted, set_up
from tests import databases

BINARIES = Path("/usr/lib/postgresql/15/bin")

#: Names the directory of the programs of a PostgreSQL that is elsewhere.
ELSEWHERE = "TENANTKIT_POSTGRESQL"

HOW_TO_INSTALL = (
    "PostgreSQL with its contrib modules is not installed, and the embedded one has none. Debian and Ubuntu: apt-get "
    f"install postgresql; macOS: brew install postgresql; or name the directory of its programs in {ELSEWHERE}."
)

#: Of every login that a test makes; somebody's server may ask for it.
PASSWORD = "tests only"

#: In a database of this name a password is asked for, on the server that we start.
ASKS_PASSWORD = "asks_password"


class Server:
    """How to connect to a server as anybody. `superuser` makes roles and databases in it."""

    def __init__(self, superuser: str, *, asks_password: bool = False, **parameters: Any) -> None:
        self.superuser = superuser
        self.asks_password = asks_password
        self.parameters = parameters

    def connect(self, database: str = "postgres", user: str | None = None, **more: Any) -> psycopg.Connection[Any]:
        login = {"user": self.superuser} if user is None else {"user": user, "password": PASSWORD}
        return psycopg.connect(**self.parameters | {"dbname": database} | login | more, autocommit=True)

    @property
    def version(self) -> int:
        with self.connect() as connection:
            return connection.info.server_version // 10000

    @contextmanager
    def place(self, name: str | None = None, **wanted: Any) -> Iterator[Place]:
        """A new database for the length of a `with`, and what is wanted of it. Its roles are dropped with it."""
        place = Place(self, name or f"{databases.PREFIX}_{secrets.token_hex(3)}", wanted)
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(place.name)))
        try:
            yield place
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(place.name)))
                self._drop_roles(connection, place.name)

    def _drop_roles(self, connection: psycopg.Connection[Any], prefix: str) -> None:
        found = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)"
        names = [sql.Identifier(name) for (name,) in connection.execute(found, [prefix])]
        if names:  # together: on 16 and newer one may have granted another to a third
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.SQL(", ").join(names)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.SQL(", ").join(names)))


class Place:
    """A database of its own, with the names of its four roles."""

    def __init__(self, server: Server, name: str, wanted: dict[str, Any]) -> None:
        self.server = server
        self.name = name
        self.roles = Roles(*(f"{name}_{role}" for role in ("owner", "app", "operator", "system")))
        self.wanted = Wanted(self.roles, **{"web": self.roles.application, "system": self.roles.system} | wanted)

    def connect(self, user: str | None = None, **more: Any) -> psycopg.Connection[Any]:
        """Connect to the database: as the superuser, or as `user`."""
        return self.server.connect(self.name, user, **more)

    def entry(self, user: str | None = None, **more: Any) -> dict[str, Any]:
        """An entry of DATABASES: for the superuser, or for `user`."""
        found = self.server.parameters
        where = {"HOST": found.get("host", ""), "PORT": found.get("port", ""), "PASSWORD": found.get("password", "")}
        login = {"USER": user, "PASSWORD": PASSWORD} if user else {"USER": self.server.superuser}
        return {"ENGINE": databases.POSTGRESQL, "NAME": self.name, **where, **login, **more}

    def role(self, suffix: str, attributes: str = "LOGIN") -> str:
        """Make one more role, which is dropped with the others; its name."""
        name = f"{self.name}_{suffix}"
        with self.connect() as connection:
            connection.execute(sql.SQL(f"CREATE ROLE {{}} {attributes}").format(sql.Identifier(name)))
        self.let_in()
        return name

    def let_in(self) -> None:
        """Give every role of this database the password of the tests."""
        for (name,) in self.rows("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", self.name):
            with self.connect() as connection:
                alter = sql.SQL("ALTER ROLE {} PASSWORD {}")
                connection.execute(alter.format(sql.Identifier(name), sql.Literal(PASSWORD)))

    def set_up(self, user: str | None = None, **changes: Any) -> list[str]:
        """Make of it what is wanted, as `user`; the statements that it took."""
        with self.connect(user) as connection, connection.transaction(), connection.cursor() as cursor:
            statements = set_up(cursor, self.wanted._replace(**changes))
        self.let_in()
        return statements

    def by_system(self, *statements: str) -> None:
        """Run statements as migrations do: the system logs in and acts as the owner."""
        with self.connect(self.roles.system) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self.roles.owner)))
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str, *parameters: Any, user: str | None = None) -> list[Any]:
        """What a query gives."""
        with self.connect(user) as connection:
            return connection.execute(query, parameters).fetchall()


def find() -> Path | None:
    """The programs of the newest PostgreSQL of this machine, or None."""
    if given := os.environ.get(ELSEWHERE):
        return Path(given)
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    found += [path.parent for path in Path("/opt/homebrew/opt").glob("postgresql@*/bin/postgres")]
    return max(found, key=lambda path: int("".join(filter(str.isdigit, path.parent.name)) or 0), default=None)


@contextmanager
def postgresql(binaries: Path = BINARIES, **parameters: str) -> Iterator[Server]:
    """A PostgreSQL of the machine's own, 15 unless told, in a temporary directory. `parameters` are the server's."""
    with tempfile.TemporaryDirectory(prefix="tenantkit-pg-") as directory:
        Path(directory).chmod(0o755)
        data = Path(directory) / "data"
        user = "postgres" if os.getuid() == 0 else None
        if user:
            shutil.chown(directory, user, user)
        made_so = ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        _run(user, binaries / "initdb", "-D", str(data), *made_so)
        rules = ["local all postgres trust", f"local {ASKS_PASSWORD} all scram-sha-256", "local all all trust"]
        (data / "pg_hba.conf").write_text("\n".join([*rules, ""]))
        told = {"fsync": "off", "listen_addresses": "", "unix_socket_directories": directory, "port": "5432"}
        options = " ".join(f"-c {name}={value}" for name, value in {**told, **parameters}.items())
        _run(user, binaries / "pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w", "-o", options, "start")
        try:
            yield Server("postgres", asks_password=True, host=directory)
        finally:
            _run(user, binaries / "pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def _run(user: str | None, program: Path, *arguments: str) -> None:
    with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as the server runs
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=user,
            group=user,
            extra_groups=[] if user else None,
            check=False,
        )
        output.seek(0)
        assert done.returncode == 0, output.read().decode()
