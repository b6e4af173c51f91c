"""The places of tenants: a schema or a database each, also those that wait for one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from ..fields import uuid7

#: The isolation of the place of a shard, which no tenant takes: see `lifecycle/shards.py`.
SHARD = "shard"


class PlaceState(models.TextChoices):
    """Where a place stands. A place that was taken is never ready again."""

    MAKING = "making"
    READY = "ready"
    TAKEN = "taken"
    LEAVING = "leaving"
    GONE = "gone"


class Place(models.Model):
    """A schema or a database for one tenant, whose uid is this one's. The name of the schema or database follows
    from it, see `isolation/`. `database` is where: a name in TENANTKIT_SERVERS, or empty. With the isolation `SHARD`
    it is the database of many tenants' schemas there.

    `left_by` is the uid of a tenant that left it, and has another home by now: the place's own is a new one then.

    `migrations` is the digest of the migrations that are applied in it (see `MigrationState`); `attempts`,
    `seconds` and `error` tell of the last try to make or migrate it.
    """

    uid: models.UUIDField[Any, Any] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    isolation: models.CharField[Any, Any] = models.CharField(max_length=20)
    database: models.CharField[Any, Any] = models.CharField(max_length=63, blank=True)
    state: models.CharField[Any, Any] = models.CharField(
        max_length=20, choices=PlaceState.choices, default=PlaceState.MAKING
    )
    migrations: models.CharField[Any, Any] = models.CharField(max_length=64, blank=True)
    attempts: models.PositiveIntegerField[Any, int] = models.PositiveIntegerField(default=0)
    seconds: models.FloatField[Any, float | None] = models.FloatField(null=True)
    error: models.TextField[Any, Any] = models.TextField(blank=True)
    created_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now_add=True)
    updated_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now=True)
    taken_at: models.DateTimeField[Any, datetime | None] = models.DateTimeField(null=True)
    left_by: models.UUIDField[Any, Any] = models.UUIDField(null=True, editable=False)
    drop_after: models.DateTimeField[Any, datetime | None] = models.DateTimeField(null=True)

    class Meta:
        ordering = ("uid",)
        indexes = (
            models.Index(
                fields=["isolation", "database"], condition=models.Q(state="ready"), name="tenantkit_ready_places"
            ),
        )

    def __str__(self) -> str:
        return f"{self.isolation} {self.uid}: {self.state}"


class MigrationState(models.Model):
    """A set of migrations that are applied in places: `names` lists them as `app.name`, and `digest` stands for
    them. So one query tells which places lag behind. `script` makes a home in that state, see `lifecycle/finished.py`;
    it is good for what `made_for` stands for, and None where a home is made by its migrations."""

    digest: models.CharField[Any, Any] = models.CharField(max_length=64, primary_key=True)
    names: models.JSONField[Any, Any] = models.JSONField(default=list)
    made_for: models.CharField[Any, Any] = models.CharField(max_length=64, blank=True)
    script: models.JSONField[Any, Any] = models.JSONField(null=True)
    created_at: models.DateTimeField[Any, datetime] = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.digest)
