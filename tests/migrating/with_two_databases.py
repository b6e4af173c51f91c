"""`python -m tests.migrating.with_two_databases`: two tenants' databases and a migration that goes on in one when it is
at work in the other too. Prints what became of it, as JSON."""

from __future__ import annotations

import json
from typing import Any

import django
from django.core.management import call_command

MEET = "migrations.RunPython(meet, meet),"
CODE = """
from threading import Barrier
from django_tenantkit import get_current_tenant

BOTH = Barrier(2, timeout=60)

def meet(apps, editor):
    if get_current_tenant() is not None:
        BOTH.wait()
"""


def main() -> None:
    django.setup()
    from django_tenantkit.lifecycle.databases import drop_database
    from django_tenantkit.lifecycle.migrating.run import Options, migrate_tenants
    from django_tenantkit.lifecycle.places import make_place
    from django_tenantkit.testing.tenants import make_tenant
    from tests.migrating.with_database import write

    call_command("migrate", verbosity=0)
    places = [make_place("database") for _ in range(2)]
    try:
        for number, place in enumerate(places):
            make_tenant(f"t{number}", isolation="database", uid=place.uid)
        write("0002_meet", "0001_initial", MEET, CODE)
        call_command("migrate", verbosity=0)
        report = migrate_tenants([place.uid for place in places], options=Options(workers=2))
        found: dict[str, Any] = {one.name: one.error for one in report.outcomes}
    finally:
        for place in places:
            drop_database(place.uid)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
