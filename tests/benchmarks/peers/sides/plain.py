"""Plain Django, with the tables in `public`; and the bare statements, one message for each schema."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connection

from tests.benchmarks.peers.shop.views import fill

from .base import FIRST, Side, recorded, send, timed, write, write_first


class Plain(Side):
    def __init__(self) -> None:
        super().__init__()
        self.ddl: list[str] = []

    def write_first(self) -> None:
        """Make the first migration, which all contenders get a copy of."""
        write_first()

    def install(self) -> None:
        self.ddl = recorded(lambda: call_command("migrate", verbosity=0, interactive=False))
        fill()
        self.make(FIRST)
        self.schemas = [FIRST]

    def statements(self) -> list[str]:
        """Those that `migrate` ran in an empty database."""
        return self.ddl

    def make(self, name: str) -> None:
        send(";\n".join([f'CREATE SCHEMA "{name}"; SET search_path TO "{name}"', *self.ddl, "RESET search_path"]))

    def drop(self, name: str) -> None:
        send(f'DROP SCHEMA "{name}" CASCADE')

    def fill(self, number: int, ddl: list[str]) -> None:
        for count in range(len(self.schemas), number):
            self.schemas.append(f"s{count:04}")
            self.make(self.schemas[-1])

    def migrate(self, operations: list[str]) -> list[float]:
        """What `migrate` runs for these migrations in `public`, in one message for each schema."""
        for text in operations:
            write(text)
        ddl = recorded(lambda: call_command("migrate", verbosity=0))
        messages = [";\n".join([f'SET search_path TO "{name}"', *ddl, "RESET search_path"]) for name in self.schemas]

        self.tidy()

        def run() -> None:
            connection.close()  # a command logs in, and its backend knows no table yet
            for message in messages:
                send(message)

        return timed(run)

    def idle(self) -> list[float]:
        return [0.0, 0.0]

    def version(self) -> str:
        """The server's."""
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            return str(cursor.fetchone()[0])


SIDE = Plain
