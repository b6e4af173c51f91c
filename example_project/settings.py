"""Settings of the example project. What makes it multi-tenant is marked by "tenants:"."""

from pathlib import Path
from typing import Any

import environ

from django_tenantkit.hosts import TenantHosts

BASE_DIR = Path(__file__).resolve().parent
env = environ.Env()
env.read_env(BASE_DIR.parent / ".env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-the-example-set-SECRET_KEY-wherever-others-can-reach-it")


def database(url: str) -> dict[str, Any]:
    """An entry of DATABASES with an engine that scopes the rows of tenants."""
    parsed: dict[str, Any] = env.db_url_config(url)
    engine = "sqlite3" if url.startswith("sqlite") else "postgresql"
    parsed["ENGINE"] = f"django_tenantkit.backends.{engine}"
    options = parsed.setdefault("OPTIONS", {})
    parsed["HOST"] = options.pop("host", parsed.get("HOST", ""))  # a socket: postgresql://user@/name?host=/path
    return parsed


# tenants: the engine adds the tenant's condition to every statement; the router refuses references across tenants.
# `manage.py demo` needs no address: it starts an embedded PostgreSQL.
DATABASES = {"default": database(env.str("DATABASE_URL", default="postgresql:///tenantkit_example"))}
DATABASE_ROUTERS = ["django_tenantkit.routers.TenantRouter"]

# tenants: who migrates and works for operators. Both addresses come from `manage.py setup_roles --passwords`.
if system := env.str("SYSTEM_DATABASE_URL", default=""):
    TENANTKIT_SYSTEM_DATABASE = {key: database(system)[key] for key in ("USER", "PASSWORD", "HOST", "PORT")}

# tenants: acme.localhost is the tenant "acme"; a verified custom domain or the header X-Tenant-ID name one as well.
TENANTKIT_BASE_DOMAIN = env.str("BASE_DOMAIN", default="localhost")
TENANTKIT_RESOLVERS = [
    "django_tenantkit.resolvers.DomainResolver",
    "django_tenantkit.resolvers.SubdomainResolver",
    "django_tenantkit.resolvers.HeaderResolver",
]

ALLOWED_HOSTS = TenantHosts(env.list("ALLOWED_HOSTS", default=[]))
CSRF_TRUSTED_ORIGINS = TenantHosts()

# tenants: small ones share tables, others have a schema or a database of their own. SQLite has neither.
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    TENANTKIT_ISOLATIONS = ["row", "schema", "database"]
    TENANTKIT_ROW_SCHEMA = "rows"
else:
    TENANTKIT_ISOLATIONS = ["row"]

# tenants: what a new one starts with.
TENANTKIT_DEFAULT_DATA = "example_project.work.defaults.add_labels"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "example_project.users",
    "example_project.work",
    "example_project.shop",
    "example_project.pages",
    "example_project.demo",
    "django_tenantkit",  # tenants: behind the project's apps, whose templates take the place of its own
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_tenantkit.middleware.TenantMiddleware",  # tenants: after authentication, as it asks who the user is
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# tenants: what is served where no tenant is named, on http://localhost:8000.
ROOT_URLCONF = "example_project.urls"
TENANTKIT_PUBLIC_URLCONF = "example_project.public_urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

WSGI_APPLICATION = "example_project.wsgi.application"
ASGI_APPLICATION = "example_project.asgi.application"

AUTH_USER_MODEL = "users.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 25,
    # tenants: a duplicate that only the database sees is a 400.
    "EXCEPTION_HANDLER": "django_tenantkit.contrib.drf.exception_handler",
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
