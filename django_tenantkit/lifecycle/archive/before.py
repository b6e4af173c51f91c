"""What was loaded into a tenant before: rows whose keys were replaced then are not recognised now."""

from __future__ import annotations

from typing import Any

from ...exceptions import ArchiveRefused
from ...models import Job, JobState
from ..claims import digest_of
from .checking import Checked

#: The kinds of jobs that load rows.
_KINDS = ("import", "clone")


def refuse_unknown(checked: Checked, tenant: Any) -> None:
    """Raise `ArchiveRefused` where rows of the archive's tenant were given new keys on their way into this one: they
    would be there twice. An archive of this tenant that was made since then has the new keys."""
    of = checked.manifest["tenant"]["uid"]
    jobs = Job.objects.filter(tenant=tenant, kind__in=_KINDS, state=JobState.DONE, result__of=digest_of(of))
    job = jobs.exclude(result__remapped={}).order_by("-created_at").first()
    if job is None or (of == str(tenant.uid) and checked.made_at is not None and checked.made_at > job.updated_at):
        return
    raise ArchiveRefused(
        f"{sum(job.result['remapped'].values())} rows of the archive's tenant were given new keys when they came into "
        f"{tenant.slug!r} (job {job.uid}), so they would be there twice. Make another tenant with `--as`, or say "
        "`--remap` to have all of them once more."
    )
