"""The settings of the tests. Which database they use: `tests/databases.py`."""

from importlib.util import find_spec

from tests.databases import ISOLATION, ROLES, SHARDED, WITH_SHARDS, configured

SECRET_KEY = "tests only"
USE_TZ = True
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, and only here

# The core's tests also pass where no optional package is installed.
OPTIONAL_APPS = [app for app in ("rest_framework", "django_filters") if find_spec(app)]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *OPTIONAL_APPS,
    "django_tenantkit",
    "tests.testapp",
    "tests.presets",
    "tests.erasing.papers",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_tenantkit.middleware.TenantMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

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

DATABASES = {"default": configured()}
DATABASE_ROUTERS = ["django_tenantkit.routers.TenantRouter"]

# The tests connect as the application's role. Each sees what others left only through TestCase's transaction, so
# unscoped() has to work inside it.
TENANTKIT_OWNER_ROLE, TENANTKIT_APPLICATION_ROLE, TENANTKIT_OPERATOR_ROLE, TENANTKIT_SYSTEM_ROLE = ROLES
TENANTKIT_SYSTEM_DATABASE = {"USER": ROLES.system}
TENANTKIT_WEB_MAY_OPERATE = True

TENANTKIT_BASE_DOMAIN = "example.com"

# Some tests run again with tenants that have schemas, see `tests/isolation/world.py`.
if ISOLATION != "row":
    TENANTKIT_ISOLATIONS = ["row", "schema", "database"]
    TENANTKIT_ROW_SCHEMA = "rows"
    TENANTKIT_SERVERS = {SHARDED: {}} if ISOLATION in WITH_SHARDS else {}
