"""The ledger: what was begun for a tenant, how far it came, how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from ..fields import TenantReference, uuid7


class JobState(models.TextChoices):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"
    GIVEN_UP = "given up"


#: States in which nobody goes on with a job.
ENDED = (JobState.DONE, JobState.GIVEN_UP)


class Job(models.Model):
    """A long job on one tenant. `steps` lists the steps that are done: name, when, seconds. A job that
    is not done is called again by its `uid` or with the same arguments, and goes on after them.

    An unfinished job holds its `slug` and `domain`: no other of its kind can claim them; and its `tenant`: no other
    job of any kind is begun on it. `attempts` counts who took it up, and only the last one may go on with it. `by` is
    who began it, and `result` what came of it: numbers of rows, checksums.
    """

    uid: models.UUIDField[Any, Any] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind: models.CharField[Any, Any] = models.CharField(max_length=50)
    slug: models.CharField[Any, Any] = models.CharField(max_length=63)
    domain: models.CharField[Any, Any] = models.CharField(max_length=253, blank=True)
    tenant = TenantReference(null=True, blank=True, related_name="+")
    arguments: models.JSONField[Any, Any] = models.JSONField(default=dict)
    state: models.CharField[Any, Any] = models.CharField(
        max_length=20, choices=JobState.choices, default=JobState.RUNNING
    )
    steps: models.JSONField[Any, Any] = models.JSONField(default=list)
    attempts: models.PositiveIntegerField[Any, int] = models.PositiveIntegerField(default=1)
    by: models.CharField[Any, Any] = models.CharField(max_length=150, blank=True)
    result: models.JSONField[Any, Any] = models.JSONField(default=dict)
    error: models.TextField[Any, Any] = models.TextField(blank=True)
    created_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now_add=True)
    updated_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "slug"],
                condition=~models.Q(state__in=["done", "given up"]),
                name="tenantkit_one_open_job",
            ),
            models.UniqueConstraint(
                fields=["kind", "domain"],
                condition=~models.Q(state__in=["done", "given up"]) & ~models.Q(domain=""),
                name="tenantkit_one_open_claim",
            ),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=~models.Q(state__in=["done", "given up"]),
                name="tenantkit_one_job_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.slug}: {self.state}"

    @property
    def steps_done(self) -> list[str]:
        """The names of the steps that are done."""
        return [step["name"] for step in self.steps]
