"""django-tenants, as its documentation sets it up."""

import os

from .base import *  # noqa: F403
from .base import DATABASE, MIDDLEWARE, OF_TENANTS

SHARED_APPS = ["django_tenants", "tests.benchmarks.peers.registry"]
TENANT_APPS = OF_TENANTS
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
DATABASES = {"default": {**DATABASE, "ENGINE": "django_tenants.postgresql_backend"}}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "registry.Tenant"
TENANT_DOMAIN_MODEL = "registry.Domain"

if "TENANTKIT_PEERS_LIMITED" in os.environ:
    TENANT_LIMIT_SET_CALLS = True
if "TENANTKIT_PEERS_CLONING" in os.environ:
    TENANT_BASE_SCHEMA = "reference"
    TENANT_CREATION_FAKES_MIGRATIONS = True
