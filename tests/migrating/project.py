"""A project whose app `evolving` gets its migrations from a test, and a database of its own."""

from __future__ import annotations

import importlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import override_settings
from psycopg import sql

from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.lifecycle.snapshot.comparing import facts
from django_tenantkit.models import Place
from django_tenantkit.testing.tenants import make_tenant
from tests import databases
from tests.guard.migrating import superuser
from tests.lifecycle.helpers import Ran

APP = "tests.migrating.evolving"
FIRST = Path(__file__).parent / "evolving" / "migrations" / "0001_initial.py"

#: Tells a process of a test where the migrations are, and in which database.
HANDED_DOWN = "TENANTKIT_TEST_EVOLVING"

HEAD = """
from django.db import migrations, models
import django.utils.timezone
import django_tenantkit.fields
import django_tenantkit.constraints
from django_tenantkit import unscoped

{extra}

class Migration(migrations.Migration):
    dependencies = [("evolving", "{after}")]
    atomic = {atomic}
    replaces = {replaces}
    operations = [{operations}]
"""


def configured(package: str) -> dict[str, Any]:
    """What differs in the settings."""
    apps = list(settings.INSTALLED_APPS)
    return {
        "INSTALLED_APPS": apps if APP in apps else [*apps, APP],
        "MIGRATION_MODULES": {"evolving": package},
        "TENANTKIT_ISOLATIONS": ["row", "schema"],
        "TENANTKIT_ROW_SCHEMA": "rows",
    }


class Project:
    """The migrations that were written so far, in the directory `root`, and tenants that have schemas."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.package = f"evolving_{secrets.token_hex(4)}"
        self.folder = root / self.package
        self.folder.mkdir()
        (self.folder / "__init__.py").touch()
        (self.folder / "0001_initial.py").write_text(FIRST.read_text())
        self.last = "0001_initial"
        sys.path.insert(0, str(root))

    def write(
        self,
        operations: str,
        *,
        extra: str = "",
        atomic: bool = True,
        name: str = "",
        replaces: str = "[]",
        after: str = "",
    ) -> str:
        """Write the next migration; its name."""
        name = name or f"{int(self.last[:4]) + 1:04}_next"
        text = HEAD.format(
            extra=extra, after=after or self.last, atomic=atomic, operations=operations, replaces=replaces
        )
        (self.folder / f"{name}.py").write_text(text)
        self.last = name
        importlib.invalidate_caches()
        return name

    def migrate(self, *arguments: str) -> None:
        """Migrate the main database."""
        call_command("migrate", *arguments, verbosity=0)

    def tenants(self, number: int) -> list[Any]:
        """New tenants that have schemas."""
        for _ in range(number - Place.objects.filter(state="ready").count()):
            make_place("schema")
        found = self.__dict__.setdefault("count", 0)
        self.count = found + number
        with transaction.atomic():
            return [make_tenant(f"t{found + each}", isolation="schema") for each in range(number)]

    def child(
        self,
        module: str,
        *arguments: str,
        isolations: Sequence[str] = ("row", "schema"),
        tenant_apps: Sequence[str] = (),
        servers: dict[str, Any] | None = None,
    ) -> subprocess.Popen[str]:
        """A Python process on this project."""
        entry = json.loads(os.environ[databases.HANDED_DOWN]) | {"NAME": connection.settings_dict["NAME"]}
        given = {
            "root": str(self.root),
            "package": self.package,
            "isolations": list(isolations),
            "servers": servers or {},
            "tenant_apps": list(tenant_apps),
        }
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=os.environ
            | {
                databases.HANDED_DOWN: json.dumps(entry),
                HANDED_DOWN: json.dumps(given),
                "DJANGO_SETTINGS_MODULE": "tests.migrating.settings",
            },
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def close(self) -> None:
        sys.path.remove(str(self.root))


@contextmanager
def database(template: str) -> Iterator[str]:
    """A copy of a database that nobody is connected to, in which `connection` is meanwhile."""
    before, name = connection.settings_dict["NAME"], f"{databases.PREFIX}_{secrets.token_hex(4)}"
    connections.close_all()
    with databases.as_admin() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    with databases.as_admin(name) as admin:
        databases._set_up(admin, connection.settings_dict)
    connection.settings_dict["NAME"] = name
    try:
        yield name
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = before
        with databases.as_admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def in_project(package: str) -> Iterator[None]:
    """The settings of a project meanwhile."""
    with override_settings(**configured(package)):
        yield


def run(*arguments: str) -> Ran:
    """Run `migrate_tenants`."""
    return Ran("migrate_tenants", *arguments)


def catalog(uid: UUID) -> list[str]:
    """All that PostgreSQL knows of a home, without what names it."""
    with superuser() as admin, admin.transaction(), admin.cursor() as cursor:
        return facts(cursor, schema_name(uid))


def recorded(uid: UUID) -> list[str]:
    """What a home has on record of the app."""
    with superuser() as admin:
        query = sql.SQL("SELECT name FROM {}.django_migrations WHERE app = 'evolving' ORDER BY name")
        return [name for (name,) in admin.execute(query.format(sql.Identifier(schema_name(uid)))).fetchall()]


def ask(query: str) -> list[Any]:
    """What a superuser gets in answer."""
    with superuser() as admin:
        return [row[0] if len(row) == 1 else row for row in admin.execute(query).fetchall()]


def tell(statement: str) -> None:
    """Run a statement as a superuser."""
    with superuser() as admin:
        admin.execute(statement)


def add_thing(tenant: Any, name: str = "") -> None:
    """A row in a tenant's home; its name is the tenant's slug."""
    values = f"(gen_random_uuid(), '{name or tenant.slug}', {tenant.pk})"
    tell(f"INSERT INTO {schema_name(tenant.uid)}.evolving_thing (id, name, tenant_id) VALUES {values}")


def things(tenant: Any, columns: str = "name") -> list[Any]:
    """What the rows of a tenant's home say."""
    return ask(f"SELECT {columns} FROM {schema_name(tenant.uid)}.evolving_thing ORDER BY name")
