"""The settings of another deployment: see `other.py`."""

from tests.settings import *  # noqa: F403

SECRET_KEY = "another deployment's"
TENANTKIT_ARCHIVE_KEYS = {"testapp.Plan": ["name"], "testapp.Region": ["name"]}
