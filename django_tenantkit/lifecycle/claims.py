"""Which slugs and domains can be given to a new tenant. Those of erased tenants can, after a quarantine."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ..conf import conf
from ..exceptions import ProvisioningRefused
from ..models import AbstractTenant, TenantStatus, get_domain_model, get_tenant_model

#: Where the settings of an erased tenant keep the digests of the domains that it had.
RESERVED = "reserved_domains"


def digest_of(name: str) -> str:
    """What stands for a domain or a uid of an erased tenant."""
    return hashlib.sha256(name.encode()).hexdigest()


def refuse_taken(slug: str, domain: str) -> None:
    """Raise `ProvisioningRefused` when a tenant has the slug or the domain, or had it until lately."""
    _refuse_held(f"The slug {slug!r}", get_tenant_model()._default_manager.filter(slug=slug).first())
    if domain:
        _refuse_held(f"The domain {domain}", _holder(domain))


def release_slug(slug: str) -> None:
    """Take the slug from the erased tenant that still has it. That one is known by its uid from now on,
    which no tenant can claim: no slug is shaped like a UUID."""
    former = get_tenant_model()._default_manager.filter(slug=slug).first()
    if former is not None:
        _refuse_held(f"The slug {slug!r}", former)
        former.slug = str(former.uid)
        former.save(update_fields=["slug"])


def assign_domain(tenant: AbstractTenant, name: str, verified_at: datetime | None) -> None:
    """Give the tenant its primary domain. The row of an erased tenant changes hands."""
    model: Any = get_domain_model()
    _refuse_held(f"The domain {name}", _former_holder(name))
    domain = model._default_manager.filter(domain=name).first() or model(domain=name)
    if domain.pk is not None and domain.tenant_id != tenant.pk:
        _refuse_held(f"The domain {name}", domain.tenant)
    domain.tenant, domain.is_primary, domain.verified_at = tenant, True, verified_at
    domain.save()


def _holder(domain: str) -> AbstractTenant | None:
    row: Any = get_domain_model()._default_manager.filter(domain=domain).first()
    return _former_holder(domain) if row is None else row.tenant


def _former_holder(domain: str) -> AbstractTenant | None:
    """The tenant that was erased lately and had the domain: its row has the digest alone."""
    since = timezone.now() - timedelta(days=conf.SLUG_QUARANTINE)
    erased = get_tenant_model()._default_manager.filter(status=TenantStatus.ERASED, erased_at__gt=since)
    digest = digest_of(domain)
    return next((tenant for tenant in erased.iterator() if digest in (tenant.settings or {}).get(RESERVED, ())), None)


def _refuse_held(what: str, holder: AbstractTenant | None) -> None:
    if holder is None:
        return
    if holder.status != TenantStatus.ERASED or holder.erased_at is None:
        raise ProvisioningRefused(f"{what} is taken by the tenant {holder.slug!r} ({holder.status}). Choose another.")
    until = holder.erased_at + timedelta(days=conf.SLUG_QUARANTINE)
    if until > timezone.now():
        raise ProvisioningRefused(
            f"{what} was an erased tenant's and stays reserved until {until:%Y-%m-%d} (TENANTKIT_SLUG_QUARANTINE). "
            "Choose another."
        )
