"""A project whose tenants have users, sessions, content types and sites of their own."""

import os

os.environ["TENANTKIT_TEST_ISOLATION"] = "schema"

from django_tenantkit.signatures import TenantSecretKey
from tests.settings import *  # noqa: F403
from tests.settings import SECRET_KEY as PLAIN_KEY

SECRET_KEY = TenantSecretKey(PLAIN_KEY)

HOME = ["admin", "auth", "contenttypes", "sessions", "sites"]

INSTALLED_APPS = [
    *(f"django.contrib.{name}" for name in HOME),
    "django.contrib.messages",
    "tests.owners.books",
    "django_tenantkit",
]
ROOT_URLCONF = "tests.owners.urls"
SITE_ID = 1
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_FUNCTION": "django_tenantkit.caches.tenant_key",
    }
}
TENANTKIT_TENANT_APPS = [*HOME, "books"]
TENANTKIT_ISOLATIONS = ["schema"]
TENANTKIT_ROW_SCHEMA = "nobody"
TENANTKIT_ACCESS_POLICY = "django_tenantkit.access.own_users"
TENANTKIT_TENANT_CACHES = ["tests.owners.books.shelves.shelf_of", "tests.owners.books.shelves.TITLES"]
