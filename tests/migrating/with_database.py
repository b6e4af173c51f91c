"""`python -m tests.migrating.with_database`: a tenant's database beside the schemas, migrated by the same command:
forwards, backwards, on record only, and with a migration that looks at rows. Prints what was found, as JSON. A process
of its own, as Django has to start with such tenants allowed."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connections

SIZE = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""
MARK = """migrations.RunPython(mark, unmark),"""
CODE = """
from django_tenantkit import for_each_tenant, get_current_tenant, unscoped

def mark(apps, editor):
    if get_current_tenant() is not None:
        apps.get_model("evolving", "Thing").objects.update(name=f"marked by {get_current_tenant().slug}")
    seen = for_each_tenant(lambda tenant: None, reason="who is here")
    print("HERE", editor.connection.alias, *(tenant.slug for tenant in seen))

def unmark(apps, editor):
    if get_current_tenant() is not None:
        with unscoped(reason="data migration", rows_only=True):
            apps.get_model("evolving", "Thing").objects.update(name="unmarked")
"""


def write(name: str, after: str, operations: str, extra: str = "") -> None:
    from tests.migrating.project import HANDED_DOWN, HEAD

    given = json.loads(os.environ[HANDED_DOWN])
    text = HEAD.format(extra=extra, after=after, atomic=True, operations=operations, replaces="[]")
    (Path(given["root"]) / given["package"] / f"{name}.py").write_text(text)
    importlib.invalidate_caches()


class Home:
    """A tenant with a database."""

    def __init__(self, tenant: Any) -> None:
        self.tenant = tenant

    def ask(self, query: str) -> list[Any]:
        connection = connections[self.tenant.home.database]
        with connection.as_system(), connection.cursor() as cursor:
            cursor.execute(query)
            return [row[0] for row in cursor.fetchall()]

    def look(self) -> dict[str, Any]:
        """What is on record of the app, the columns of its table, and the names in it."""
        columns = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'rows.evolving_thing'::regclass "
        return {
            "applied": self.ask("SELECT name FROM django_migrations WHERE app = 'evolving' ORDER BY 1"),
            "columns": self.ask(columns + "AND attnum > 0 AND NOT attisdropped AND attname = 'size'"),
            "rows": self.ask("SELECT name FROM rows.evolving_thing"),
        }


def migrate_tenants(*more: str) -> None:
    call_command("migrate_tenants", "--all-tenants", *more, stdout=sys.stderr)


def main() -> None:
    django.setup()
    from django_tenantkit import tenant_context
    from django_tenantkit.lifecycle.databases import drop_database
    from django_tenantkit.lifecycle.places import make_place
    from django_tenantkit.testing.tenants import make_tenant
    from tests.testapp.models import Tag

    call_command("migrate", verbosity=0)
    place = make_place("database")
    make_tenant("acme", isolation="row")
    home = Home(make_tenant("initech", isolation="database", uid=place.uid))
    app = ("--app-label", "evolving", "--target")
    found: dict[str, Any] = {}
    try:
        with tenant_context(home.tenant):
            Tag.objects.create(label="x")  # brings the tenant's own row
        home.ask(
            "INSERT INTO rows.evolving_thing (id, name, tenant_id) VALUES "
            f"(gen_random_uuid(), 'first', {home.tenant.pk}) RETURNING name"
        )
        write("0002_size", "0001_initial", SIZE)
        write("0003_mark", "0002_size", MARK, CODE)
        call_command("migrate", verbosity=0)
        migrate_tenants()
        found["forwards"] = home.look()
        migrate_tenants(*app, "0001")
        found["backwards"] = home.look()
        migrate_tenants(*app, "0002", "--fake")
        found["on record"] = home.look()
        migrate_tenants(*app, "0001", "--fake")
        found["off the record"] = home.look()
        migrate_tenants(*app, "0002")
        found["one of two"] = home.look()
        call_command("migrate_tenants", "--all-tenants", "--app-label", "evolving", stdout=sys.stderr)
        found["again"] = home.look()
        call_command("migrate_tenants", "--check", stdout=sys.stderr)
        write("0004_broken", "0003_mark", "migrations.RunSQL('SELECT 1 / 0'),")
        found["failed"] = failed()
        found["after the failure"] = home.look()
    finally:
        drop_database(place.uid)
    print(json.dumps(found))


def failed() -> str:
    from django_tenantkit.lifecycle.migrating.plans import Wanted
    from django_tenantkit.lifecycle.migrating.run import migrate_tenants as migrate

    call_command("migrate", "evolving", "0004", fake=True, verbosity=0)
    report = migrate(None, Wanted())
    return "; ".join(f"{one.name}: {one.error[:60]}" for one in report.failed)


if __name__ == "__main__":
    main()
