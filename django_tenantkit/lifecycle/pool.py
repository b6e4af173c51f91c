"""The warm pool: places that wait for tenants, so that signing up makes no tables. `fill_pool` runs this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connections, router

from ..conf import conf
from ..context import unscoped
from ..exceptions import JobFailed, TenantkitError
from ..models import Job, JobState, Place, PlaceState
from .leaving import drop_if_over, left_places
from .limits import apply_limits
from .places import make_place
from .provision import PROVISION, resume

#: Told after each: how many are done, of how many, and what it was.
Progress = Callable[[int, int, str], None]


@dataclass
class Filled:
    """What was done: tenants that waited for a place, places that were made, places that were dropped; what
    failed, jobs by slug, places that were to be dropped and places on other servers, with what was said; and tenants
    whose databases got the connection limit of their plan."""

    tenants: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    dropped: list[Place] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    limited: list[str] = field(default_factory=list)


def wanted() -> list[tuple[str, str]]:
    """The isolation and the server of each place that is missing from the pool."""
    ready = Place.objects.filter(state=PlaceState.READY)
    found = []
    for where, number in conf.WARM_POOL.items():
        isolation, _, server = where.partition("@")
        missing = number - ready.filter(isolation=isolation, database=server).count()
        found += [(isolation, server)] * missing
    return found


def waiting() -> list[Job]:
    """The jobs of those who signed up while no place was ready, the oldest first."""
    return list(Job.objects.filter(kind=PROVISION.name, state=JobState.WAITING).order_by("created_at"))


@unscoped(reason="warm pool")
def fill_pool(progress: Progress | None = None) -> Filled:
    """Finish what waits for a place, make the places that TENANTKIT_WARM_POOL wants, and drop those whose grace is
    over. A job that fails is recorded as such and keeps nothing else from being done; so is a place that cannot be
    dropped."""
    done = Filled()
    for job in waiting():
        try:
            done.tenants.append(resume(job.uid).slug)
        except JobFailed as error:
            done.failed[job.slug] = str(error)
    missing = wanted()
    connection: Any = connections[router.db_for_write(Place)]
    with connection.as_system():  # one login for all of them
        for number, (isolation, server) in enumerate(missing, 1):
            try:
                done.places.append(make_place(isolation, server))
            except (Error, TenantkitError) as error:
                if not server:
                    raise
                done.failed[f"{isolation}@{server}"] = str(error)  # the other servers' are made all the same
            if progress is not None:
                progress(number, len(missing), isolation)
    done.limited = apply_limits()
    for uid in left_places():
        try:
            place = drop_if_over(uid)
        except Exception as error:
            done.failed[f"place {uid}"] = str(error)
        else:
            done.dropped += [place] if place is not None else []
    return done


def described(place: Any) -> dict[str, Any]:
    """A place as commands print it in JSON."""
    return {"uid": str(place.uid), "isolation": place.isolation, "database": place.database, "state": str(place.state)}
