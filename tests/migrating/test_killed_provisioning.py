"""kill -9 at random points of provisioning a schema: every tenant that was asked for is there in the end, once."""

from __future__ import annotations

import json

from django_tenantkit.lifecycle.finished import REFERENCE
from django_tenantkit.models import Job, JobState, Place, PlaceState, Tenant
from tests.lifecycle.helpers import Ran
from tests.migrating.project import Project, ask, catalog

KILLS = 50


def test_fifty_kills(project: Project) -> None:
    with project.child("tests.migrating.killed_provisioning", str(KILLS), "11") as process:
        printed, complained = process.communicate()
    assert process.returncode == 0, complained
    numbers = json.loads(printed.splitlines()[-1])
    assert sum(numbers["found"].values()) == KILLS
    ran = Ran("create_tenant", numbers["slugs"][-1], "--isolation", "schema")
    assert ran.code == 0, ran.complaint
    tenants = list(Tenant.objects.filter(slug__in=numbers["slugs"], status="active"))
    assert sorted(tenant.slug for tenant in tenants) == sorted(numbers["slugs"])
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.DONE}
    taken = set(Place.objects.filter(state=PlaceState.TAKEN).values_list("pk", flat=True))
    assert taken == {tenant.uid for tenant in tenants}
    schemas = ask("SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_[0-9a-f]{32}$'")
    assert set(schemas) - {f"t_{REFERENCE.hex}"} == {
        f"t_{uid.hex}" for uid in Place.objects.values_list("pk", flat=True)
    }
    first, *others = [catalog(tenant.uid) for tenant in tenants]
    assert others == [first] * len(others)
