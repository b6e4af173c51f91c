"""`python -m tests.migrating.with_database`: a tenant's database beside the schemas, migrated by the same command. A
process of its own, as Django has to start with such tenants allowed."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import django
from django.core.management import call_command

ADD = """migrations.AddField("thing", "size", models.IntegerField(default=5)),"""


def main() -> None:
    django.setup()
    from django_tenantkit.lifecycle.databases import applied_in, drop_database
    from django_tenantkit.lifecycle.places import make_place
    from tests.migrating.project import HANDED_DOWN, HEAD

    given = json.loads(os.environ[HANDED_DOWN])
    call_command("migrate", verbosity=0)
    place = make_place("database")
    try:
        text = HEAD.format(extra="", after="0001_initial", atomic=True, operations=ADD, replaces="[]")
        (Path(given["root"]) / given["package"] / "0002_next.py").write_text(text)
        importlib.invalidate_caches()
        call_command("migrate", verbosity=0)
        call_command("migrate_tenants", "--all-tenants")
        print("evolving.0002_next" in applied_in(place.uid))
        call_command("migrate_tenants", "--check")
    finally:
        drop_database(place.uid)


if __name__ == "__main__":
    main()
