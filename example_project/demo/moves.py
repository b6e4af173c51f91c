"""A tenant that moves while the site answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from django_tenantkit.lifecycle.move.run import move
from example_project.work.models import Task

from .client import Answer, Client
from .tour import Tour


def moving(tour: Tour) -> None:
    """initech moves: from its database to shared tables, to a schema and back, while the site answers"""
    initech, tenant = tour.initech, tour.site.initech
    began = tenant.isolation
    theirs, number = tour.some(tour.site.acme, Task), tour.count(tenant, Task)
    for isolation in [one for one in settings.TENANTKIT_ISOLATIONS if one != began] + [began]:
        with asked(tour.acme, "GET /api/tasks/") as answers, asked(initech, "GET /api/tasks/") as own:
            job = move(tenant, isolation)
        tenant.refresh_from_db()
        rows = sum(table["rows"] for table in job.result["tables"].values())
        tour.judge(f"acme, asked {len(answers)} times while {rows} rows moved to {isolation}", 200, worst(answers))
        served = [answer for answer in own if answer.status != 503]
        tour.judge(f"initech meanwhile: served {len(served)} times, else told to wait", 200, worst(served or own[-1:]))
        tour.ask(
            "its tasks are all there", 200, initech, "GET /api/tasks/", check=lambda a: a.json()["count"] == number
        )
        tour.ask("and none of acme's", 404, initech, f"GET /api/tasks/{theirs.pk}/")


@contextmanager
def asked(client: Client, request: str) -> Iterator[list[Answer]]:
    """The answers to a request that is sent again and again meanwhile, once at least."""
    method, path = request.split(" ", 1)
    answers: list[Answer] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answers.append(client.send(method, path))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()
        answers.append(client.send(method, path))


def worst(answers: list[Answer]) -> Answer:
    """The first that is not 200, or the last."""
    return next((answer for answer in answers if answer.status != 200), answers[-1])
