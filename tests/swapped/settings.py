from tests.settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "tests.swapped",
    "django_tenantkit",
]
ROOT_URLCONF = "tests.swapped.settings"
urlpatterns: list[object] = []
TENANTKIT_TENANT_MODEL = "swapped.Company"
TENANTKIT_DOMAIN_MODEL = "swapped.CompanyDomain"
MIGRATION_MODULES = {"swapped": "swapped_migrations"}
