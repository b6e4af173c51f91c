"""The settings of the tests, with the twin models and two more connections: plain Django's, and one that has our
compilers and nothing else."""

from tests import settings as tests
from tests.databases import unguarded
from tests.settings import *  # noqa: F403

DEBUG = False
ROOT_URLCONF = "tests.benchmarks.urls"
ALLOWED_HOSTS = [".example.com"]
INSTALLED_APPS = [*tests.INSTALLED_APPS, "tests.benchmarks"]

GUARDED = tests.DATABASES["default"]
DATABASES = {
    "default": GUARDED,
    # The same login, and tables that have no policies.
    "plain": GUARDED | {"ENGINE": "tests.benchmarks.plain"},
    # The tables of tenants have policies, which the owner bypasses.
    "compilers": GUARDED | {"ENGINE": "tests.benchmarks.compilers"} | unguarded(GUARDED),
}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "tests.benchmarks.requests.UserInMemory",
]
