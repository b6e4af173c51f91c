"""`python -m tests.migrating.killed_provisioning KILLS SEED`: makes tenants with schemas, and each time kills the
process at a statement chosen at random. Prints how many were killed when, and the slugs that were asked for."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter

import django

from tests.migrating.killed import MOMENTS, killed


def main(kills: int, seed: int) -> None:
    django.setup()
    from django_tenantkit.models import Tenant

    chance = random.Random(seed)
    found: Counter[str] = Counter()
    slugs = ["k0"]
    while sum(found.values()) < kills:
        moment = chance.choice(MOMENTS)
        wanted = ["create_tenant", slugs[-1], "--isolation", "schema"]
        # It may be refused: the server is not done yet with what the killed one sent.
        if killed(chance.randint(1, 90), moment, wanted, may_fail=True):
            found[moment] += 1
        elif Tenant.objects.filter(slug=slugs[-1], status="active").exists():
            slugs.append(f"k{len(slugs)}")
    print(json.dumps({"found": found, "slugs": slugs}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
