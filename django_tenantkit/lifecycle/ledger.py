"""What places tell of the last try to make or migrate them."""

from __future__ import annotations

import time
from contextlib import suppress

from django.db import Error

from ..models import MigrationState, Place, PlaceState
from .homes import digest_of


def note(place: Place, names: list[str], began: float) -> None:
    """Note the state of a place that is whole, with the migrations that it has on record, since when somebody was at
    it."""
    digest = digest_of(names)
    MigrationState.objects.get_or_create(digest=digest, defaults={"names": names})
    noted = {
        "state": place.state,
        "migrations": digest,
        "seconds": round(time.monotonic() - began, 3),
        "attempts": place.attempts + 1,
        "error": "",
    }
    Place.objects.update_or_create(
        pk=place.uid,
        defaults=noted,
        create_defaults={**noted, "isolation": place.isolation, "database": place.database},
    )


def note_failure(place: Place, error: Exception) -> None:
    """Note why a place could not be made."""
    with suppress(Error):  # where the database is out of reach, that is what is raised
        place.state, place.attempts = PlaceState.MAKING, place.attempts + 1
        place.error = f"{type(error).__name__}: {error}"
        place.save()
