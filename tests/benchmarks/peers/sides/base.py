"""What each contender can be asked to do. Names and texts go in, what JSON can carry comes out."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from tests.benchmarks.method import seconds

#: The schema whose pages are asked for, and what the others are copied from.
FIRST = "first"

#: What peers that clone are told to clone: a schema without rows of the shop.
REFERENCE = "reference"

HEAD = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "{after}")]
    operations = [{operations}]
"""


class Side:
    """A contender. The subclass says how it makes schemas and migrates them."""

    host = "first.example.com"

    def __init__(self) -> None:
        self.schemas: list[str] = []
        self._handler: Any = None

    def install(self) -> None:
        """Make the tables that tenants share, and the first tenant with its schema and rows."""
        raise NotImplementedError

    def make(self, name: str) -> None:
        """Make a schema with all tables."""
        raise NotImplementedError

    def drop(self, name: str) -> None:
        """Undo it."""
        raise NotImplementedError

    def fill(self, number: int, ddl: list[str]) -> None:
        """See to it that there are so many schemas, by the fastest way there is; that is not measured."""
        raise NotImplementedError

    def migrate_all(self) -> None:
        """Bring every schema to the migrations that were written, as an operator does."""
        raise NotImplementedError

    def before_migrating(self) -> None:
        """What an operator has to do first, and is not measured."""

    def tidy(self) -> None:
        """What autovacuum does elsewhere: take out of the catalog what was altered before."""
        connection.ensure_connection()
        connection.connection.execute("VACUUM")

    def hold(self) -> None:
        """Log in, and stay so: what is counted from here is the work."""

    def provision(self, name: str) -> list[float]:
        """CPU time and wall time of making a schema. It is dropped again."""
        taken = timed(lambda: self.make(name))
        self.drop(name)
        return taken

    def migrate(self, operations: list[str]) -> list[float]:
        """CPU time and wall time of bringing all schemas to so many new migrations."""
        for text in operations:
            write(text)
        self.before_migrating()
        self.tidy()
        return timed(self.migrate_all)

    def idle(self) -> list[float]:
        """The same where nothing is to be done."""
        return timed(self.migrate_all)

    def request(self, times: int) -> list[float]:
        """CPU time and wall time of so many pages."""
        if self._handler is None:
            self._handler = WSGIHandler()
        environ = RequestFactory(HTTP_HOST=self.host).get("/page/").environ

        def send() -> None:
            response = self._handler.get_response(WSGIRequest(environ))
            if response.status_code != 200 or not response.content.startswith(b"Customer 7, 20 of 100, 4950"):
                raise RuntimeError(f"answered {response.status_code}: {response.content!r}")

        gc.disable()
        try:
            return list(seconds(send, times))
        finally:
            gc.enable()


def timed(work: Callable[[], object]) -> list[float]:
    """CPU time of this process and wall time of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return [time.process_time() - cpu, time.perf_counter() - wall]


def write(operations: str) -> None:
    """Add a migration to the shop's."""
    folder = Path(settings.TENANTKIT_PEERS_MIGRATIONS)
    last = sorted(folder.glob("0*.py"))[-1].stem
    name = f"{int(last[:4]) + 1:04}_next"
    (folder / f"{name}.py").write_text(HEAD.format(after=last, operations=operations))
    importlib.invalidate_caches()


def write_first() -> None:
    """The first migration of the shop, by `makemigrations`; once for all contenders."""
    call_command("makemigrations", "shop", verbosity=0)


def send(text: str) -> None:
    """One message, in the transaction that it is."""
    connection.ensure_connection()
    psycopg.ClientCursor(connection.connection).execute(text.encode())


def recorded(work: Callable[[], object]) -> list[str]:
    """The statements that make something while `work` runs."""
    kinds = ("CREATE", "ALTER", "COMMENT", "DROP", "DO", "GRANT")
    connection.force_debug_cursor = True
    connection.queries_log.clear()
    try:
        work()
        found = [str(query["sql"]).strip().rstrip(";") for query in connection.queries_log]
    finally:
        connection.force_debug_cursor = False
    return [text for text in found if text.startswith(kinds)]


class Peer(Side):
    """A package whose tenants are rows of `registry`, and are saved to have their schema made."""

    def install(self) -> None:
        self.migrate_shared()
        from tests.benchmarks.peers.registry import models  # what is there differs from peer to peer

        with connection.schema_editor() as editor:
            editor.create_model(models.Tenant)
            editor.create_model(models.Domain)
        self.make(FIRST)
        self.make(REFERENCE)
        tenant = models.Tenant.objects.get(schema_name=FIRST)
        models.Domain.objects.create(tenant=tenant, domain=self.host, is_primary=True)
        self.enter(tenant)
        from tests.benchmarks.peers.shop.views import fill

        fill()
        self.leave()

    def migrate_shared(self) -> None:
        """Make the tables of the public schema."""
        raise NotImplementedError

    def enter(self, tenant: Any) -> None:
        """Make a tenant the current one."""
        raise NotImplementedError

    def leave(self) -> None:
        """No longer."""
        raise NotImplementedError

    def make(self, name: str) -> None:
        from tests.benchmarks.peers.registry.models import Tenant

        Tenant(schema_name=name).save(verbosity=0)

    def drop(self, name: str) -> None:
        from tests.benchmarks.peers.registry.models import Tenant

        Tenant.objects.get(schema_name=name).delete(force_drop=True)

    def fill(self, number: int, ddl: list[str]) -> None:
        """The bare DDL, and copies of the first one's rows: what their own way makes, sooner."""
        from tests.benchmarks.peers.registry.models import Tenant

        self.leave()
        tables = ("django_content_type", "auth_permission", "django_migrations")
        for count in range(len(Tenant.objects.all()), number):
            name = f"s{count:04}"
            tenant = Tenant(schema_name=name)
            tenant.auto_create_schema = False
            tenant.save(verbosity=0)
            copies = [f'INSERT INTO "{name}".{table} TABLE "{FIRST}".{table}' for table in tables]
            ledger = f'CREATE TABLE "{name}".django_migrations (LIKE "{FIRST}".django_migrations INCLUDING ALL)'
            # LIKE makes an identity of its own, and the rows that are copied used it up to here.
            numbers = [f"SELECT setval(pg_get_serial_sequence('{name}.{table}', 'id'), 1000)" for table in tables]
            made = [text for text in ddl if "django_migrations" not in text]
            send(";\n".join([f'CREATE SCHEMA "{name}"; SET search_path TO "{name}"', *made, ledger, *copies, *numbers]))
            send("SET search_path TO public")


__all__ = ["FIRST", "Peer", "Side", "recorded", "send", "timed", "write", "write_first"]
