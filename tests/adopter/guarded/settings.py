"""The settings of an adopter's project whose tests run as its application's role."""

import json
import os

SECRET_KEY = "tests only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_tenantkit",
    "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_tenantkit.middleware.TenantMiddleware",
]
DATABASES = {"default": json.loads(os.environ["ADOPTERS_DATABASE"])}
DATABASE_ROUTERS = ["django_tenantkit.routers.TenantRouter"]
TENANTKIT_SYSTEM_DATABASE = {"USER": f"{DATABASES['default']['NAME']}_system"}
TENANTKIT_WEB_MAY_OPERATE = True
TENANTKIT_BASE_DOMAIN = "example.com"
