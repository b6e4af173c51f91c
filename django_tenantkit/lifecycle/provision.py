"""Making a tenant, in the steps that TENANTKIT_PROVISIONING lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.module_loading import import_string

from ..conf import conf
from ..context import unscoped
from ..exceptions import JobFailed, ProvisioningRefused
from ..models import AbstractTenant, Job, JobState, TenantIsolation, get_tenant_model
from ..names import clean_domain, validate_slug
from . import jobs
from .admins import clean_email
from .claims import refuse_taken
from .homes import tables_without_tenant
from .places import has_ready_place
from .steps import announce

PROVISION = jobs.Kind("provision", "create_tenant", ProvisioningRefused)


@dataclass(frozen=True)
class Plan:
    """What `provision()` is going to do: `job` is the unfinished one that it goes on with, if any, and
    `steps` are the names of those still to do."""

    slug: str
    domain: str
    arguments: dict[str, Any]
    job: Job | None
    steps: list[str]


@unscoped(reason="provisioning")
def provision(
    slug: str,
    name: str = "",
    *,
    domain: str | None = None,
    domain_verified: bool = False,
    admin_email: str | None = None,
    plan: str = "",
    settings: Mapping[str, Any] | None = None,
    isolation: str | None = None,
    database: str | None = None,
    progress: jobs.Progress | None = None,
) -> AbstractTenant:
    """Make a tenant and return it, active; or go on with the unfinished job that has the same arguments.

    `name` is the slug where it is left out. `domain` becomes the primary domain; it leads to the tenant
    once it is verified, which `domain_verified` says. The user with `admin_email` becomes a member with
    the role `admin`, and is made if unknown. `plan` and `settings` are stored with the tenant. `isolation` is
    one of TENANTKIT_ISOLATIONS, the first if left out; `database` names a place in TENANTKIT_SERVERS, and
    TENANTKIT_PLACEMENT chooses where it is left out.

    Raises `ProvisioningRefused`, with nothing changed, for names that are malformed, reserved or taken,
    and while an unfinished job with other arguments holds them; `JobFailed` when a step failed.
    """
    wanted = _look_at(
        slug,
        name,
        domain=domain,
        domain_verified=domain_verified,
        admin_email=admin_email,
        plan=plan,
        settings=settings,
        isolation=isolation,
        database=database,
    )
    return _run(_begin(slug, wanted), progress)


@unscoped(reason="provisioning")
def sign_up(slug: str, name: str = "", **wanted: Any) -> Job:
    """`provision()` for a web process, which makes no tables: with a place that is ready the tenant is made at once
    and is `job.tenant`; otherwise the job is left, `waiting`, to `fill_pool`. Takes the arguments of `provision()`
    and raises what it raises."""
    job = _begin(slug, _look_at(slug, name, **wanted))
    isolation, server = job.arguments["isolation"], job.arguments["database"]
    lacks_place = isolation != TenantIsolation.ROW and job.tenant is None
    if not lacks_place or has_ready_place(isolation, server):
        try:
            return jobs.run(PROVISION, job, _load_steps())
        except JobFailed:
            if not lacks_place or has_ready_place(isolation, server):
                raise  # otherwise somebody else took the last place meanwhile
    job.state, job.error = JobState.WAITING, ""
    job.save(update_fields=["state", "error", "updated_at"])
    return job


@unscoped(reason="provisioning")
def resume(uid: UUID | str, *, progress: jobs.Progress | None = None) -> AbstractTenant:
    """Go on with a job by its uid and return the tenant. A finished job stays as it is. Raises
    `ProvisioningRefused` when there is no such job or another process is at it, and `JobFailed`."""
    return _run(jobs.take_up(PROVISION, jobs.find(PROVISION, uid)), progress)


@unscoped(reason="provisioning")
def prepare(slug: str, name: str = "", **wanted: Any) -> Plan:
    """What `provision()` with these arguments would do. Raises what it would raise before its first
    step; changes nothing."""
    arguments = _look_at(slug, name, **wanted)
    job = jobs.unfinished(PROVISION, slug, arguments, arguments["domain"])
    if job is None:
        refuse_taken(slug, arguments["domain"])
    return Plan(slug, arguments["domain"], arguments, job, _remaining(job))


def _look_at(
    slug: str,
    name: str = "",
    *,
    domain: str | None = None,
    domain_verified: bool = False,
    admin_email: str | None = None,
    plan: str = "",
    settings: Mapping[str, Any] | None = None,
    isolation: str | None = None,
    database: str | None = None,
) -> dict[str, Any]:
    """The arguments of the job. Raises `ProvisioningRefused` for what could not be given to any tenant; whether the
    names are taken `jobs.begin()` finds out."""
    _load_steps()
    fields = {"name": name or slug, "plan": plan, "settings": dict(settings or {})}
    _validate(slug, fields)
    return {
        **fields,
        **_place(isolation, database, plan),
        "domain": _clean_domain(domain) if domain else "",
        "domain_verified": domain_verified,
        "admin_email": clean_email(admin_email) if admin_email else "",
    }


def _begin(slug: str, arguments: dict[str, Any]) -> Job:
    domain = arguments["domain"]
    return jobs.begin(PROVISION, slug, arguments, partial(refuse_taken, slug, domain), domain=domain)


@unscoped(reason="provisioning")
def prepare_resume(uid: UUID | str) -> Plan:
    """What `resume()` would do. Raises `ProvisioningRefused` when there is no such job."""
    job = jobs.find(PROVISION, uid)
    return Plan(job.slug, job.domain, job.arguments, job, _remaining(job))


def _remaining(job: Job | None) -> list[str]:
    """The names of the steps that are not done yet."""
    return [name for name in _load_steps() if job is None or name not in job.steps_done]


def _run(job: Job, progress: jobs.Progress | None) -> AbstractTenant:
    tenant: AbstractTenant | None = jobs.run(PROVISION, job, _load_steps(), progress).tenant
    if tenant is None:
        raise ProvisioningRefused("No step made a tenant. Put `make_tenant` into TENANTKIT_PROVISIONING.")
    return tenant


def _load_steps() -> dict[str, jobs.Step]:
    try:
        steps = {path: import_string(path) for path in conf.PROVISIONING}
    except ImportError as error:
        raise ProvisioningRefused(f"TENANTKIT_PROVISIONING names a step that is not there: {error}") from error
    return steps | {f"{announce.__module__}.{announce.__name__}": announce}


def _clean_domain(domain: str) -> str:
    try:
        return clean_domain(domain)
    except ValidationError as error:
        raise ProvisioningRefused(_said(error)) from error


def _place(isolation: str | None, server: str | None, plan: str) -> dict[str, str]:
    wanted = _clean_isolation(isolation)
    if server is None:
        policy: Callable[[str, str], str] = import_string(conf.PLACEMENT)
        server = policy(wanted, plan)
    return {"isolation": wanted, "database": _clean_server(server, wanted)}


def _clean_isolation(isolation: str | None) -> str:
    isolation = str(conf.ISOLATIONS[0]) if isolation is None else isolation
    if isolation == TenantIsolation.ROW and (tables := tables_without_tenant()):
        raise ProvisioningRefused(
            f"The tables {', '.join(tables)} have no tenant's column (TENANTKIT_TENANT_APPS), so a row tenant cannot "
            'share them. Give the tenant another isolation, such as "schema".'
        )
    if isolation not in conf.ISOLATIONS:
        raise ProvisioningRefused(
            f"The isolation {isolation!r} is not among those of this deployment, {', '.join(conf.ISOLATIONS)} "
            "(TENANTKIT_ISOLATIONS)."
        )
    return isolation


def _clean_server(name: str, isolation: str) -> str:
    if name and name not in conf.SERVERS:
        raise ProvisioningRefused(f"TENANTKIT_SERVERS has no entry {name!r}. Leave it out for the main database's.")
    if name and isolation == TenantIsolation.ROW:
        raise ProvisioningRefused(
            f"On the server {name!r} tenants have schemas or databases: row tenants share the tables of the main "
            'database, which unscoped code reaches. Give it "schema" or "database", or leave the server out.'
        )
    return name


def _validate(slug: str, fields: dict[str, Any]) -> None:
    """Raise `ProvisioningRefused` for values that the tenant's fields or the database do not take."""
    model = get_tenant_model()
    others = {field.name for field in model._meta.fields} - {"slug", *fields}
    try:
        validate_slug(slug)
        stored = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
        model(slug=slug, **fields).clean_fields(exclude=others)
    except ValidationError as error:
        raise ProvisioningRefused(_said(error)) from error
    except (TypeError, ValueError) as error:
        raise ProvisioningRefused(f"The tenant's values cannot be stored as JSON: {error}.") from error
    if rb"\u0000" in stored:
        raise ProvisioningRefused("The tenant's values contain a null character. Leave it out.")


def _said(error: ValidationError) -> str:
    """The messages in one line, with the names of the fields where Django's leave them out."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{field}: {' '.join(found)}" for field, found in error.message_dict.items())
