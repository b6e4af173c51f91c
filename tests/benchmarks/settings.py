"""The settings of the tests, with the twin models and a second connection on Django's own engine."""

from tests import settings as tests
from tests.settings import *  # noqa: F403

DEBUG = False
ROOT_URLCONF = "tests.benchmarks.requests"
ALLOWED_HOSTS = [".example.com"]
INSTALLED_APPS = [*tests.INSTALLED_APPS, "tests.benchmarks"]
DATABASES = {
    "default": tests.DATABASES["default"],
    "plain": tests.DATABASES["default"] | {"ENGINE": "tests.benchmarks.plain"},
}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "tests.benchmarks.requests.UserInMemory",
]
