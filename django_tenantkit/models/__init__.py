"""The models: tenants, their domains and members, the ledger of jobs and places, and the base of tenant rows."""

from ..fields import TenantField, TenantReference, uuid7
from .base import TenantModel
from .domain import AbstractDomain, Domain
from .jobs import ENDED, Job, JobState
from .membership import Membership
from .places import SHARD, MigrationState, Place, PlaceState
from .tenant import AbstractTenant, Tenant, TenantIsolation, TenantStatus, get_domain_model, get_tenant_model

__all__ = [
    "ENDED",
    "SHARD",
    "AbstractDomain",
    "AbstractTenant",
    "Domain",
    "Job",
    "JobState",
    "Membership",
    "MigrationState",
    "Place",
    "PlaceState",
    "Tenant",
    "TenantField",
    "TenantIsolation",
    "TenantModel",
    "TenantReference",
    "TenantStatus",
    "get_domain_model",
    "get_tenant_model",
    "uuid7",
]
