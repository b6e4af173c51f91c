"""The settings of one run. `runtests.py` adds its own to them."""

from __future__ import annotations

import json
import os

from tests.databases import ROLES

DATABASES = json.loads(os.environ["TENANTKIT_SUITE_DATABASES"])  # given by __main__.py
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "tests.django_suite.recording.Runner"
TENANTKIT_OWNER_ROLE, TENANTKIT_APPLICATION_ROLE, TENANTKIT_OPERATOR_ROLE, TENANTKIT_SYSTEM_ROLE = ROLES
TENANTKIT_SYSTEM_DATABASE = {"USER": ROLES.system}
TENANTKIT_WEB_MAY_OPERATE = True
