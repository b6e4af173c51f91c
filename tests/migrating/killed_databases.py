"""`python -m tests.migrating.killed_databases KILLS SEED`: makes tenants with databases, takes those away, brings them
back and drops them, and each time kills the process at a statement chosen at random. A rerun of the same command
completes it. Prints what is there in the end."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import django
from django.core.management import call_command
from django.db import connections

from tests.migrating.killed import MOMENTS, killed


class Killer:
    """Runs a command until it ends by itself, and kills it before that, some times."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.found: Counter[str] = Counter()

    def run(self, *command: str, statements: Sequence[int]) -> None:
        moment = self.chance.choice(MOMENTS)
        place = self.chance.randint(1, self.chance.choice(statements))
        # It may be refused: the server is not done yet with what the killed one sent.
        if killed(place, moment, command, may_fail=True):
            self.found[moment] += 1

    @property
    def kills(self) -> int:
        return sum(self.found.values())


def names() -> list[str]:
    """The databases beside the main one that belong to it, without its name."""
    from django_tenantkit.isolation.entries import database_name

    nobody = UUID(int=0)
    prefix = database_name(connections["default"].settings_dict["NAME"], nobody).removesuffix(f"t_{nobody.hex}")
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        return sorted(name.removeprefix(prefix) for (name,) in cursor.fetchall())


def made(killer: Killer, kills: int) -> list[Any]:
    """Tenants that were made meanwhile."""
    from django_tenantkit.models import Job, Tenant

    slugs = ["k0"]
    while killer.kills < kills:
        killer.run("create_tenant", slugs[-1], "--isolation", "database", statements=(20, 100, 900))
        if Job.objects.filter(slug=slugs[-1], state="done").exists():
            slugs.append(f"k{len(slugs)}")
    call_command("create_tenant", slugs[-1], "--isolation", "database", stdout=sys.stderr)
    return [Tenant.objects.get(slug=slug) for slug in slugs]


def moved(killer: Killer, kills: int, slug: str) -> None:
    """Take a tenant's database away and bring it back, again and again."""
    while killer.kills < kills:
        killer.run("retire_home", slug, "--yes-retire", slug, statements=(60,))
        killer.run("retire_home", slug, "--undo", statements=(60,))


def dropped(killer: Killer, tenants: Sequence[Any]) -> None:
    """Drop the databases of tenants."""
    from django_tenantkit.models import Place

    for tenant in tenants:
        call_command("suspend_tenant", tenant.slug, stdout=sys.stderr)
        call_command("retire_home", tenant.slug, "--yes-retire", tenant.slug, "--days", "0", stdout=sys.stderr)
    while Place.objects.filter(state="leaving").exists():
        killer.run("fill_pool", statements=(60,))


def main(kills: int, seed: int) -> None:
    django.setup()
    from django_tenantkit import tenant_context
    from django_tenantkit.isolation.entries import SHARED
    from django_tenantkit.lifecycle.audit.run import chosen
    from django_tenantkit.lifecycle.audit.tenants import audit_databases
    from django_tenantkit.models import Job, Place
    from tests.testapp.models import Customer

    call_command("migrate", verbosity=0)  # databases of tenants are allowed from here on
    killer = Killer(seed)
    tenants = made(killer, kills)
    told: dict[str, Any] = {
        "made": [tenant.uid.hex for tenant in tenants],
        "there": names(),
        "places": {place.uid.hex: place.state for place in Place.objects.filter(isolation="database")},
        "jobs": sorted(set(Job.objects.values_list("state", flat=True))),
        "findings": [finding.fact for finding in audit_databases(chosen()).findings],
    }
    kept, *others = tenants
    with tenant_context(kept):
        Customer.objects.create(name="kept")
    call_command("suspend_tenant", kept.slug, stdout=sys.stderr)
    moved(killer, 2 * kills, kept.slug)
    call_command("retire_home", kept.slug, "--yes-retire", kept.slug, stdout=sys.stderr)
    call_command("retire_home", kept.slug, "--undo", stdout=sys.stderr)
    with tenant_context(kept):
        told["kept"] = list(Customer.objects.values_list("name", flat=True))
    dropped(killer, others)
    told["left"] = names()
    told["findings"] += [finding.fact for finding in audit_databases(chosen()).findings]
    told["gone"] = sorted(place.uid.hex for place in Place.objects.filter(state="gone"))
    with connections[SHARED].as_system(), connections[SHARED].cursor() as cursor:
        cursor.execute("SELECT DISTINCT home FROM tenantkit.copies")
        told["copies"] = [home for (home,) in cursor.fetchall()]
    told["kills"] = killer.kills
    call_command("retire_home", kept.slug, "--yes-retire", kept.slug, "--days", "0", stdout=sys.stderr)
    call_command("fill_pool", stdout=sys.stderr)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
