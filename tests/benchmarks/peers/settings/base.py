"""What the projects of all contenders have in common. The harness hands down where their database is, and the
directory with the migrations of the shop, to which it adds."""

import json
import os
import sys

GIVEN = json.loads(os.environ["TENANTKIT_PEERS"])
sys.path.insert(0, GIVEN["migrations"])

SECRET_KEY = "benchmarks only"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.benchmarks.peers.shop.views"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

#: In each tenant's schema.
OF_TENANTS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.admin",
    "django.contrib.sessions",
    "tests.benchmarks.peers.shop",
]
INSTALLED_APPS = OF_TENANTS
MIGRATION_MODULES = {"shop": GIVEN["package"]}

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASE = {**GIVEN["database"], "CONN_MAX_AGE": None}
DATABASES = {"default": {**DATABASE, "ENGINE": "django.db.backends.postgresql"}}
TENANTKIT_PEERS_MIGRATIONS = f"{GIVEN['migrations']}/{GIVEN['package']}"
