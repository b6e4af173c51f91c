"""django_tenantkit: the same apps, in a schema of each tenant."""

from .base import *  # noqa: F403
from .base import DATABASE, GIVEN, MIDDLEWARE, OF_TENANTS

INSTALLED_APPS = ["django_tenantkit", *OF_TENANTS]
MIDDLEWARE = [*MIDDLEWARE, "django_tenantkit.middleware.TenantMiddleware"]
DATABASES = {"default": {**DATABASE, "ENGINE": "django_tenantkit.backends.postgresql"}}
DATABASE_ROUTERS = ["django_tenantkit.routers.TenantRouter"]

TENANTKIT_SYSTEM_DATABASE = {"USER": GIVEN["system"]}
TENANTKIT_WEB_MAY_OPERATE = True  # signing up asks for all tenants
TENANTKIT_ISOLATIONS = ["row", "schema"]
TENANTKIT_ROW_SCHEMA = "rows"
TENANTKIT_TENANT_APPS = ["contenttypes", "auth", "admin", "sessions", "shop"]
TENANTKIT_BASE_DOMAIN = "example.com"
