"""The demo's tenants and people."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.management import call_command

from django_tenantkit.lifecycle.provision import provision
from django_tenantkit.models import AbstractTenant
from example_project.users.models import User

from .companies import ACME, COMPANIES, GLOBEX, INITECH, Company
from .fill import add_freelancer, add_operator, fill

#: A domain of acme's own, beside acme.localhost.
CUSTOM_DOMAIN = "tools.acme.example"


@dataclass(frozen=True)
class Site:
    """What was made."""

    acme: AbstractTenant
    globex: AbstractTenant
    initech: AbstractTenant
    freelancer: User
    operator: User


def build() -> Site:
    """Migrate, make the three tenants and fill them."""
    call_command("migrate", verbosity=0, interactive=False)
    made = {company.slug: _tenant(company) for company in COMPANIES}
    acme, globex, initech = (made[company.slug] for company in (ACME, GLOBEX, INITECH))
    return Site(acme, globex, initech, add_freelancer(acme, globex), add_operator())


def _tenant(company: Company) -> AbstractTenant:
    tenant = provision(
        company.slug,
        company.name,
        domain=CUSTOM_DOMAIN if company is ACME else None,
        domain_verified=company is ACME,
        admin_email=company.admin_email,
        plan=company.plan,
        settings={"color": company.color, "claim": company.claim},
        isolation=company.isolation if company.isolation in settings.TENANTKIT_ISOLATIONS else "row",
    )
    fill(tenant, company)
    return tenant
