"""The moment at which a tenant lives elsewhere: one transaction of the main database, which holds its job."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connections, router
from django.utils import timezone

from ...conf import conf
from ...exceptions import MoveRefused
from ...isolation.schema import left_name, schema_name
from ...models import Job, Place, TenantIsolation, get_tenant_model
from ...sql import moving as sql
from ...sql.homes import rename_schema
from ...sql.places import KEY as PLACE_KEY
from .sides import Side, Spot


def source_of(job: Job) -> Spot:
    """Where the tenant comes from."""
    return Spot(job.result["from"]["isolation"], job.result["from"]["database"], job.tenant.uid)


def target_of(job: Job) -> Spot:
    """Where it goes to."""
    return Spot(job.arguments["to"], job.arguments["database"], job.tenant.uid)


def is_mine(main: Any, job: Job) -> None:
    """Hold the job until the end of the transaction. Raises `MoveRefused` where another process took it up."""
    (attempts,) = main.execute(sql.LOCK_JOB.format(**_names()), [job.pk]).fetchone()
    if attempts != job.attempts:
        raise MoveRefused(f"Job {job.uid} on {job.slug!r} was taken up by another process, which goes on with it.")


def keep_result(main: Any, job: Job) -> None:
    """Write the job's result, in the transaction that is open."""
    main.execute(sql.KEEP_RESULT.format(**_names()), [json.dumps(job.result), job.pk])


def has_moved(main: Any, job: Job) -> bool:
    """Whether the tenant lives in the new place already. From here to the end of the transaction the job, the tenant
    and its place are ours. Raises `MoveRefused` where another process took the job up."""
    main.execute(f"SELECT pg_advisory_xact_lock({PLACE_KEY.format('%s')})", [str(job.tenant.uid)])
    is_mine(main, job)
    isolation, server, _ = main.execute(sql.LOCK_TENANT.format(**_names()), [job.tenant.pk]).fetchone()
    return bool((isolation, server) == (target_of(job).isolation, target_of(job).server))


def switch(main: Any, job: Job, source: Side) -> None:
    """Say that it lives there, and what becomes of what it leaves."""
    target, names = target_of(job), _names()
    given = {
        "uid": job.tenant.uid,
        "left": job.uid,
        "after": timezone.now() + timedelta(days=conf.GRACE_DAYS),
        "isolation": target.isolation,
        "server": source.spot.server if source.spot.is_shared else target.server,
        "migrations": job.result["migrations"],
    }
    main.execute((sql.LEFT_ROWS if source.spot.is_shared else sql.LEAVE).format(**names), given)
    if source.spot.isolation == TenantIsolation.SCHEMA and source.is_main:
        main.execute(rename_schema(schema_name(job.tenant.uid), left_name(job.uid)))
    if not target.is_shared:
        main.execute(sql.ENTER.format(**names), {**given, "server": target.server})
    main.execute(sql.SWITCH.format(**names), [target.isolation, target.server, job.tenant.pk])
    keep_result(main, job)


def _names() -> dict[str, str]:
    tenant, quote = get_tenant_model()._meta, connections[router.db_for_write(Job)].ops.quote_name
    return {
        "tenant": f"public.{quote(tenant.db_table)}",
        "key": quote(str(tenant.pk.column)),
        "job": f"public.{quote(Job._meta.db_table)}",
        "place": f"public.{quote(Place._meta.db_table)}",
    }
