"""The steps of provisioning: functions `step(job)`, named in TENANTKIT_PROVISIONING.

A step reads `job.arguments` and, once `make_tenant` is done, `job.tenant`, inside which it runs. What it
writes to the database is kept together with its entry in the ledger, or not at all. What it does
elsewhere can happen again when the process is killed at that moment.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.module_loading import import_string

from ..conf import conf
from ..context import tenant_context, unscoped
from ..exceptions import TenantkitError
from ..fields import uuid7
from ..models import (
    AbstractTenant,
    Job,
    Membership,
    TenantIsolation,
    TenantStatus,
    get_domain_model,
    get_tenant_model,
)
from ..names import slug_host
from ..registry import users_live_at_home
from ..signals import tenant_provisioned
from . import places
from .admins import find_or_make_admin, find_user
from .claims import assign_domain, release_slug
from .jobs import only_if, outside_transactions
from .suspend import change_status


def lacks_place(job: Job) -> bool:
    """Whether a place has to be made for the tenant: it does not share tables, and none is ready."""
    isolation, server = _wanted_place(job)
    return isolation != TenantIsolation.ROW and not places.has_ready_place(isolation, server)


@only_if(lacks_place)
@outside_transactions
def make_place(job: Job) -> None:
    """Make a place for the tenant where none is ready: a schema or a database, whose uid is the job's. By the
    system's login; nothing for a tenant that shares tables."""
    isolation, server = _wanted_place(job)
    with unscoped(reason=f"provisioning {job.slug}"):
        places.make_place(isolation, server, job.uid, ready=False)


def make_tenant(job: Job) -> None:
    """Make the tenant, with the status `provisioning`, and give it to the job; with its place, whose uid is the
    tenant's. A step of your own in its place does the same for a tenant model that needs more. Raises
    `TenantkitError` where there is no place."""
    wanted = job.arguments
    with unscoped(reason=f"provisioning {job.slug}"):
        release_slug(job.slug)
        isolation, server = _wanted_place(job)
        if "uid" in job.result:
            uid = {"uid": UUID(job.result["uid"])}
        else:
            uid = {} if isolation == TenantIsolation.ROW else {"uid": _place_of(job)}
        job.tenant = get_tenant_model()._default_manager.create(
            slug=job.slug,
            name=wanted["name"],
            plan=wanted["plan"],
            settings=wanted["settings"],
            status=TenantStatus.PROVISIONING,
            isolation=isolation,
            database=server,
            **uid,
        )


@only_if(lambda job: bool(job.arguments.get("files") and job.arguments.get("is_new", True)))
def choose_uid(job: Job) -> None:
    """Choose the uid of a tenant before it is made, with its place: its files are written before its rows are
    there. In no provisioning."""
    with unscoped(reason=f"provisioning {job.slug}"):
        is_row = _wanted_place(job)[0] == TenantIsolation.ROW
        job.result["uid"] = str(uuid7() if is_row else _place_of(job))


def _wanted_place(job: Job) -> tuple[str, str]:
    """The isolation and the server; a job that was begun before there were any is one of rows."""
    return job.arguments.get("isolation", str(TenantIsolation.ROW)), job.arguments.get("database", "")


def _place_of(job: Job) -> Any:
    isolation, server = _wanted_place(job)
    uid = places.take_place(isolation, server, job.uid)
    if uid is None:
        raise TenantkitError(
            f"No place with the isolation {isolation!r} is ready. `create_tenant --resume {job.uid}` as the system's "
            "login makes one, if `make_place` is in TENANTKIT_PROVISIONING."
        )
    return uid


@only_if(lambda job: bool(job.domain))
def make_domain(job: Job) -> None:
    """Give the tenant the domain it is to have, as its primary one."""
    verified_at = timezone.now() if job.arguments["domain_verified"] else None
    with unscoped(reason=f"provisioning {job.slug}"):
        assign_domain(job.tenant, job.domain, verified_at)


@only_if(lambda job: bool(job.arguments["admin_email"]))
def make_admin(job: Job) -> None:
    """Make the user with the admin's e-mail address a member with the role `admin`. An unknown user is
    made, without a usable password. Where tenants have users of their own, that user is the tenant's first."""
    user = find_or_make_admin(job.arguments["admin_email"])
    if not users_live_at_home():
        Membership.objects.get_or_create(tenant=job.tenant, user=user, defaults={"role": "admin"})


@only_if(lambda job: bool(conf.DEFAULT_DATA))
def make_default_data(job: Job) -> None:
    """Call the function that TENANTKIT_DEFAULT_DATA names with the tenant."""
    import_string(conf.DEFAULT_DATA)(job.tenant)  # type: ignore[arg-type]


def activate(job: Job) -> None:
    """Let the tenant work. Raises `TenantkitError` where something that was asked for is missing, because
    its step is not in TENANTKIT_PROVISIONING."""
    if missing := [what for what, there in _asked_for(job) if not there]:
        raise TenantkitError(
            f"The tenant has no {' and no '.join(missing)}, though the job asks for it. Add the step to "
            "TENANTKIT_PROVISIONING in front of this one."
        )
    change_status(job.tenant, TenantStatus.ACTIVE, [TenantStatus.PROVISIONING])


@only_if(lambda job: bool(job.arguments["admin_email"] and conf.WELCOME_MAIL))
def send_welcome(job: Job) -> None:
    """Send the admin a mail, if TENANTKIT_WELCOME_MAIL says so. A process killed between sending and
    recording sends it again, with the same Message-ID, by which mail programs drop the second."""
    email = job.arguments["admin_email"]
    context = _welcome(job.tenant, find_user(email))
    subject = render_to_string("django_tenantkit/welcome_subject.txt", context)
    EmailMessage(
        subject=" ".join(subject.split()),
        body=render_to_string("django_tenantkit/welcome_body.txt", context),
        to=[email],
        headers={"Message-ID": f"<{job.uid}@{context['host']}>"},
    ).send()


def announce(job: Job) -> None:
    """Send `tenant_provisioned`. Always the last step, not in the setting."""
    with tenant_context(None):
        tenant_provisioned.send(sender=type(job.tenant), tenant=job.tenant)


def _asked_for(job: Job) -> list[tuple[str, bool]]:
    """What the job asks for beside the tenant, and whether it is there."""
    domains = get_domain_model()._default_manager.filter(tenant=job.tenant, domain=job.domain)
    email = job.arguments["admin_email"]
    return [
        ("domain", not job.domain or domains.exists()),
        ("admin", not email or _has_admin(job.tenant, email)),
    ]


def _has_admin(tenant: Any, email: str) -> bool:
    if users_live_at_home():
        return find_user(email) is not None
    return Membership.objects.filter(tenant=tenant, role="admin").exists()


def _welcome(tenant: AbstractTenant, user: Any) -> dict[str, Any]:
    """What the templates get: `uidb64` and `token` are for Django's view `password_reset_confirm`, and
    empty for a user who has a password."""
    new = user is not None and not user.has_usable_password()
    return {
        "tenant": tenant,
        "user": user,
        "host": slug_host(tenant.slug),
        "uidb64": urlsafe_base64_encode(force_bytes(user.pk)) if new else "",
        "token": default_token_generator.make_token(user) if new else "",
    }
