"""django-pgschemas, as its documentation sets it up."""

import os

from .base import *  # noqa: F403
from .base import DATABASE, MIDDLEWARE, OF_TENANTS, ROOT_URLCONF

_SHARED = ["django_pgschemas", "tests.benchmarks.peers.registry"]
INSTALLED_APPS = [*_SHARED, *OF_TENANTS]
MIDDLEWARE = ["django_pgschemas.routing.middleware.DomainRoutingMiddleware", *MIDDLEWARE]
DATABASES = {"default": {**DATABASE, "ENGINE": "django_pgschemas.postgresql"}}
DATABASE_ROUTERS = ["django_pgschemas.routers.TenantAppsRouter"]
TENANTS = {
    "public": {"APPS": _SHARED},
    "default": {
        "TENANT_MODEL": "registry.Tenant",
        "DOMAIN_MODEL": "registry.Domain",
        "APPS": OF_TENANTS,
        "URLCONF": ROOT_URLCONF,
    },
}

if "TENANTKIT_PEERS_LIMITED" in os.environ:
    PGSCHEMAS_LIMIT_SET_CALLS = True
if "TENANTKIT_PEERS_CLONING" in os.environ:
    TENANTS["default"]["CLONE_REFERENCE"] = "reference"
