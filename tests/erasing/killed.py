"""`python -m tests.erasing.killed ISOLATION SEED DIRECTORY`: erases acme, and each time kills that with signal 9 at a
statement chosen at random, until there is nothing left to kill. Prints how often, and what is left of both tenants."""

from __future__ import annotations

import json
import random
import sys

import django
from django.db import transaction
from django.test import override_settings

COMMAND = ["erase_tenant", "acme", "--yes-erase", "acme", "--now"]

#: More than enough to come to the end.
ATTEMPTS = 60


def main(isolation: str, seed: int, directory: str) -> None:
    django.setup()
    from django.core.management import call_command

    from django_tenantkit.models import Job
    from tests.erasing.world import World, files_with, holding, marker, rows_of
    from tests.migrating.killed import MOMENTS, killed

    chance = random.Random(seed)
    with override_settings(MEDIA_ROOT=directory, TENANTKIT_LOOKUP_SECONDS=0):
        world = World(isolation)
        before = rows_of(world.globex)
        kills = 0
        for _ in range(ATTEMPTS):
            was_killed = killed(chance.randint(1, 40 + kills * 10), chance.choice(MOMENTS), COMMAND, may_fail=True)
            kills += was_killed
            with transaction.atomic():  # the server has noticed when the dead connection's locks are gone
                list(Job.objects.select_for_update())
            job = Job.objects.filter(kind="erase", slug="acme").first()
            if job is not None and job.state == "done":
                break
        else:
            call_command(*COMMAND)
        job.refresh_from_db()
        left = {
            "kills": kills,
            "state": job.state,
            "rows": job.result["certificate"]["rows"],
            "tables": sorted(holding(marker("acme"))),
            "files": [str(path) for path in files_with(marker("acme"))],
            "globex": rows_of(world.globex) == before,
        }
        sys.stdout.write(json.dumps(left))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
